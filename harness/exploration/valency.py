"""Valency: which decisions are still possible (T33), for every configuration of a finite space.

Rules
1. A configuration is bivalent if both decisions are reachable from it, 0-valent or 1-valent if one
   is, and barren if none is: a protocol that always decides has no barren ones.
2. Labels come backwards from the decisions over the whole graph, so they are exact. A space that
   was not explored to its end has none: what was not seen might decide either way.
3. A configuration in which 0 and 1 are both decided breaks agreement (T32).

Source: Fischer, Lynch and Paterson 1985, section 3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import IntEnum

from harness.exploration.configuration import Configuration, EventId, World


class Valency(IntEnum):
    """A set of decisions: bit v is set if v is reachable."""

    BARREN = 0
    ZERO = 1
    ONE = 2
    BIVALENT = 3

    @property
    def words(self) -> str:
        return ("barren", "0-valent", "1-valent", "bivalent")[self]


class NotABit(ValueError):
    """A process decided what is neither 0 nor 1."""

    def __init__(self, process: str, value: object) -> None:
        super().__init__(
            f"{process} decided {value!r}: the decision of a process is 0 or 1, told by "
            "Trace('decide', {'value': 0})"
        )


def decided(world: World, configuration: Configuration) -> Valency:
    """The decisions already made in a configuration, as a set. Raises NotABit."""
    found = 0
    for process, values in world.decisions(configuration).items():
        for value in values:
            if value not in (0, 1) or isinstance(value, float):
                raise NotABit(process, value)
            found |= 1 << value
    return Valency(found)


class Graph:
    """The configurations reachable from the initial one, numbered in the order of breadth-first
    search, with the events between them. Complete unless `limit` configurations were too few."""

    def __init__(self, world: World, limit: int | None = None) -> None:
        self.world = world
        self.configurations: list[Configuration] = [world.initial]
        self.edges: list[list[tuple[EventId, int]]] = []
        self.complete = True
        self._numbers = {world.initial: 0}
        self._parents: list[int] = [0]
        for number in self._numbered():
            if limit is not None and len(self.configurations) > limit:
                self.complete = False
                break
            self.edges.append([(e, self._number(c, number)) for e, c in self._moves(number)])
        known = len(self.edges)
        self.edges += [[] for _ in range(known, len(self.configurations))]
        self.decided = [decided(world, c) for c in self.configurations]

    def _numbered(self) -> Iterable[int]:
        number = 0
        while number < len(self.configurations):
            yield number
            number += 1

    def _moves(self, number: int) -> list[tuple[EventId, Configuration]]:
        return self.world.moves(self.configurations[number])

    def _number(self, configuration: Configuration, parent: int) -> int:
        number = self._numbers.get(configuration)
        if number is None:
            number = self._numbers[configuration] = len(self.configurations)
            self.configurations.append(configuration)
            self._parents.append(parent)
        return number

    def path(self, number: int) -> list[EventId]:
        """A shortest schedule to a configuration."""
        schedule = []
        while number:
            parent = self._parents[number]
            schedule.append(next(e for e, after in self.edges[parent] if after == number))
            number = parent
        return schedule[::-1]

    def predecessors(self) -> list[list[int]]:
        """By configuration: those from which one event leads to it."""
        found: list[list[int]] = [[] for _ in self.configurations]
        for number, edges in enumerate(self.edges):
            for _, after in edges:
                found[after].append(number)
        return found

    def disagreement(self) -> int | None:
        """The first configuration, by distance, in which both 0 and 1 are decided."""
        both = (n for n, values in enumerate(self.decided) if values is Valency.BIVALENT)
        return next(both, None)


def valencies(graph: Graph) -> list[Valency]:
    """The label of every configuration. Raises ValueError for a graph that is not complete."""
    if not graph.complete:
        raise ValueError("the space was not explored to its end: valencies need all of it")
    before = graph.predecessors()
    labels = [int(values) for values in graph.decided]
    for bit in (1, 2):
        reaching = [number for number, label in enumerate(labels) if label & bit]
        while reaching:
            for number in before[reaching.pop()]:
                if not labels[number] & bit:
                    labels[number] |= bit
                    reaching.append(number)
    return [Valency(label) for label in labels]


def counts(labels: Sequence[Valency]) -> dict[str, int]:
    """How many configurations have which label, by its words."""
    found = Counter(labels)
    return {valency.words: found[valency] for valency in Valency}


def critical(graph: Graph, labels: Sequence[Valency]) -> list[int]:
    """Bivalent configurations from which every event leads to a univalent one: where the decision
    is made. Lemma 3 says that a protocol as the theorem supposes it has none."""
    return [
        number
        for number, label in enumerate(labels)
        if label is Valency.BIVALENT
        and graph.edges[number]
        and all(labels[after] is not Valency.BIVALENT for _, after in graph.edges[number])
    ]


def helpless(graph: Graph, process: str) -> list[int]:
    """Configurations from which nobody can decide any more if `process` takes no further step: the
    protocol does not tolerate that fault there. Those in which it is decided already are none."""
    world = graph.world
    others: list[list[int]] = [[] for _ in graph.configurations]
    for number, edges in enumerate(graph.edges):
        for event, after in edges:
            if world.actor(event) != process:
                others[after].append(number)
    able = [bool(values) for values in graph.decided]
    reaching = [number for number, yes in enumerate(able) if yes]
    while reaching:
        for number in others[reaching.pop()]:
            if not able[number]:
                able[number] = True
                reaching.append(number)
    return [number for number, yes in enumerate(able) if not yes]
