"""Single-decree Paxos, explored completely, and its mutants, caught by the shortest path."""

from __future__ import annotations

import functools
from collections import Counter
from random import Random

import msgspec
import pytest

from harness.exploration.configuration import Asking, Limits, World
from harness.exploration.paths import as_steps
from harness.exploration.properties import agreement, possible, termination, validity
from harness.exploration.reduction import search_asleep
from harness.exploration.search import Found, Outcome, search
from harness.exploration.symmetry import Symmetry
from harness.simulation.directed import Directed
from tests.harness.exploration.reference import synod

RULES = (agreement(), validity(["n1", "n2"]), possible("n1"), possible("n2"), termination())
HOLDS = [Outcome.HOLDS] * len(RULES)

# Two proposers, three acceptors (two of them the proposers' own nodes), one ballot each, acceptors
# answer the proposer's node, which tells the rest, and do not answer what they refuse.
CONFIGURATIONS = 84_295
# The same without receipts that only take a message away.
WITHOUT_MOOT = 14_219


Explored = tuple[World, Found]


@pytest.fixture(scope="module")
def explored() -> Explored:
    """The instance, searched once."""
    world = World(synod(3, 2))
    return world, search(world, RULES)


def outcomes(found: Found) -> list[Outcome]:
    return [judgement.outcome for judgement in found.judgements]


def test_two_proposers_and_three_acceptors_completely(explored: Explored) -> None:
    """Nothing but a proposed value is chosen, nothing but a single one, either may be, and with
    one ballot each every run ends with all of them knowing it: if no message stays in flight for
    ever, nobody outbids the higher of two ballots."""
    _, found = explored
    assert (CONFIGURATIONS, True, HOLDS) == (found.configurations, found.complete, outcomes(found))


def test_where_the_count_comes_from(explored: Explored) -> None:
    """Before anyone is asked there is one configuration. While only one proposer has been asked
    there are 164, the same number for each: a lone proposer's ballot meets nothing. The rest is the
    interleaving of two ballots. All of it rests on few local states: what multiplies is which of
    the messages have arrived."""
    world, _ = explored
    seen, frontier = {world.initial}, [world.initial]
    while frontier:
        for _, after in world.moves(frontier.pop()):
            if after not in seen:
                seen.add(after)
                frontier.append(after)
    asked = Counter(
        tuple(world.local(configuration, name).asked for name in ("n1", "n2"))
        for configuration in seen
    )
    assert {(0, 0): 1, (1, 0): 164, (0, 1): 164, (1, 1): 83_966} == asked
    states = {tuple(world.cells.known[cell].local for cell in c[:-1]) for c in seen}
    assert 1_339 == len(states)
    assert {0: 68, 1: 56, 2: 40} == Counter(state.process for state in world.processes.locals)


def test_a_lone_proposer_and_one_peer_by_hand() -> None:
    """Not asked; prepare on its way; promise; accept; accepted; chosen; learnt: seven."""
    assert 7 == search(World(synod(2, 1))).configurations


def test_reductions_find_the_same(explored: Explored) -> None:
    """The same verdicts from a sixth of the configurations, and from half the transitions."""
    world, plain = explored
    without_moot = World(synod(3, 2), moot=False)
    smaller = search(without_moot, RULES)
    asleep = search_asleep(world, RULES[:-1])
    assert (WITHOUT_MOOT, HOLDS) == (smaller.configurations, outcomes(smaller))
    assert (plain.configurations, plain.terminal) == (asleep.configurations, asleep.terminal)
    assert outcomes(plain)[:-1] == outcomes(asleep)
    assert asleep.transitions < 0.6 * plain.transitions


def test_acceptors_that_never_propose_are_interchangeable() -> None:
    """Three of them: at most six configurations are one, and nearly all are six."""
    world = World(synod(5, 1), moot=False)
    symmetric = search(world, RULES[:1], canonical=Symmetry(world, ("n3", "n4", "n5")))
    plain = search(world, RULES[:1])
    assert (19_345, 3_550) == (plain.configurations, symmetric.configurations)
    assert outcomes(plain) == outcomes(symmetric)


@pytest.mark.parametrize(
    ("nodes", "proposers", "limits"),
    [
        (2, 2, Limits(timeouts=2)),
        (2, 2, Limits(crashes=2)),
        (2, 2, Limits(duplicates=2)),
        (2, 2, Limits(timeouts=1, crashes=1, duplicates=1)),
        (3, 1, Limits(timeouts=1, crashes=1)),
    ],
    ids=str,
)
def test_agreement_survives_retries_crashes_and_duplicates(
    nodes: int, proposers: int, limits: Limits
) -> None:
    """Anywhere in a run, completely: T20 to T23 at work. A time-out sends a phase again, and the
    next begins another ballot. (Two proposers and three acceptors: benchmarks/exploration.py.)"""
    found = search(World(synod(nodes, proposers), limits, moot=False), RULES[:2])
    assert (True, [Outcome.HOLDS] * 2) == (found.complete, outcomes(found))


@functools.cache
def shortest_violation(mutant: str, limits: Limits) -> tuple[World, tuple[int, ...]]:
    """Of agreement, by a mutant."""
    world = World(synod(3, 2, mutant=mutant), limits, moot=False)
    judgement = search(world, RULES[:1], stop=True).of("agreement")
    assert Outcome.FAILS == judgement.outcome
    assert judgement.schedule is not None
    return world, judgement.schedule


@pytest.mark.parametrize(
    ("mutant", "events"),
    [
        ("half-quorum", 2),
        ("accepts-below-promise", 10),
        ("ignores-reports", 10),
        ("shared-ballots", 10),
    ],
)
def test_mutants_break_agreement_by_the_shortest_path(mutant: str, events: int) -> None:
    """Breadth-first there is no shorter one. With half a quorum each proposer decides alone; the
    others need two prepares and two accept requests to be delivered and answered, and two clients
    to ask."""
    world, schedule = shortest_violation(mutant, Limits())
    assert events == len(schedule)
    assert 2 == sum(isinstance(world.event(event), Asking) for event in schedule)
    assert {"n1", "n2"} == set(world.decided(world.run(world.initial, schedule)))


def test_t23_a_forgotten_promise_breaks_agreement_after_a_crash() -> None:
    """The schedule of the statement: one crash, of an acceptor that had promised."""
    world, schedule = shortest_violation("promise-forgotten", Limits(crashes=1))
    story = world.tell(schedule)
    assert (12, "n2 crashes", "n2 starts again") == (len(story), story[8], story[9])
    whole = search(World(synod(3, 2, mutant="promise-forgotten"), moot=False), RULES[:1])
    assert Outcome.HOLDS == whole.of("agreement").outcome


@pytest.mark.parametrize(
    ("mutant", "limits"),
    [
        ("half-quorum", Limits()),
        ("accepts-below-promise", Limits()),
        ("ignores-reports", Limits()),
        ("promise-forgotten", Limits(crashes=1)),
    ],
)
def test_a_path_is_a_run_in_the_simulator(mutant: str, limits: Limits) -> None:
    """Played as steps, by another host, it gets to the same two values."""
    world, schedule = shortest_violation(mutant, limits)
    directed = Directed(world.system.processes, lambda name: world.system.build(name, Random(1)))
    played = directed.play(as_steps(world, schedule))
    traced = map(msgspec.json.decode, played.lines)
    assert {"n1", "n2"} == {line["value"] for line in traced if line["event"] == "chosen"}
