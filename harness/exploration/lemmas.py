"""The three lemmas of the impossibility proof, checked on protocols instead of proved of all.

Rules
1. Lemma 1 (T34): schedules of disjoint processes commute. It holds of every protocol in this model.
2. Lemma 2 (T35): there is a bivalent initial configuration. The proof is carried out: two inputs
   differ in one process; it stops before its first step; the others decide by a schedule that
   applies to both, so the input that leads to the other decision as well is bivalent.
3. Lemma 3 (T36): from a bivalent configuration, and for any event e, a bivalent one is reachable by
   a schedule that ends with e. It is checked for every bivalent configuration and every event. All
   configurations on the way to a bivalent one are bivalent, so the search stays among those.
4. Lemmas 2 and 3 suppose partial correctness, and that no single process is indispensable. A
   protocol for which one fails breaks a premise, and the failure shows where. In a finite space
   without a cycle Lemma 3 must fail: what is bivalent cannot remain so for ever.

Source: Fischer, Lynch and Paterson 1985, section 3.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random

import msgspec

from harness.exploration.configuration import Configuration, EventId, World
from harness.exploration.configuration import Event as WorldEvent
from harness.exploration.foresight import Foresight, Outlook
from harness.exploration.protocols import Bits, Subject, free_world
from harness.exploration.stimuli import Stimuli, Stimulus
from harness.exploration.valency import Graph, Valency


def commute(
    world: World,
    configuration: Configuration,
    first: Sequence[EventId],
    second: Sequence[EventId],
) -> bool:
    """Lemma 1 for two schedules, both applicable here. Raises ValueError if a process takes part in
    both, NotApplicable if after one the other no longer applies, which the lemma rules out."""
    shared = set(map(world.actor, first)) & set(map(world.actor, second))
    if shared:
        raise ValueError(f"the schedules are not disjoint: {', '.join(sorted(shared))}")
    one_way = world.run(world.run(configuration, first), second)
    return one_way == world.run(world.run(configuration, second), first)


def trial_of_lemma_1(world: World, rng: Random, steps_max: int = 8) -> bool:
    """Lemma 1 for two disjoint schedules drawn by chance from a configuration drawn by chance."""
    at = world.initial
    for _ in range(rng.randrange(2 * steps_max)):
        moves = world.moves(at)
        at = rng.choice(moves)[1] if moves else at
    names = list(world.system.processes)
    rng.shuffle(names)
    cut = rng.randrange(1, len(names))
    sides = (frozenset(names[:cut]), frozenset(names[cut:]))
    first, second = (_wander(world, at, side, rng, steps_max) for side in sides)
    return commute(world, at, first, second)


def _wander(
    world: World, at: Configuration, side: frozenset[str], rng: Random, steps_max: int
) -> list[EventId]:
    schedule = []
    for _ in range(rng.randrange(steps_max + 1)):
        moves = [(event, after) for event, after in world.moves(at) if world.actor(event) in side]
        if moves:
            event, at = rng.choice(moves)
            schedule.append(event)
    return schedule


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Lemma 2 at work. `bits` and `adjacent` differ in `process` alone. Without any step of it
    `schedule` decides `value` from both; from `bivalent`, one of them, `other` decides the other
    value."""

    bits: Bits
    adjacent: Bits
    process: str
    value: int
    schedule: tuple[WorldEvent, ...]
    bivalent: Bits
    other: tuple[WorldEvent, ...]


class Unanswered(msgspec.Struct, frozen=True):
    """Why Lemma 2 found nothing: for `bits` and `adjacent`, with different decisions possible, no
    decision is reached without `process`. `complete`: all configurations were looked at."""

    bits: Bits
    adjacent: Bits
    process: str
    complete: bool


def bivalent_input(subject: Subject) -> Pair | Unanswered | None:
    """Carry out the proof of Lemma 2 on the free form. None: no two adjacent inputs lead to
    different decisions, so the protocol always decides the same."""
    worlds = {bits: free_world(subject, bits) for bits in subject.inputs()}
    sights = {bits: Foresight(world) for bits, world in worlds.items()}
    sketches = {bits: sights[bits].sketch(world.initial) for bits, world in worlds.items()}
    found = _pair(subject, worlds, sights, sketches)
    if isinstance(found, Pair):
        return found
    outlooks = {bits: sights[bits].outlook(world.initial) for bits, world in worlds.items()}
    return _pair(subject, worlds, sights, outlooks)


