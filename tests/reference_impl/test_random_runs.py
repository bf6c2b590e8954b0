"""Random runs with faults: the reference keeps every law, and each mutant breaks its own."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from checkers.budget import Budget
from checkers.laws import LAWS, breaches
from checkers.linearizability import Linearizable
from checkers.models import Consensus, Register
from checkers.verdict import Kind, Recording
from reference_impl.build import build_machine
from reference_impl.limits import Limits
from reference_impl.multipaxos import MultiPaxos
from reference_impl.mutants import CATALOGUE, Mutant
from reference_impl.rules import Rules
from tests.reference_impl.chaos import NAMES, Chaos, Plan

SMALL = Limits(snapshot_every_slots=60, retain_slots=30, snapshot_part_bytes=100)
# Laws that a trace may say nothing of: without refusals, or without a log.
NOT_ALWAYS_JUDGED = {"p1", "log-agreement", "state-equality"}
SEEDS_PER_MUTANT = 24
# Mutants that go wrong in any rough run; the others have their schedules in test_mutants_*.py.
COMMON = (
    "half-quorum",
    "duplicate-votes",
    "shared-ballots",
    "ignores-reports",
    "lowest-report",
    "accepts-below-promise",
    "promise-forgotten",
    "accepted-forgotten",
    "answer-before-fsync",
    "local-reads",
)


def record(workload: str, seed: int, mutant: str | None = None) -> Recording:
    """One run; learning, refusals and reads follow from the seed."""
    draw = Random(f"{seed} settings")
    settings: dict[str, Any] = {
        "learning": draw.choice(["all", "distinguished"]),
        "refusals": draw.random() < 0.7,
        "reads": draw.choice(["log", "quorum"]),
    }

    def build(name: str, peers: Sequence[str], rng: Random) -> Any:
        if workload == "consensus" or mutant is not None:
            protocol = "synod" if workload == "consensus" else "multipaxos"
            return build_machine(
                protocol, name=name, peers=peers, rng=rng, mutant=mutant, **settings
            )
        return MultiPaxos(name=name, peers=peers, rng=rng, rules=Rules(), limits=SMALL, **settings)

    return Chaos(seed, build, Plan(workload=workload)).run()


def broken(workload: str, recording: Recording) -> set[str]:
    """The names of the laws and checkers that the recording breaks."""
    model = Consensus() if workload == "consensus" else Register(compare_and_set=True)
    verdict = Linearizable(model, Budget(time_s=10)).check(recording)
    found = set(breaches(recording.trace, recording.nodes)[0])
    return found | ({"linearizable"} if verdict.kind is Kind.INVALID else set())


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("workload", ["register", "consensus"])
def test_the_reference_keeps_every_law(workload: str, seed: int) -> None:
    """T2, T13 to T23 over thousands of random steps: nothing is broken, all is judged, and at the
    end, with all faults gone, every key is read or decided."""
    recording = record(workload, seed)

    assert broken(workload, recording) == set()
    judged = set(breaches(recording.trace, NAMES)[1])
    assert {law.name for law in LAWS} - NOT_ALWAYS_JUDGED <= judged
    keys = {o.key for o in recording.history}
    last = [c for c in recording.history.calls()[-2 * len(keys) :] if c.outcome == "ok"]
    assert {c.key for c in last} == keys


@pytest.mark.parametrize("mutant", [m for m in CATALOGUE if m.name in COMMON], ids=lambda m: m.name)
def test_a_common_mutant_breaks_its_law_by_chance(mutant: Mutant) -> None:
    """What a mutant leaves out is necessary: within a few runs a checker of its entry sees it, and
    whatever else is broken follows from it."""
    for seed in range(SEEDS_PER_MUTANT):
        found = broken(mutant.workload, record(mutant.workload, seed, mutant.name))
        if found & set(mutant.caught_by):
            return
    pytest.fail(f"{mutant.name} was not caught in {SEEDS_PER_MUTANT} runs")


def test_a_run_is_a_function_of_its_seed() -> None:
    """The same seed gives the same trace, event by event; another seed another one."""
    one, again, other = (record("register", seed).trace for seed in (5, 5, 6))

    assert one == again
    assert one != other


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    """Rule of `build`: a name that does not exist is refused, with what was probably meant."""
    settings: dict[str, Any] = {
        "name": "n1",
        "peers": ["n2", "n3"],
        "rng": Random(1),
        "learning": "all",
        "refusals": True,
        "reads": "log",
        "mutant": None,
    }
    for protocol, wrong, hint in (
        ("synod", {"mutant": "half-qourum"}, "half-quorum"),
        ("synod", {"learning": "al"}, "'al'; did you mean all"),
        ("multipaxos", {"reads": "quorums"}, "quorum"),
        ("multi-paxos", {}, "multipaxos"),
    ):
        with pytest.raises(ValueError, match=hint):
            build_machine(protocol, **{**settings, **wrong})
