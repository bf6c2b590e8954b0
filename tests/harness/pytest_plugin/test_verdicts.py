"""What a test sees of a verdict, and what pytest tells of it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest


def run(pytester: pytest.Pytester, body: str, *words: str) -> pytest.RunResult:
    pytester.makepyfile(test_it=body)
    return pytester.runpytest_inprocess(*words)


def test_a_valid_trial_passes_and_leaves_nothing(pytester: pytest.Pytester) -> None:
    """The shortest test there is: a system by its name. What passes leaves no folder."""
    result = run(pytester, 'def test_it(antipaxos):\n    assert antipaxos("paxos")\n')

    result.assert_outcomes(passed=1)
    assert not (pytester.path / "antipaxos-runs").exists()


INVALID = """
def test_it(antipaxos):
    assert antipaxos("paxos", options={"mutant": "local-reads"}, runs=5)
"""


def test_a_failure_tells_all(pytester: pytest.Pytester) -> None:
    """The sentence, the picture, the faults, the seed, the report and the commands, in pytest's own
    output; and the run is kept where they say."""
    result = run(pytester, INVALID, "--tb=short")

    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines(
        [
            r"E   AssertionError: assert <INVALID, seed \d+>",
            r"E    \+  where <INVALID, seed \d+> = antipaxos\('paxos', .*",
            r"-+ antipaxos -+",
            r"INVALID Key .* cannot be placed: .*",
            r"  p\d+ .*<- fits nowhere",
            r".*In force then: .*",
            r"seed        \d+",
            r"report      antipaxos-runs/test_it-test_it/.*/report\.html",
            r"again       antipaxos replay antipaxos-runs/test_it-test_it/.*",
            r"or          pytest test_it.py::test_it --antipaxos-seed \d+",
        ]
    )
    assert (pytester.path / "antipaxos-runs/latest/report.html").is_file()
    assert (pytester.path / "antipaxos-runs/latest/case.json").is_file()


def test_a_bug_that_is_expected(pytester: pytest.Pytester) -> None:
    """`not verdict` and the kind are true of INVALID; kept is what somebody asks for."""
    result = run(
        pytester,
        """
from checkers.verdict import Kind

def test_it(antipaxos):
    verdict = antipaxos("paxos", options={"mutant": "local-reads"}, runs=5)
    assert not verdict
    assert verdict.kind is Kind.INVALID
    assert "cannot be placed" in verdict.summary
    assert any("fits nowhere" in line for line in verdict.explanation)
    assert len(verdict.history) > 100 and verdict.seed >= 0
    assert not verdict.is_kept
    assert verdict.report.is_file() and verdict.folder == verdict.report.parent
    assert verdict.replay.startswith("antipaxos replay ")
""",
    )

    result.assert_outcomes(passed=1)


def test_a_bug_that_is_not_there(pytester: pytest.Pytester) -> None:
    """`assert not` of a VALID run fails, with the seed and the command, and keeps nothing."""
    result = run(pytester, 'def test_it(antipaxos):\n    assert not antipaxos("paxos")\n')

    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines(
        [r"VALID .*", r"seed        \d+", r"again       antipaxos run .*--seed \d+.*"]
    )
    assert not (pytester.path / "antipaxos-runs").exists()


UNKNOWN = """
def test_it(antipaxos):
    assert antipaxos("paxos", time_limit_s=0.5)

def test_not(antipaxos):
    assert not antipaxos("paxos", time_limit_s=0.5)

def test_kind(antipaxos):
    assert antipaxos("paxos", time_limit_s=0.5).kind.name == "UNKNOWN"
"""


@pytest.mark.parametrize(
    ("words", "outcomes"),
    [
        ((), {"failed": 2, "passed": 1}),
        (("--antipaxos-unknown=skip",), {"skipped": 2, "passed": 1}),
        (("--antipaxos-unknown=warn",), {"passed": 2, "failed": 1}),
    ],
)
def test_unknown_is_neither(
    pytester: pytest.Pytester, words: tuple[str, ...], outcomes: dict[str, int]
) -> None:
    """Neither `assert verdict` nor `assert not verdict` passes for want of evidence, unless a
    warning is all that is wanted; the kind can be asked all the same."""
    result = run(pytester, UNKNOWN, *words)

    result.assert_outcomes(**outcomes)
    told = [line for line in result.outlines if "UnknownVerdict: UNKNOWN" in line]
    assert (2 if "--antipaxos-unknown=warn" in words else 0) == len(told)


GAPS = """
from harness.machine import ClientRequest, Recover, Reply

class Machine:
    def __init__(self, answers):
        self.answers = answers

    def handle(self, event, now):
        if not isinstance(event, ClientRequest):
            return []
        return [Reply(event.id, self.answers.get(event.request["f"], UNSUPPORTED))]

UNSUPPORTED = {"error": {"code": "unsupported"}}

def test_short(antipaxos):
    assert antipaxos("paxos", time_limit_s=0.5, runs=2)

def test_nothing(antipaxos):
    assert antipaxos(lambda: Machine({}), nodes=1, time_limit_s=1)

