"""What a test may call its system, and how it is found again."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

# A register that one node keeps; the others pass on what clients ask.
KEEPER = """
from harness.machine import ClientRequest, Deliver, Persist, Recover, Reply, Send

class Keeper:
    def __init__(self, name, peers, forgets=False):
        self.name, self.keeper, self.forgets, self.held = name, min(name, *peers), forgets, {}

    def handle(self, event, now):
        match event:
            case Recover() if not self.forgets:
                self.held = {key: value for key, value in event.stored}
            case ClientRequest() if event.request["f"] == "status":
                leads = self.name == self.keeper
                return [Reply(event.id, {"ok": {"ready": True, "leading": leads}})]
            case ClientRequest():
                if self.name != self.keeper:
                    return [Send(self.keeper, [event.id, event.request])]
                return self.serve(event.request, lambda answer: Reply(event.id, answer))
            case Deliver(src, [number, {"f": _} as request]):
                return self.serve(request, lambda answer: Send(src, [number, answer]))
            case Deliver(_, [number, answer]):
                return [Reply(number, answer)]
        return []

    def serve(self, request, told):
        key, value, now = request["key"], request.get("value"), self.held.get(request["key"])
        if request["f"] == "read":
            return [told({"ok": now})]
        if request["f"] == "cas":
            if now != value[0]:
                return [told({"error": {"code": "compare-failed", "text": ""}})]
            value = value[1]
        self.held[key] = value
        return [Persist([key, value]), told({"ok": None})]

def build(name, peers):
    return Keeper(name, peers)

def forgetful(name, peers, **_):
    return Keeper(name, peers, forgets=True)
"""


@pytest.fixture(autouse=True)
def _keeper(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(keeper=KEEPER)


def test_what_builds_a_machine(pytester: pytest.Pytester) -> None:
    """A function, a class, a lambda, a closure, a partial; by its object or by its name."""
    pytester.makepyfile(
        test_it="""
from functools import partial
import pytest
import keeper
from harness.systems import offers, system

SHORT = {"faults": "crashes", "time_limit_s": 6}

@pytest.mark.parametrize("given", [
    keeper.build, keeper.Keeper, partial(keeper.Keeper, forgets=False), "keeper.py:build",
    "keeper:build", lambda name, peers: keeper.Keeper(name, peers), system("keeper:build"),
], ids=str)
def test_it(antipaxos, given):
    assert antipaxos(given, **SHORT)

def test_closure(antipaxos):
    forgets = True
    def closure(name, peers):
        return keeper.Keeper(name, peers, forgets)
    assert not antipaxos(closure, runs=3, **SHORT)

def test_offers(antipaxos):
    build = offers("register", options={"a": "1"})(lambda name, peers: keeper.Keeper(name, peers))
    assert antipaxos(build, options={"a": "2"}, **SHORT)
    with pytest.raises(ValueError, match="does not offer workload 'log'"):
        antipaxos(build, workload="log")
    with pytest.raises(ValueError, match="has no option 'b'"):
        antipaxos(build, options={"b": "2"})

