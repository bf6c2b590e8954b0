"""Trials in files: `*.trial.yaml`."""

from __future__ import annotations

from pathlib import Path

import pytest


def written(pytester: pytest.Pytester, text: str, name: str = "raft.trial.yaml") -> Path:
    path = pytester.path / name
    path.write_text(text)
    return path


MATRIX = """
system: paxos
time_limit_s: 5
matrix:
  workload: [register, log]
  faults: [none, partitions+crashes]
  nodes: [3, 5]
"""


def test_a_matrix_is_a_test_for_each_combination(pytester: pytest.Pytester) -> None:
    """Each with an id that says what it tries, and by which it can be chosen."""
    written(pytester, MATRIX)

    collected = pytester.runpytest_inprocess("--collect-only", "-q")
    chosen = pytester.runpytest_inprocess("raft.trial.yaml::log-none-3")

    assert 8 == sum(line.startswith("raft.trial.yaml::") for line in collected.outlines)
    collected.stdout.fnmatch_lines(["raft.trial.yaml::register-partitions+crashes-5"])
    chosen.assert_outcomes(passed=1)


def test_the_command_line_takes_the_place_of_a_list(pytester: pytest.Pytester) -> None:
    """No two tests that say different things and try the same."""
    written(pytester, MATRIX)

    result = pytester.runpytest_inprocess("--collect-only", "-q", "--antipaxos-nodes=4")

    ids = [line for line in result.outlines if line.startswith("raft.trial.yaml::")]
    assert 4 == len(ids)
    assert "raft.trial.yaml::register-none" in ids


def test_what_is_expected(pytester: pytest.Pytester) -> None:
    """A file may expect a bug: then it fails without."""
    mutant = "system: paxos\noptions: {mutant: local-reads}\nruns: 5\n"
    written(pytester, mutant + "expect: invalid\n", "found.trial.yaml")
    written(pytester, mutant, "bad.trial.yaml")
    written(pytester, "system: paxos\nexpect: invalid\n", "good.trial.yaml")

    result = pytester.runpytest_inprocess("-v")

    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "expected VALID, found INVALID: Key*cannot be placed*",
            "again       antipaxos replay antipaxos-runs/bad-trial/*",
            "or          pytest bad.trial.yaml::trial --antipaxos-seed *",
            "expected INVALID, found VALID:*",
        ]
    )


def test_unknown_in_a_file(pytester: pytest.Pytester) -> None:
    """As configured; a file may expect it, too."""
    short = "system: paxos\ntime_limit_s: 0.5\n"
    written(pytester, short, "a.trial.yaml")
    written(pytester, short + "expect: unknown\n", "b.trial.yaml")

    failing = pytester.runpytest_inprocess()
    skipping = pytester.runpytest_inprocess("--antipaxos-unknown=skip")

    failing.assert_outcomes(failed=1, passed=1)
    skipping.assert_outcomes(skipped=1, passed=1)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", ["1: the file is empty. Name a system, as in 'system: paxos'."]),
        ("a: [", ["*no YAML*"]),
        ("- paxos", ["1: a file of trials must be a mapping*"]),
        ("nodes: 3", ["1: no system is named. Add one, as in 'system: paxos'."]),
        ("system: paxos\nnodez: 3", ["2: 'nodez' is not a setting*Did you mean 'nodes'?"]),
        ("system: paxos\nnodes: 3\nnodes: 4", ["3: 'nodes' is given twice*"]),
        ("system: paxos\nnodes: 0", ["2: nodes is 0. Give a number of nodes from 1 to 99."]),
        ("system: paxos\nexpect: valit", ["2: expect is 'valit'. Did you mean*'valid'*"]),
        ("system: paxos\nruns: 0", ["2: the number of runs is '0'*"]),
        ("system: paxos\nmatrix: {nodes: 3}", ["2: nodes of matrix must be a list*"]),
        ("system: paxos\nmatrix: {nodes: []}", ["2: nodes of matrix is empty*"]),
        ("system: paxos\nmatrix: [3]", ["2: matrix must be a mapping*"]),
        ("system: paxos\nnodes: 3\nmatrix: {nodes: [3]}", ["3: 'nodes' is set beside*"]),
        ("system: gone.yaml", ["1: system 'gone.yaml': there is no *"]),
        (
            "system: paxos\nmatrix:\n  workload:\n  - register\n  - lock\n  faults: [partitoins]",
            ["5: system 'paxos' does not offer workload 'lock'*", "6: *did you mean 'partitions'?"],
        ),
        ("system: paxos\ncluster: simulatd", ["2: no cluster 'simulatd'. Did you mean*"]),
    ],
)
def test_mistakes_are_told_with_their_lines(
    pytester: pytest.Pytester, text: str, sentences: list[str]
) -> None:
    """As errors of collection, all at once, each with its remedy."""
    path = written(pytester, text)

    result = pytester.runpytest_inprocess()

    assert pytest.ExitCode.INTERRUPTED == result.ret
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"{path}:{s}" if s[0] != "*" else s for s in sentences])
    result.stdout.no_fnmatch_line("*Traceback*")