def test_no_answer(antipaxos):
    assert antipaxos(lambda: Machine({"read": 5}), nodes=1, faults="none", time_limit_s=1)

class Forgetful:
    def handle(self, event, now):
        pass

def test_no_effects(antipaxos):
    assert antipaxos(Forgetful)
"""


def test_what_a_newcomer_forgets(pytester: pytest.Pytester) -> None:
    """Operations that a machine does not know, an answer that is none, effects that are not
    returned: each is told with its remedy, in words of a test."""
    result = run(pytester, GAPS, "--tb=short")

    result.assert_outcomes(failed=4)
    result.stdout.re_match_lines(
        [
            r"seed +\d+, one of 2 runs, of which 0 VALID",
            r"hint +The system calls every read, .* unsupported\. Is register a workload that .*",
            r"notice +node n1 ended by itself: .*",
            r" +TypeError: 'int' object is not a mapping",
            r"E .*handle\(Recover\) returned None. Return a list of effects.*",
        ]
    )
    result.stdout.no_re_match_line(r".*--(time-limit|rate|clients|faults)\b.*")


TROUBLE = """
import pytest
from harness.contracts import EnvironmentTrouble
from harness.pytest_trials import trials

@pytest.fixture
def full(monkeypatch):
    def carry_out(trial, store):
        raise EnvironmentTrouble("The disk is full.")
    monkeypatch.setattr(trials, "carry_out", carry_out)

def test_it(antipaxos, full):
    assert antipaxos("paxos")

@pytest.mark.xfail
def test_expected(antipaxos, full):
    assert antipaxos("paxos")
"""


def test_trouble_is_an_error(pytester: pytest.Pytester) -> None:
    """What the environment refuses is no failure of the test, in the summary and in JUnit's file;
    an xfail does not excuse it."""
    result = run(pytester, TROUBLE, "--junitxml=j.xml")

    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*EnvironmentTrouble: The disk is full.", "*nothing was judged*"])
    tree = ET.parse(pytester.path / "j.xml")
    assert 2 == len(tree.findall(".//testcase/error"))
    assert [] == tree.findall(".//testcase/failure")


def test_a_mistake_is_told_where_it_was_made(pytester: pytest.Pytester) -> None:
    """Of ours no line stands in the traceback; every mistake has its remedy."""
    result = run(
        pytester,
        """
def test_system(antipaxos):
    antipaxos("paxis")

def test_setting(antipaxos):
    antipaxos("paxos", workloud="log")

def test_values(antipaxos):
    antipaxos("paxos", nodes=0, faults="partitoins")

def test_none(antipaxos):
    antipaxos()
""",
    )

    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines(
        [
            "E*TrialError: no system 'paxis'. Did you mean 'paxos'?*",
            "E*TrialError: 'workloud' is not a setting of a trial. Did you mean 'workload'*",
            "E*nodes is 0. Give a number of nodes from 1 to 99.",
            "E*no system is named.*",
        ]
    )
    result.stdout.no_fnmatch_line("*pytest_trials*")


def test_junit_has_kind_seed_and_report(pytester: pytest.Pytester) -> None:
    """Of every trial of a test; the report of those that have one."""
    body = """
def test_two(antipaxos):
    assert antipaxos("paxos")
    assert antipaxos("paxos", options={"mutant": "local-reads"}, runs=5)
"""
    run(pytester, body, "--junitxml=j.xml")

    found = {p.get("name"): p.get("value") for p in ET.parse("j.xml").iter("property")}
    assert "valid" == found["antipaxos_verdict"]
    assert "invalid" == found["antipaxos_verdict_2"]
    assert found["antipaxos_seed"] != found["antipaxos_seed_2"]
    assert str(found["antipaxos_report_2"]).endswith("report.html")
    assert "antipaxos_report" not in found
    (failure,) = ET.parse("j.xml").iter("failure")
    assert "cannot be placed" in str(failure.get("message"))  # where it stands alone


def test_made_small(pytester: pytest.Pytester) -> None:
    """Where seconds are given for it, what is kept is a smaller run that breaks the same law."""
    result = run(pytester, INVALID, "--antipaxos-shrink=0.5")

    result.stdout.re_match_lines(
        [r"notice      Its folder has it made small: [\d,]+ choices instead of [\d,]+ break .*"]
    )


def test_what_is_outside_of_the_machines(pytester: pytest.Pytester) -> None:
    """A system that keeps something between runs is told of when its run is kept and differs; its
    trouble is no claim that it is right."""
    result = run(
        pytester,
        """
import itertools
from harness.machine import ClientRequest, Reply

built = itertools.count()

class Numbered:
    def __init__(self):
        self.number = next(built)

    def handle(self, event, now):
        asked = isinstance(event, ClientRequest)
        return [Reply(event.id, {"ok": self.number})] if asked else []

def raising(name):
    raise OSError("no such thing")

def test_it(antipaxos):
    assert antipaxos(Numbered, faults="none", time_limit_s=1)

def test_raising(antipaxos):
    antipaxos(raising)
""",
    )

    result.stdout.fnmatch_lines(
        ["*OSError: no such thing*", "*so nothing was judged.", "notice *the run is another one*"]
    )
