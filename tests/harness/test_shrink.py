"""Shrinking simulated failures: small, of the same law, and genuine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from statistics import median
from typing import Any

import msgspec
import pytest

from checkers.verdict import Kind
from harness import cases, smaller, swarm
from harness.cases import Case
from harness.settle import settle
from harness.shrink import NotFailing, Shrunk, breaks, broken_laws, shrink
from harness.simulate import simulate
from harness.smaller import counts

SETTINGS = {
    "cluster": "simulated",
    "nodes": 3,
    "clients": 4,
    "time_limit_s": 6.0,
    "rate": 30.0,
    "recovery_s": 0.5,
    "cluster_options": {"least_us": "200", "spread_us": "5000"},
}
# Mutants that break different laws, each with faults and a seed under which it does.
FOUND = {
    "ignores-reports": ("crashes", 1),
    "accepts-below-promise": ("partitions", 1),
    "half-quorum": ("partitions", 1),
    "forgets-last-record": ("crashes", 1),
    "local-reads": ("partitions", 3),
    "never-suspects": ("crashes", 2),
}
RUNS = 30  # of candidates, for each of them: a limit that is the same on any machine


@cache
def _failure(mutant: str) -> tuple[Case, str]:
    """A failing case of a mutant, and its law. Seeds are looked for anew where the reference has
    changed and draws otherwise."""
    faults, known = FOUND[mutant]
    for seed in (known, *range(1, 20)):
        given = {**SETTINGS, "faults": faults, "seed": seed, "options": {"mutant": mutant}}
        result = swarm.run(Case(trial=settle(None, given)))
        if isinstance(result, swarm.Found):
            return result.case, result.fingerprint.law
    raise AssertionError(f"{mutant} fails under none of these seeds")


@cache
def _shrunk(mutant: str) -> Shrunk:
    return _shrunk_in(RUNS, *_failure(mutant))


def _shrunk_in(limit: int, case: Case, law: str) -> Shrunk:
    runs = 0

    def told(_best: Case, carried_out: int) -> None:
        nonlocal runs
        runs = carried_out

    return shrink(case, law, time_limit_s=600.0, told=told, stopped=lambda: runs >= limit)


@pytest.mark.parametrize("mutant", FOUND)
def test_a_shrunk_case_is_genuine(mutant: str) -> None:
    """It breaks the law that was asked for, and the unbroken reference, in the very same world with
    the same faults and operations, breaks none: the mutant is at fault and not the world."""
    shrunk = _shrunk(mutant)
    assert shrunk.law in broken_laws(simulate(shrunk.case))
    trial = shrunk.case.trial
    options = {name: value for name, value in trial.options.items() if name != "mutant"}
    sound = msgspec.structs.replace(trial, options=options)
    assert () == broken_laws(simulate(msgspec.structs.replace(shrunk.case, trial=sound)))


def test_shrunk_cases_are_small() -> None:
    """To a fifth of their choices in the median, and each to less than it was."""
    shares = [_shrunk(mutant).after / _shrunk(mutant).before for mutant in FOUND]
    assert median(shares) <= 0.2
    assert max(shares) < 1


@pytest.mark.parametrize("mutant", FOUND)
def test_what_is_told_of_a_shrunk_case_is_so(mutant: str) -> None:
    """The counts are those of the case, and the messages those of its run."""
    shrunk = _shrunk(mutant)
    assert shrunk.case.size() == shrunk.after
    assert counts(shrunk.case) == shrunk.counts_after <= shrunk.counts_before
    assert simulate(shrunk.case).deliveries == shrunk.messages_after


@pytest.mark.parametrize("mutant", FOUND)
def test_a_shrunk_case_can_be_stored(mutant: str, tmp_path: Any) -> None:
    """What `cases.read` would refuse never comes out, and it is the same case when read."""
    case = _shrunk(mutant).case
    cases.write(tmp_path / "case.json", case)
    assert case == cases.read(tmp_path / "case.json")


def test_a_law_of_liveness_keeps_what_it_speaks_of() -> None:
    """The system has its time to recover, and every node that was asked in the end is asked: with
    less, any system could be made to look as if it did not recover."""
    case, law = _failure("never-suspects")
    assert "termination" == law
    original, small = simulate(case).explicit, _shrunk("never-suspects").case
    assert original.trial.recovery_s == small.trial.recovery_s
    assert _asked_at_last(original) == _asked_at_last(small)
    assert original.trial.nodes == small.trial.nodes


def _asked_at_last(case: Case) -> list[tuple[int, str, Any]]:
    nodes = case.trial.nodes
    return [(line.worker % nodes, line.f, line.key) for line in smaller.script_of(case).final]


def test_the_sound_reference_cannot_be_shrunk() -> None:
    """A run that breaks nothing is refused, and the sentence says so."""
    sound = settle(None, {**SETTINGS, "faults": "none", "time_limit_s": 1.0, "seed": 1})
    with pytest.raises(NotFailing, match="breaks nothing, and not p2c"):
        shrink(Case(trial=sound), "p2c")


def test_another_law_than_the_broken_ones_is_refused() -> None:
    """The law asked for decides: a case is not shrunk for one that it does not break."""
    case, _ = _failure("local-reads")
    with pytest.raises(NotFailing, match="and not p1"):
        shrink(case, "p1")


def test_a_stop_keeps_the_best_so_far() -> None:
    """Who is told to stop gives what there is, still failing, and says that more may go."""
    case, law = _failure("half-quorum")
    stopped = _shrunk_in(6, case, law)
    assert not stopped.ended
    assert 6 == stopped.runs
    assert stopped.after < stopped.before
    assert law in broken_laws(simulate(stopped.case))


def test_no_time_gives_the_case_as_it_was() -> None:
    """The case with all that it drew written down is the least that comes out."""
    case, law = _failure("half-quorum")
    none = shrink(case, law, time_limit_s=0.0)
    assert (1, False, none.before) == (none.runs, none.ended, none.after)
    assert law in broken_laws(simulate(none.case))


def test_the_same_case_shrinks_to_the_same() -> None:
    """Nothing in it is by chance: where the time suffices, the result is the same."""
    small = _shrunk("ignores-reports")
    first, second = (shrink(small.case, small.law, time_limit_s=600.0) for _ in range(2))
    assert first.ended
    assert first.case == second.case


def test_damage_to_disks_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """0 is not the plainest damage but the last record, which no node can tell from a torn write:
    with it, a sound system may forget what it promised."""
    case, law = _failure("half-quorum")
    explicit = simulate(case).explicit
    choices: Mapping[str, Any] = {**(explicit.choices or {}), "n1 damage": [5]}
    damaged = msgspec.structs.replace(explicit, choices=choices)

    # No run of this case draws from the stream, so its explicit form would not have it.
    monkeypatch.setattr("harness.simulate.Simulated.explicit", damaged)
    small = _shrunk_in(20, damaged, law)
    assert {"n1 damage": [5]} == {
        name: numbers for name, numbers in (small.case.choices or {}).items() if "damage" in name
    }


def test_judging_one_law_agrees_with_judging_all() -> None:
    """Whether one law is broken is the same whether or not the others are looked at."""
    for mutant in FOUND:
        case, _ = _failure(mutant)
        simulated = simulate(case)
        assert Kind.INVALID is simulated.verdict().kind
        broken = broken_laws(simulated)
        for law in ("p1", "p2c", "promise-kept", "quorum", "linearizable", "termination"):
            assert (law in broken) == breaks(simulated, law), (mutant, law)
