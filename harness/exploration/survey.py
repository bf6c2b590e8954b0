"""A survey: everything that can be said of a protocol, found out and kept as one value.

Rules
1. The bounded form is explored from every input; agreement, valencies and Lemma 3 are about it, and
   exact. Where the budget ended the exploration there are no labels, and `complete` says so.
2. Lemma 2, the adversary and chance work on the free form.
3. What is found depends on the arguments alone: the same survey twice is the same value.
"""

from __future__ import annotations

from random import Random

import msgspec

from harness.exploration.admissible import Report, examine
from harness.exploration.adversary import Run, keep_undecided
from harness.exploration.configuration import Event as WorldEvent
from harness.exploration.foresight import Foresight
from harness.exploration.lemmas import (
    Lemma3,
    Pair,
    Unanswered,
    bivalent_input,
    keeps_bivalence,
    trial_of_lemma_1,
)
from harness.exploration.odds import Odds, by_chance
from harness.exploration.protocols import Bits, Subject, bounded_world, free_world
from harness.exploration.relaxations import RELAXATIONS
from harness.exploration.valency import Graph, Valency, counts, critical, helpless, valencies

LEMMA_1_TRIALS = 200
RELAXED_STAGES_MIN = 120  # enough for the adversary to feel every relaxation


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """The configurations from one input. `labels`: how many are what, `initial`: what the first is,
    `critical`: bivalent ones whose every event decides, `helpless`: by process, those from which
    nobody can decide without it, `lemma3`; all None if the space was not explored to its end.
    `disagreement`: the shortest schedule to two decisions. `stuck_at_start`: the processes without
    which no decision is reached from the input itself."""

    bits: Bits
    configurations: int
    transitions: int
    complete: bool
    labels: dict[str, int] | None = None
    initial: str | None = None
    critical: int | None = None
    helpless: dict[str, int] | None = None
    lemma3: Lemma3 | None = None
    disagreement: tuple[WorldEvent, ...] | None = None
    stuck_at_start: tuple[str, ...] = ()


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """`lemma1`: how many of how many trials commuted. `duel`: the adversary against the free form,
    None if no bivalent input was found; `admissible`: the judgement of it. `relaxed`: the same
    adversary under each relaxation that the protocol can use."""

    protocol: str
    bound: str
    gives_up: str
    spaces: tuple[Space, ...]
    lemma1: tuple[int, int]
    lemma2: Pair | Unanswered | None
    duel: Run | None
    admissible: Report | None
    relaxed: tuple[Run, ...]
    odds: Odds

    @property
    def complete(self) -> bool:
        return all(space.complete for space in self.spaces)

    @property
    def configurations(self) -> int:
        return sum(space.configurations for space in self.spaces)

    @property
    def agreement(self) -> bool | None:
        """Does it hold; None: nothing was found in what was explored, and that was not all."""
        if any(space.disagreement is not None for space in self.spaces):
            return False
        return True if self.complete else None

    @property
    def worst(self) -> Space | None:
        """Where the schedule to two decisions is shortest."""
        broken = [space for space in self.spaces if space.disagreement is not None]
        return min(broken, key=lambda space: len(space.disagreement or ()), default=None)


def explore_spaces(subject: Subject, limit: int | None) -> tuple[Space, ...]:
    """The spaces of all inputs; `limit`: configurations for all of them together."""
    spaces, left = [], limit
    for bits in subject.inputs():
        space = _space(subject, bits, left)
        spaces.append(space)
        left = None if left is None else max(0, left - space.configurations)
    return tuple(spaces)


def _space(subject: Subject, bits: Bits, limit: int | None) -> Space:
    graph = Graph(bounded_world(subject, bits), limit)
    broken = graph.disagreement()
    events = None if broken is None else tuple(map(graph.world.event, graph.path(broken)))
    plain = Space(
        bits=bits,
        configurations=len(graph.configurations),
        transitions=sum(map(len, graph.edges)),
        complete=graph.complete,
        disagreement=events,
    )
    if not graph.complete:
        return plain
    labels = valencies(graph)
    stuck = {name: helpless(graph, name) for name in subject.names}
    return msgspec.structs.replace(
        plain,
        labels=counts(labels),
        initial=labels[0].words,
        critical=len(critical(graph, labels)),
        helpless={name: len(numbers) for name, numbers in stuck.items()},
        stuck_at_start=tuple(name for name, numbers in stuck.items() if 0 in numbers),
        lemma3=keeps_bivalence(graph, labels) if Valency.BIVALENT in labels else None,
    )


def _open_input(subject: Subject) -> Bits | None:
    """A bivalent input of a protocol that does not tolerate a fault, if there is one."""
    for bits in subject.inputs():
        world = free_world(subject, bits)
        if Foresight(world).sketch(world.initial).bivalent:
            return bits
    return None


def survey(subject: Subject, *, stages: int, runs: int, seed: int, limit: int | None) -> Survey:
    """`stages`: of the adversary; `runs`: by chance. Raises NotABit for a protocol that decides
    anything but 0 or 1."""
    spaces = explore_spaces(subject, limit)
    rng = Random(seed)
    world = bounded_world(subject, subject.inputs()[len(spaces) // 2 - 1])
    commuted = sum(trial_of_lemma_1(world, rng) for _ in range(LEMMA_1_TRIALS))
    pair = bivalent_input(subject)
    duel, relaxed = None, tuple[Run, ...]()
    bits = pair.bivalent if isinstance(pair, Pair) else _open_input(subject)
    if bits is not None:
        duel = keep_undecided(subject, bits, stages)
        names = tuple(RELAXATIONS) if subject.relaxations is None else subject.relaxations
        more = max(stages, RELAXED_STAGES_MIN)
        relaxed = tuple(
            keep_undecided(subject, bits, more, RELAXATIONS[name], Random(seed)) for name in names
        )
    return Survey(
        protocol=subject.name,
        bound=subject.bound,
        gives_up=subject.gives_up,
        spaces=spaces,
        lemma1=(commuted, LEMMA_1_TRIALS),
        lemma2=pair,
        duel=duel,
        admissible=None if duel is None else examine(subject, duel),
        relaxed=relaxed,
        odds=by_chance(subject, runs, seed),
    )