@pytest.mark.parametrize(("wrong", "sentence"), [
    (lambda name, peers, disk: None, "cannot be called to build a machine: missing a required"),
    (lambda **_: 7, "gave 7, which has no method 'handle'"),
    (7, "Give a System, the path of a YAML file, or a function"),
    ("keeper.py:biuld", "has no 'biuld'. Did you mean 'build'"),
    ("keepr.py:build", "there is no .*keepr.py"),
    ("keepr:build", "module 'keepr' cannot be imported"),
], ids=str)
def test_wrong(antipaxos, wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        antipaxos(wrong)
"""
    )

    result = pytester.runpytest_inprocess("-q")

    result.assert_outcomes(passed=15)


FAILING = """
import keeper

def test_it(antipaxos):
    assert antipaxos({system}, faults="crashes", time_limit_s=6, runs=3)
"""


def test_an_importable_one_is_replayed_outside(pytester: pytest.Pytester) -> None:
    """The command in the failure finds the function again, in another process, and the run is the
    same."""
    pytester.makepyfile(test_it=FAILING.format(system="keeper.forgetful"))
    result = pytester.runpytest_inprocess()
    again = next(line for line in result.outlines if line.startswith("again "))
    words = shlex.split(again.removeprefix("again"))

    replayed = subprocess.run(
        [sys.executable, "-m", "harness.cli", *words[1:]], capture_output=True, text=True
    )

    assert ["antipaxos", "replay"] == words[:2]
    assert 1 == replayed.returncode, replayed.stderr
    assert "byte for byte" in replayed.stdout or "same" in replayed.stdout


def test_another_is_replayed_through_pytest(pytester: pytest.Pytester) -> None:
    """What no other process can import has the test's own command, and its seed wins."""
    lambda_ = "lambda name, peers: keeper.Keeper(name, peers, forgets=True)"
    pytester.makepyfile(test_it=FAILING.format(system=lambda_))
    result = pytester.runpytest_inprocess()
    again = next(line for line in result.outlines if line.startswith("again "))
    words = shlex.split(again.removeprefix("again"))

    second = pytester.runpytest_inprocess(*words[1:])

    assert ["pytest", "test_it.py::test_it"] == words[:2]
    seed = words[-1]
    second.stdout.re_match_lines([rf"seed        {seed}$"])


def test_the_command_says_what_was_typed(pytester: pytest.Pytester) -> None:
    """Typed in another directory than the root, with settings and a path with a space: copied, it
    has the same run there."""
    lambda_ = "lambda name, peers: keeper.Keeper(name, peers, forgets=True)"
    body = FAILING.format(system=lambda_).replace(', faults="crashes"', "")
    pytester.mkdir("my tests").joinpath("test_it.py").write_text(body)
    pytester.syspathinsert()
    pytester.mkdir("elsewhere")
    words = ["../my tests/test_it.py", "--antipaxos-faults=crashes", "--antipaxos-nodes=5"]
    with pytest.MonkeyPatch.context() as moved:
        moved.chdir(pytester.path / "elsewhere")
        first = pytester.runpytest_inprocess(*words)
        again = next(line for line in first.outlines if line.startswith("again "))
        second = pytester.runpytest_inprocess(*shlex.split(again.removeprefix("again"))[1:])

    for result in (first, second):
        result.assert_outcomes(failed=1)
        result.stdout.re_match_lines([r"trial .* faults crashes, 5 nodes \(simulated\)"])
    assert again in second.outlines


# Two systems in files of one name, and a test of each by file, by module and by object.
TWICE = """
import pytest

SHORT = dict(faults="crashes", time_limit_s=6, runs=3)

def test_file(antipaxos):
    assert antipaxos("raft.py:build", **SHORT).kind.name == "{kind}"

def test_module(antipaxos):
    import raft
    for given in ("raft:build", raft.build):
        if {is_first}:
            assert antipaxos(given, **SHORT).kind.name == "{kind}"
        else:
            with pytest.raises(ValueError, match="name the file that is meant: 'raft.py:build'"):
                antipaxos(given, **SHORT)
"""


def test_two_files_of_one_name(pytester: pytest.Pytester) -> None:
    """Python has one of them by its name: never a verdict about the other."""
    for place, kind in (("one", "VALID"), ("two", "INVALID")):
        here = pytester.mkdir(place)
        forgets = "def build(name, peers):\n    return Keeper(name, peers, forgets=True)\n"
        (here / "raft.py").write_text(KEEPER + (forgets if place == "two" else ""))
        test = TWICE.format(kind=kind, is_first=place == "one")
        (here / f"test_{place}.py").write_text(test)

    result = pytester.runpytest_inprocess()

    result.assert_outcomes(passed=4)


SIBLINGS = """
import pytest

def test_it(antipaxos):
    if {is_first}:
        assert antipaxos("{name}.py:build", faults="crashes", time_limit_s=6)
    else:
        with pytest.raises(ValueError, match=r"two/inner.py is meant by 'import inner', and .*one"):
            antipaxos("{name}.py:build", faults="crashes", time_limit_s=6)
"""


def test_what_lies_beside_a_system(pytester: pytest.Pytester) -> None:
    """Two systems whose files import another of the same name, each from beside it: the second is
    refused, not judged with the first one's. Names of the standard library harm nobody."""
    for place, name in (("one", "queue"), ("two", "raft")):
        here = pytester.mkdir(place)
        (here / "inner.py").write_text(f"{KEEPER}\nPLACE = {place!r}\n")  # a copy would be the same
        (here / f"{name}.py").write_text("from inner import build\n")
        test = SIBLINGS.format(is_first=place == "one", name=name)
        (here / f"test_{place}.py").write_text(test + "\nimport queue\nassert queue.SimpleQueue\n")

    result = pytester.runpytest_inprocess()

    result.assert_outcomes(passed=2)
