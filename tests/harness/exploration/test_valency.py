"""Configurations by what they can still decide, and the three lemmas, on the protocols."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.exploration.cast import Cast
from harness.exploration.configuration import World
from harness.exploration.lemmas import (
    Pair,
    Unanswered,
    bivalent_input,
    commute,
    keeps_bivalence,
    trial_of_lemma_1,
)
from harness.exploration.protocols import GALLERY, Bits, Subject, bounded_world, free_world
from harness.exploration.stimuli import Stimuli
from harness.exploration.valency import (
    Graph,
    NotABit,
    Valency,
    counts,
    critical,
    helpless,
    valencies,
)
from harness.machine import Effect, Event, Recover, Trace

MIXED = (0, 1, 1)
FINITE = tuple(GALLERY)


@cache
def graph(name: str, bits: Bits) -> Graph:
    return Graph(bounded_world(GALLERY[name], bits))


@cache
def world(name: str) -> World:
    return free_world(GALLERY[name], MIXED)


class Teller:
    """Decides what it was built with, at once."""

    def __init__(self, *values: object) -> None:
        self.values = values

    def handle(self, event: Event, now: float) -> list[Effect]:
        del now
        if not isinstance(event, Recover):
            return []
        return [Trace("decide", {"value": value}) for value in self.values]


def telling(*values: object) -> Subject:
    return Subject(name="teller", build=lambda *_: Teller(*values), processes=2)


def reachable(space: Graph, start: int) -> Iterable[int]:
    """By forward search: the slow way to what valencies finds backwards."""
    seen, queue = {start}, [start]
    for number in queue:
        queue += [n for n in dict(space.edges[number]).values() if n not in seen]
        seen.update(queue)
    return seen


def test_t30_a_process_starts_with_a_bit_and_nobody_has_told_it_yet() -> None:
    """T30: one-bit inputs, undecided outputs, an empty buffer; the first step is one's own."""
    start = world("first-message")
    assert [] == start.in_flight(start.initial)
    assert () == start.decided(start.initial)
    assert {"n1", "n2", "n3"} == {start.actor(e) for e in start.applicable(start.initial)}


def test_t30_the_output_register_holds_a_bit_written_once() -> None:
    """T30: a decision is 0 or 1, and another one after it is a violation of agreement."""
    with pytest.raises(NotABit, match="n1 decided 2"):
        Graph(bounded_world(telling(2), (0, 0)))
    assert 0 < (Graph(bounded_world(telling(0, 1), (0, 0))).disagreement() or 0)
    assert Graph(bounded_world(telling(1, 1), (0, 0))).disagreement() is None


def test_t30_a_message_may_be_delayed_for_ever() -> None:
    """T30: whatever others do, a message that was not received can still be."""
    space = graph("ben-or", MIXED)
    stimuli = Stimuli(space.world)
    for number in range(0, len(space.edges), 97):
        possible = {stimuli.of(e) for e, _ in space.edges[number]}
        for event, after in space.edges[number]:
            left = {s for s in possible if s != stimuli.of(event) and s.kind == "receive"}
            assert left <= {stimuli.of(e) for e, _ in space.edges[after]}


def test_t31_a_schedule_applied_to_a_configuration_is_a_run() -> None:
    """T31: configurations are values: the same schedule leads to the same one, step by step the
    same as the processes themselves do."""
    space = graph("paxos", MIXED)
    last = len(space.configurations) - 1
    schedule = space.path(last)
    assert space.configurations[last] == space.world.run(space.world.initial, schedule)
    cast = Cast(GALLERY["paxos"], MIXED, Random(0))
    for event in schedule:
        cast.perform(space.world.event(event))
    in_flight = space.world.in_flight(space.configurations[last])
    assert sorted(map(repr, (m.message for m in in_flight))) == sorted(
        map(repr, (letter.message for letter in cast.letters))
    )


@pytest.mark.parametrize(
    ("name", "agrees"),
    [(name, name not in ("first-majority", "first-message")) for name in FINITE],
)
def test_t32_partial_correctness(name: str, agrees: bool) -> None:
    """T32: no accessible configuration with two decision values; both 0 and 1 possible."""
    spaces = [graph(name, bits) for bits in GALLERY[name].inputs()]
    assert agrees is all(space.disagreement() is None for space in spaces)
    possible = {value for space in spaces for value in space.decided}
    assert {Valency.ZERO, Valency.ONE} <= possible


@pytest.mark.parametrize("name", FINITE)
def test_unanimous_inputs_decide_their_bit(name: str) -> None:
    """Validity: nobody decides what nobody proposed."""
    for bit in (0, 1):
        assert {Valency.BARREN, Valency(1 << bit)} >= set(graph(name, (bit,) * 3).decided)


