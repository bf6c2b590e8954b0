"""Whole trials by Hypothesis: complete, simulated, and small when they fail."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings

from checkers.verdict import Kind
from harness.cases import Case, read, write
from harness.simulate import simulate
from harness.strategies import trials
from harness.trial import TrialError
from nemesis.schedule import mistakes_of

EXAMPLE = Path(__file__).parents[3] / "examples" / "hypothesis"
REPLICA = str(EXAMPLE / "system.yaml")
FIND = settings(max_examples=300, database=None, phases=[Phase.generate, Phase.shrink])


def fails(case: Case) -> bool:
    return simulate(case).verdict().kind is Kind.INVALID


@pytest.mark.parametrize("workload", ["register", "log", "consensus"])
def test_a_correct_system_never_fails(workload: str) -> None:
    """All faults that it must stand, on the reference."""

    @settings(max_examples=15)
    @given(trials(system="paxos", workload=workload))
    def holds(case: Case) -> None:
        verdict = simulate(case).verdict()
        assert verdict.kind is not Kind.INVALID, verdict.summary

    holds()


@settings(max_examples=30)
@given(trials(system="paxos", nodes=(2, 3), clients=(2, 4), time_limit_s=(0.5, 1.0), rate=10.0))
def test_a_case_is_complete_and_as_asked(case: Case) -> None:
    """Sizes are within what was asked for; the seed, the faults and the operations are written."""
    assert 2 <= case.trial.nodes <= 3
    assert 2 <= case.trial.clients <= 4
    assert 0.5 <= case.trial.time_limit_s <= 1.0
    assert 10.0 == case.trial.rate
    assert case.trial.seed is not None
    assert case.faults is not None
    assert [] == mistakes_of(case.faults, case.trial.node_names)
    assert case.script is not None
    assert all(line.worker < case.trial.clients for line in case.script.load)


def test_a_failure_shrinks_to_little_and_can_be_kept(tmp_path: Path) -> None:
    """A node that answers from its own copy is caught by a write and at most a read beside those of
    the end, on few nodes; the case is a file that fails again."""
    found = find(trials(system=REPLICA, max_operations=10, max_faults=5), fails, settings=FIND)

    assert found.script is not None
    assert found.faults is not None
    assert len(found.script.load) <= 2
    assert len(found.faults.faults()) <= 2
    assert 3 == found.trial.nodes
    write(tmp_path / "case.json", found)
    assert fails(read(tmp_path / "case.json"))


def test_the_example_finds_the_bug_and_does_not_blame_the_cure(tmp_path: Path) -> None:
    """As its reader runs it: local reads fail, reads of the primary do not."""
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
    done = subprocess.run(
        [*words, f"--rootdir={tmp_path}", "-c", os.devnull, str(EXAMPLE)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )

    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "test_with_local_reads" in done.stdout
    assert "cannot be placed" in done.stdout


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: trials(system="paxos", nodse=3), "not a setting of a trial"),
        (lambda: trials(system="paxos", workload="lgo"), "Did you mean 'log'"),
        (lambda: trials(system="paxos", nodes=(5, 3)), "expected the least"),
        (lambda: trials(system="paxos", kinds=["partitoin"]), "did you mean 'partition'"),
    ],
)
def test_a_wrong_request_is_refused_with_words(wrong: Callable[[], Any], sentence: str) -> None:
    """Where the strategy is made, not where it is drawn from."""
    with pytest.raises((TrialError, ValueError), match=sentence):
        wrong()
