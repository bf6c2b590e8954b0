"""Replaying and shrinking runs on real machines: shares of failures, and tests that decide."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from math import comb, isclose
from pathlib import Path
from random import Random

import pytest

from checkers.verdict import Kind
from harness import shrink_real
from harness.contracts import EnvironmentTrouble
from harness.repeats import Repeated, Repetition, repeat, share_told, wilson
from harness.shrink import NotFailing
from harness.shrink_real import RUNS_MAX, Plan, Reduced, decided
from harness.trial import Trial
from nemesis.faults import Kill, Pause
from nemesis.schedule import Schedule, Step, mistakes_of
from tests import command

HERE = Path("runs")


def _failing(*laws: str) -> Repetition:
    return Repetition(HERE, Kind.INVALID, laws)


VALID = Repetition(HERE, Kind.VALID, ())
INTERRUPTED = Repetition(HERE, Kind.UNKNOWN, (), interrupted=True)


# --- intervals ---


@pytest.mark.parametrize(
    ("failed", "of", "told"),
    [
        (3, 5, "3 of 5 runs (95 %: 23 % to 88 %)"),
        (0, 5, "0 of 5 runs (95 %: 0 % to 43 %)"),
        (5, 5, "5 of 5 runs (95 %: 57 % to 100 %)"),
        (1, 1, "1 of 1 run (95 %: 21 % to 100 %)"),
        (0, 0, "0 of 0 runs (95 %: 0 % to 100 %)"),
    ],
)
def test_shares_are_told_with_their_interval(failed: int, of: int, told: str) -> None:
    """Wilson's interval, by numbers of published tables."""
    assert told == share_told(failed, of)


def test_the_interval_covers_the_share_that_often() -> None:
    """Over all outcomes of 40 runs, the interval holds the true share in about 95 % of them."""
    for share in (0.1, 0.3, 0.5, 0.8):
        covered = sum(
            comb(40, k) * share**k * (1 - share) ** (40 - k)
            for k in range(41)
            if wilson(k, 40)[0] <= share <= wilson(k, 40)[1]
        )
        assert 0.92 <= covered <= 0.98


# --- repeating ---


def _repeated(outcomes: list[Repetition | Exception], law: str | None = "p2c") -> Repeated:
    todo = iter(outcomes)

    def carry_out() -> Repetition:
        outcome = next(todo)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return repeat(carry_out, law, len(outcomes), 600.0)


def test_only_the_same_law_counts() -> None:
    """A run that fails otherwise is a failure of another kind."""
    came = _repeated([_failing("p2c", "linearizable"), _failing("p1"), VALID])
    assert (1, 3, Kind.INVALID) == (came.failed, len(came.runs), came.kind)
    assert 2 == _repeated([_failing("p2c"), _failing("p1"), VALID], law=None).failed


def test_what_says_nothing_does_not_count() -> None:
    """Neither a machine that refused, nor a run that was interrupted, which ends the repeating."""
    came = _repeated([VALID, EnvironmentTrouble("no ports"), _failing("p2c"), INTERRUPTED, VALID])
    assert (1, 2) == (came.failed, len(came.runs))
    assert ("run 2: no ports", "run 4 was interrupted") == tuple(came.troubles)


def test_an_interruption_before_anything_was_recorded_ends_it_too() -> None:
    """As harness.run tells of one."""
    came = _repeated([EnvironmentTrouble("Interrupted by SIGINT before anything."), VALID])
    assert not came.runs


def test_no_repetition_begins_when_time_is_up() -> None:
    """The budget may be used up before the first."""
    came = repeat(lambda: VALID, "p2c", 5, 0.0)
    assert (0, Kind.UNKNOWN) == (len(came.runs), came.kind)


# --- the sequential test ---


def _accepted(share: float) -> float:
    """How probably a candidate that fails in this share of its runs is accepted: exactly."""

    @cache
    def from_here(failed: int, passed: int) -> float:
        now = decided(failed, passed)
        if now is not None:
            return float(now)
        return share * from_here(failed + 1, passed) + (1 - share) * from_here(failed, passed + 1)

    return from_here(0, 0)


def test_the_errors_are_those_that_the_rule_says() -> None:
    """4 % of those that fail in a tenth of their runs are accepted, 24 % of those that fail in half
    of them rejected, 0.1 % of those in nine tenths; what never fails never is."""
    assert _accepted(0.0) == 0.0
    assert isclose(_accepted(0.1), 0.041, abs_tol=0.0005)
    assert isclose(_accepted(0.5), 1 - 0.242, abs_tol=0.0005)
    assert isclose(_accepted(0.9), 1 - 0.001, abs_tol=0.0005)
    assert _accepted(1.0) == 1.0


