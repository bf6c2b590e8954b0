"""Foresight: which decisions can still be reached from a configuration, each with a schedule.

Rules
1. A decision counts as reachable only with a schedule that reaches it, so "bivalent" is always
   proved, by two schedules. That a decision is not reachable is known only where the search saw
   every configuration (`exhausted`); else it is merely not found.
2. First likely runs are tried: a majority among itself, messages before time-outs, one process's
   time-outs before the others'. Then runs at random, then breadth-first as far as the budget goes.
   The order matters for time alone.

Where the number of configurations is infinite (Paxos without a limit of ballots) nothing else is
possible, and nothing else is needed: the adversary claims bivalence only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, combinations
from random import Random

import msgspec

from harness.exploration.configuration import Configuration, EventId, Schedule, World
from harness.exploration.protocols import WAKE
from harness.exploration.stimuli import RECEIVE, Stimuli, Stimulus
from harness.exploration.valency import Valency, decided

# Picks one of the events that are possible, or none: it goes no further.
_Choose = Callable[[dict[Stimulus, list[EventId]]], EventId | None]

PROBE_STEPS_MAX = 40
RANDOM_PROBES = 4
BREADTH_MAX = 300


class Outlook(msgspec.Struct, frozen=True):
    """`schedules`: by decision value, one that leads to it. `exhausted`: there are no others."""

    schedules: dict[int, tuple[EventId, ...]]
    exhausted: bool

    @property
    def bivalent(self) -> bool:
        return len(self.schedules) == 2


class Foresight:
    """What can be known of the future in a world. `breadth_max`: configurations for the search
    breadth-first from each configuration that is asked about."""

    def __init__(self, world: World, breadth_max: int = BREADTH_MAX) -> None:
        self._world, self._breadth_max = world, breadth_max
        self._stimuli = Stimuli(world)
        self._known: dict[Configuration, Outlook] = {}
        self._sketched: dict[Configuration, Outlook] = {}
        names = world.system.processes
        self._groups = [
            frozenset(group)
            for size in range(len(names) // 2 + 1, len(names) + 1)
            for group in combinations(names, size)
        ]

    def sketch(self, configuration: Configuration) -> Outlook:
        """What likely runs alone lead to: quick, and mostly both."""
        outlook = self._sketched.get(configuration)
        if outlook is None:
            found: dict[int, tuple[EventId, ...]] = {}
            self._try(configuration, self._habits(frozenset()), found, 2)
            outlook = Outlook(found, exhausted=len(found) == 2)
            self._sketched[configuration] = outlook
        return outlook

    def outlook(self, configuration: Configuration) -> Outlook:
        """The decisions reachable from here; both are sought."""
        found = self._known.get(configuration)
        if found is None:
            found = self._known[configuration] = self._look(configuration, frozenset(), 2)
        return found

    def without(self, configuration: Configuration, process: str) -> Outlook:
        """A decision that is reachable without any step of `process`; the first that is found."""
        return self._look(configuration, frozenset({process}), 1)

    def _look(self, start: Configuration, faulty: frozenset[str], enough: int) -> Outlook:
        found: dict[int, tuple[EventId, ...]] = {}
        whims = (_whim(faulty, Random(seed)) for seed in range(RANDOM_PROBES))
        self._try(start, chain(self._habits(faulty), whims), found, enough)
        exhausted = len(found) >= enough or self._breadth(start, faulty, found, enough)
        return Outlook(found, exhausted)

    def _try(
        self,
        start: Configuration,
        probes: Iterable[_Choose],
        found: dict[int, tuple[EventId, ...]],
        enough: int,
    ) -> None:
        self._note(found, start, ())
        for choose in probes:
            if len(found) >= enough:
                return
            self._follow(start, choose, found)

    def _note(
        self, found: dict[int, tuple[EventId, ...]], at: Configuration, path: Schedule
    ) -> bool:
        """Is something decided here?"""
        values = decided(self._world, at)
        for bit in (0, 1):
            if values >> bit & 1:
                found.setdefault(bit, tuple(path))
        return values is not Valency.BARREN

    # --- likely runs ---

    def _habits(self, faulty: frozenset[str]) -> Iterator[_Choose]:
        for group in self._groups:
            if not group & faulty:
                for favourite in sorted(group):
                    yield _habit(group, favourite, 0)
                    yield _habit(group, favourite, -1)

    def _follow(
        self, start: Configuration, choose: _Choose, found: dict[int, tuple[EventId, ...]]
    ) -> None:
        at, path = start, list[EventId]()
        for _ in range(PROBE_STEPS_MAX):
            chosen = choose(self._stimuli.applicable(at))
            if chosen is None:
                return
            path.append(chosen)
            at = self._world.apply(at, chosen)
            if self._note(found, at, path):
                return

    # --- all runs ---

    def _breadth(
        self,
        start: Configuration,
        faulty: frozenset[str],
        found: dict[int, tuple[EventId, ...]],
        enough: int,
    ) -> bool:
        """Look at up to `breadth_max` configurations. True if there are no more, or enough was
        found."""
        parents: dict[Configuration, tuple[Configuration, EventId] | None] = {start: None}
        queue = [start]
        for at in queue:
            if len(found) >= enough:
                return True
            for event, after in self._world.moves(at):
                if after in parents or self._world.actor(event) in faulty:
                    continue
                if len(parents) >= self._breadth_max:
                    return False
                parents[after] = (at, event)
                queue.append(after)
                if int(decided(self._world, after)) not in (0, *(1 << v for v in found)):
                    self._note(found, after, _path(parents, after))
        return True


def _path(
    parents: dict[Configuration, tuple[Configuration, EventId] | None], at: Configuration
) -> list[EventId]:
    path = []
    step = parents[at]
    while step is not None:
        at, event = step
        path.append(event)
        step = parents[at]
    return path[::-1]


def _habit(group: frozenset[str], favourite: str, side: int) -> _Choose:
    """Everybody of the group wakes, then messages within the group, then time-outs, those of the
    favourite first. `side`: which of the outcomes where lots are drawn."""

    def rank(stimulus: Stimulus) -> int:
        if stimulus.kind == RECEIVE:
            return 1 if stimulus.what in group else 4
        if stimulus.what == WAKE:
            return 0
        return 2 if stimulus.process == favourite else 3

    def choose(possible: dict[Stimulus, list[EventId]]) -> EventId | None:
        mine = [stimulus for stimulus in possible if stimulus.process in group]
        first = min(mine, key=rank, default=None)
        return None if first is None or rank(first) == 4 else possible[first][side]

    return choose


def _whim(faulty: frozenset[str], rng: Random) -> _Choose:
    """Any event, at random."""

    def choose(possible: dict[Stimulus, list[EventId]]) -> EventId | None:
        live = [stimulus for stimulus in possible if stimulus.process not in faulty]
        return rng.choice(possible[rng.choice(live)]) if live else None

    return choose