def _pair(
    subject: Subject,
    worlds: Mapping[Bits, World],
    sights: Mapping[Bits, Foresight],
    outlooks: Mapping[Bits, Outlook],
) -> Pair | Unanswered | None:
    unanswered = None
    for bits, adjacent, process in _adjacent(subject):
        here, there = outlooks[bits].schedules, outlooks[adjacent].schedules
        if not any(v in here and 1 - v in there for v in (0, 1)):
            continue
        silent = sights[bits].without(worlds[bits].initial, process)
        for value, schedule in silent.schedules.items():
            events = _events(worlds[bits], schedule)
            assert value in _apply(worlds[adjacent], events), "it differs in who takes no step"
            found = adjacent if 1 - value in there else bits
            other = outlooks[found].schedules[1 - value]
            return Pair(
                bits=bits,
                adjacent=adjacent,
                process=process,
                value=value,
                schedule=events,
                bivalent=found,
                other=_events(worlds[found], other),
            )
        unanswered = Unanswered(bits, adjacent, process, silent.exhausted)
    return unanswered


def _adjacent(subject: Subject) -> Iterator[tuple[Bits, Bits, str]]:
    """Inputs that differ in the bit of one process, and which."""
    for bits in subject.inputs():
        for position, name in enumerate(subject.names):
            if bits[position] == 0:
                yield bits, (*bits[:position], 1, *bits[position + 1 :]), name


def _events(world: World, schedule: Iterable[EventId]) -> tuple[WorldEvent, ...]:
    return tuple(world.event(event) for event in schedule)


def _apply(world: World, events: Sequence[WorldEvent]) -> tuple[int, ...]:
    """The decisions after events that were found in another world."""
    at = world.initial
    for event in events:
        at = next(after for e, after in world.moves(at) if world.event(e) == event)
    return world.decided(at)


class Lemma3(msgspec.Struct, frozen=True, kw_only=True):
    """`pairs`: of a bivalent configuration and an event applicable to it. `failing`: those from
    which no bivalent configuration is reached by a schedule that ends with the event; `example`:
    the schedule to such a configuration, then the event."""

    pairs: int
    failing: int
    example: tuple[WorldEvent, ...] = ()


def keeps_bivalence(graph: Graph, labels: Sequence[Valency]) -> Lemma3:
    """Check Lemma 3 for every bivalent configuration of a complete space, and every event."""
    stimuli = Stimuli(graph.world)
    bivalent = [n for n, label in enumerate(labels) if label is Valency.BIVALENT]
    before: dict[int, list[tuple[Stimulus, int]]] = {n: [] for n in bivalent}
    applicable: dict[Stimulus, set[int]] = {}
    good: dict[Stimulus, set[int]] = {}
    for number in bivalent:
        for event, after in graph.edges[number]:
            stimulus = stimuli.of(event)
            applicable.setdefault(stimulus, set()).add(number)
            if labels[after] is Valency.BIVALENT:
                good.setdefault(stimulus, set()).add(number)
                before[after].append((stimulus, number))
    pairs = failing = 0
    example: tuple[int, Stimulus] | None = None
    for stimulus, numbers in applicable.items():
        pairs += len(numbers)
        stuck = numbers - _before(good.get(stimulus, set()), before, stimulus)
        failing += len(stuck)
        if stuck and (example is None or min(stuck) < example[0]):
            example = (min(stuck), stimulus)
    if example is None:
        return Lemma3(pairs=pairs, failing=failing)
    last = next(e for e, _ in graph.edges[example[0]] if stimuli.of(e) == example[1])
    events = _events(graph.world, [*graph.path(example[0]), last])
    return Lemma3(pairs=pairs, failing=failing, example=events)


def _before(
    good: set[int], before: dict[int, list[tuple[Stimulus, int]]], last: Stimulus
) -> set[int]:
    """The bivalent configurations from which one of `good` is reached without `last`."""
    found, queue = set(good), deque(good)
    while queue:
        for stimulus, number in before[queue.popleft()]:
            if stimulus != last and number not in found:
                found.add(number)
                queue.append(number)
    return found