def test_every_series_is_decided_in_time() -> None:
    """Two failures at once accept, three passes at once reject, and RUNS_MAX runs are enough."""
    assert [None, None, True] == [decided(failed, 0) for failed in range(3)]
    assert [None, None, None, False] == [decided(0, passed) for passed in range(4)]
    assert all(decided(f, RUNS_MAX - f) is not None for f in range(RUNS_MAX + 1))


# --- shrinking ---

PLAN = Plan(
    Trial(clients=16, time_limit_s=32.0, seed=1),
    Schedule(
        32.0,
        1,
        tuple(
            step
            for number, (start_s, fault) in enumerate(
                [
                    (1.0, Pause(nodes=("n1",))),
                    (5.0, Kill(nodes=("n2",))),
                    (9.0, Pause(nodes=("n3",))),
                    (20.0, Kill(nodes=("n4",))),
                ],
                1,
            )
            for step in (
                Step(start_s, number, "start", fault),
                Step(start_s + 2, number, "stop"),
            )
        ),
    ),
)


def _needs_the_kill(plan: Plan) -> bool:
    return any(fault == Kill(nodes=("n2",)) for fault in plan.faults.faults()) and (
        plan.trial.clients >= 3 and plan.trial.time_limit_s >= 6.0
    )


def _shrunk(
    fails: Callable[[Plan], bool], share: float = 1.0, told: list[Plan] | None = None
) -> Reduced:
    random = Random(1)

    def carry_out(plan: Plan) -> Repetition:
        if told is not None:
            told.append(plan)
        failing = fails(plan) and random.random() < share
        return _failing("p2c") if failing else VALID

    return shrink_real.shrink(PLAN, "p2c", carry_out)


@pytest.mark.parametrize("share", [1.0, 0.9])
def test_what_is_left_is_what_it_takes(share: float) -> None:
    """One kill, four clients (two are too few), eight seconds (four are too short): also where it
    fails in most runs only."""
    small = _shrunk(_needs_the_kill, share)
    assert small.ended
    assert (1, 4, 8.0) == small.plan.counts
    assert small.failed >= 2


def test_every_candidate_is_a_schedule_that_can_be_carried_out() -> None:
    """Whatever is left out, the steps stay in order and within the run."""
    told: list[Plan] = []
    _shrunk(_needs_the_kill, told=told)
    assert [] == [m for plan in told for m in mistakes_of(plan.faults, plan.trial.node_names)]
    assert all(plan.faults.duration_s <= plan.trial.time_limit_s for plan in told)


def test_what_hardly_ever_fails_is_not_shrunk() -> None:
    """Where the recorded schedule does not fail often enough, nothing could be told apart."""
    with pytest.raises(NotFailing, match="too few runs"):
        _shrunk(lambda _plan: False)


def test_an_interruption_keeps_the_best_so_far() -> None:
    """What was accepted before stands."""
    came = iter([_failing("p2c")] * 4)
    small = shrink_real.shrink(PLAN, "p2c", lambda _plan: next(came, INTERRUPTED))
    assert not small.ended
    assert 16.0 == small.plan.trial.time_limit_s


def test_a_budget_that_is_too_small_is_told() -> None:
    """Without a single accepted candidate there is no result."""
    with pytest.raises(NotFailing, match="--budget"):
        shrink_real.shrink(PLAN, "p2c", lambda _plan: VALID, budget_s=0.0)


# --- the command, on processes ---


def test_a_run_on_real_machines_is_repeated(tmp_path: Path) -> None:
    """By the schedule that it carried out, each time in a folder of its own."""
    settings = ("--nodes", "3", "--clients", "4", "--rate", "100", "--time-limit", "0.5")
    code, _, err = command.finished(
        tmp_path, "run", *settings, "--faults", "none", "--seed", "3", "--recovery", "0"
    )
    assert code in (Kind.VALID.exit_code, Kind.UNKNOWN.exit_code), err
    (first,) = (tmp_path / "work").glob("antipaxos-runs/paxos-register/2*")
    run = str(first)
    code, out, err = command.finished(tmp_path, "replay", run, "--times", "1", "--json")
    told = json.loads(out)
    (once,) = told["runs"]
    assert first != Path(once["folder"])
    assert (0, [0.0, 0.7935]) == (told["failed"], told["interval"]), err
    assert code in (Kind.VALID.exit_code, Kind.UNKNOWN.exit_code)