@pytest.mark.parametrize("name", FINITE)
def test_t33_valency_is_the_set_of_reachable_decisions(name: str) -> None:
    """T33: the labels, found backwards, against forward search from a sample of configurations."""
    space = graph(name, MIXED)
    labels = valencies(space)
    for number in range(0, len(labels), max(1, len(labels) // 8)):
        union = 0
        for reached in reachable(space, number):
            union |= space.decided[reached]
        assert Valency(union) is labels[number]


def test_t33_every_configuration_has_a_label() -> None:
    """T33: Paxos with a ballot each of n1 and n2: the counts, and that they are all."""
    labels = valencies(graph("paxos", (1, 0, 0)))
    found = counts(labels)
    assert {"barren": 0, "0-valent": 9457, "1-valent": 9055, "bivalent": 350} == found
    assert labels[0] is Valency.BIVALENT


def test_labels_need_the_whole_space() -> None:
    """Of a space that was not explored to its end no configuration is called univalent."""
    partial = Graph(bounded_world(GALLERY["paxos"], MIXED), limit=50)
    assert not partial.complete
    with pytest.raises(ValueError, match="not explored to its end"):
        valencies(partial)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(("ben-or", "paxos", "rotating-coordinator")), st.integers(0, 2**32))
def test_t34_lemma_1_disjoint_schedules_commute(name: str, seed: int) -> None:
    """T34: from any configuration, in either order, the same configuration."""
    assert trial_of_lemma_1(world(name), Random(seed))


def test_t34_schedules_of_one_process_need_not_commute() -> None:
    """Lemma 1 is about disjoint schedules: it is refused for others, and would be wrong."""
    at = world("first-message")
    middle = at.run(at.initial, [e for e in at.applicable(at.initial) if at.actor(e) != "n1"])
    to_n1 = [e for e in at.applicable(middle) if at.actor(e) == "n1" and "vote" in at.tell([e])[0]]
    with pytest.raises(ValueError, match="not disjoint: n1"):
        commute(at, middle, to_n1[:1], to_n1[1:])
    assert at.run(middle, to_n1) != at.run(middle, to_n1[::-1])


@pytest.mark.parametrize("name", ["first-majority", "first-message", "ben-or", "paxos"])
def test_t35_lemma_2_finds_the_bivalent_input(name: str) -> None:
    """T35: adjacent inputs that differ in one process; it fails; the rest decides from both."""
    found = bivalent_input(GALLERY[name])
    assert isinstance(found, Pair)
    differing = [a != b for a, b in zip(found.bits, found.adjacent, strict=True)]
    assert [found.process == name for name in ("n1", "n2", "n3")] == differing
    assert found.process not in {event.process for event in found.schedule}
    for bits, schedule, value in (
        (found.bits, found.schedule, found.value),
        (found.adjacent, found.schedule, found.value),
        (found.bivalent, found.other, 1 - found.value),
    ):
        cast = Cast(GALLERY[name], bits, Random(0))
        for event in schedule:
            cast.perform(event)
        assert {value} == set(cast.decisions.values())


def test_t35_without_tolerance_of_a_fault_no_input_is_bivalent() -> None:
    """T35: the premise that wait-for-all gives up is the one that the lemma's proof uses."""
    found = bivalent_input(GALLERY["wait-for-all"])
    assert isinstance(found, Unanswered)
    assert found.complete
    labels = (valencies(graph("wait-for-all", bits))[0] for bits in GALLERY["paxos"].inputs())
    assert Valency.BIVALENT not in labels


def slowly(space: Graph, labels: list[Valency]) -> tuple[int, int]:
    """Lemma 3 word by word: pairs, and those that fail."""
    stimuli = Stimuli(space.world)
    pairs = failing = 0
    for start in (n for n, label in enumerate(labels) if label is Valency.BIVALENT):
        for last in {stimuli.of(e) for e, _ in space.edges[start]}:
            seen, queue, ends = {start}, [start], False
            for number in queue:
                for event, after in space.edges[number]:
                    if stimuli.of(event) == last:
                        ends = ends or labels[after] is Valency.BIVALENT
                    elif after not in seen:
                        seen.add(after)
                        queue.append(after)
            pairs, failing = pairs + 1, failing + (not ends)
    return pairs, failing


@pytest.mark.parametrize("name", ["first-majority", "first-message", "rotating-coordinator"])
def test_t36_lemma_3_is_checked_for_every_bivalent_configuration_and_event(name: str) -> None:
    """T36: against the lemma word by word, a search for each pair."""
    space = graph(name, (1, 0, 0) if name != "first-majority" else MIXED)
    labels = valencies(space)
    found = keeps_bivalence(space, labels)
    assert slowly(space, labels) == (found.pairs, found.failing)


def test_t36_lemma_3_fails_where_a_premise_is_given_up() -> None:
    """T36: with ballots that run out a decision point exists, and some process is indispensable."""
    space = graph("paxos", (1, 0, 0))
    labels = valencies(space)
    found = keeps_bivalence(space, labels)
    assert (1317, 364) == (found.pairs, found.failing)
    at, passed = 0, [labels[0]]
    for event in found.example:
        at = next(n for e, n in space.edges[at] if space.world.event(e) == event)
        passed.append(labels[at])
    assert {Valency.BIVALENT} == set(passed[:-1])
    assert passed[-1] in (Valency.ZERO, Valency.ONE)
    assert 10 == len(critical(space, labels))
    assert 0 < len(helpless(space, "n1"))


def test_helpless_is_who_waits_for_one_process() -> None:
    """Everybody is indispensable to wait-for-all, nobody to first-message."""
    assert [0 in helpless(graph("wait-for-all", MIXED), p) for p in ("n1", "n2", "n3")] == [
        True
    ] * 3
    assert [] == helpless(graph("first-message", MIXED), "n1")
