"""Configurations: all local states and all messages in flight, and the events that lead on.

Rules
1. A configuration is a tuple of small integers: for each process the number of its cell, and last
   what has been spent of the limits. A cell is the local state of a process together with the
   messages on their way to it. Equal tuples are equal configurations, and the other way round.
2. An event changes the cell of its process, and adds messages to the cells of those it sends to.
   What an event does to each of these cells is computed once and remembered: a global step is a few
   look-ups. Additions to a cell commute, which is Lemma 1: events of different processes do.
3. The processes have started, with no records, before anything else happens.

Usage: `world = World(system, Limits(crashes=1))`, then from `world.initial` by `world.moves(c)`,
which gives pairs (event, configuration). Events are small integers too; `world.event(e)` tells.

Source: Fischer, Lynch and Paterson 1985, section 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from harness.exploration.cells import Cell, Cells, EventId, Move
from harness.exploration.process import Envelope, Local
from harness.exploration.system import (
    Asking,
    Crash,
    Event,
    Firing,
    Limits,
    Nothing,
    Receipt,
    Start,
    System,
    Word,
    chosen_event,
    decide_event,
    describe,
)

Configuration = tuple[int, ...]
Schedule = Sequence[EventId]

__all__ = [
    "Asking",
    "Cell",
    "Configuration",
    "Crash",
    "Envelope",
    "Event",
    "EventId",
    "Firing",
    "Limits",
    "Local",
    "Move",
    "NotApplicable",
    "Nothing",
    "Receipt",
    "Schedule",
    "Start",
    "System",
    "Word",
    "World",
    "chosen_event",
    "decide_event",
    "describe",
]


class NotApplicable(ValueError):
    """An event was applied to a configuration in which it cannot happen."""


class World:
    """The configurations of a system within limits, as they are discovered.

    `moot`: explore also receipts that change nothing but take the message (reduction, rule 1)."""

    def __init__(self, system: System, limits: Limits | None = None, *, moot: bool = True) -> None:
        self.system = system
        self.limits = Limits() if limits is None else limits
        self.cells = Cells(system, self.limits, moot)
        self.processes = self.cells.processes
        self._order = tuple(range(len(system.processes)))
        started = [self.processes.begin(p) for p in self._order]
        self.first_sent: tuple[int, ...] = tuple(m for outcome in started for m in outcome.sent)
        self.initial: Configuration = self._assemble([outcome.local for outcome in started])

    # --- what can happen ---

    def moves(self, configuration: Configuration) -> list[tuple[EventId, Configuration]]:
        """Every event applicable (Nothing aside), with the configuration that it leads to."""
        found = []
        table, join = self.cells.moves, self.cells.join
        spent = configuration[-1]
        for process in self._order:
            moves = table[configuration[process]]
            if moves is None:
                moves = self.cells.open(configuration[process])
            for event, cell, parcels, left, _ in moves:
                now_spent = left[spent]
                if now_spent < 0:
                    continue
                changed = list(configuration)
                changed[process] = cell
                changed[-1] = now_spent
                for parcel in parcels:
                    dst = parcel.dst
                    joined = parcel.table.get(changed[dst])
                    changed[dst] = join(parcel, changed[dst]) if joined is None else joined
                found.append((event, tuple(changed)))
        return found

    def possible(self, configuration: Configuration) -> list[Move]:
        """The same events, not yet applied: see `after`."""
        spent = configuration[-1]
        cells = self.cells
        return [m for c in configuration[:-1] for m in cells.open(c) if m.left[spent] >= 0]

    def after(self, configuration: Configuration, move: Move) -> Configuration:
        """The configuration that a move, possible here, leads to."""
        changed = list(configuration)
        changed[self.cells.actors[move.event]] = move.cell
        changed[-1] = move.left[configuration[-1]]
        for parcel in move.parcels:
            changed[parcel.dst] = self.cells.join(parcel, changed[parcel.dst])
        return tuple(changed)

    def applicable(self, configuration: Configuration) -> list[EventId]:
        """The events of `moves`."""
        return [event for event, _ in self.moves(configuration)]

    def apply(self, configuration: Configuration, event: EventId) -> Configuration:
        """e(C). Raises NotApplicable."""
        if event in self.cells.idle:
            return configuration
        return self.after(configuration, self.move(configuration, event))

    def run(self, configuration: Configuration, schedule: Iterable[EventId]) -> Configuration:
        """The configuration after a schedule. Raises NotApplicable."""
        for event in schedule:
            configuration = self.apply(configuration, event)
        return configuration

    def move(self, configuration: Configuration, event: EventId) -> Move:
        """How an event (not Nothing) happens here. Raises NotApplicable."""
        process = self.cells.actors[event]
        for move in self.cells.open(configuration[process]):
            if move.event == event and move.left[configuration[-1]] >= 0:
                return move
        raise NotApplicable(f"it cannot happen here that {describe(self.event(event))}")

    # --- what it means ---

    def event(self, event: EventId) -> Event:
        return self.cells.events[event]

    def actor(self, event: EventId) -> str:
        """The process that takes the step."""
        return self.system.processes[self.cells.actors[event]]

    def actor_index(self, event: EventId) -> int:
        return self.cells.actors[event]

    def nothing(self, process: str) -> EventId:
        """The event (p, nothing)."""
        return self.cells.idle[self.system.processes.index(process)]

    def local(self, configuration: Configuration, process: str) -> Local:
        """The local state of a process."""
        cell = self.cells.known[configuration[self.system.processes.index(process)]]
        return self.processes.locals[cell.local]

    def in_flight(self, configuration: Configuration) -> list[Envelope]:
        """Every message on its way, by receiver."""
        inboxes = (self.cells.known[cell].inbox for cell in configuration[:-1])
        return [self.processes.envelopes[m] for inbox in inboxes for m in inbox]

    def decisions(self, configuration: Configuration) -> dict[str, tuple[Any, ...]]:
        """What each output register was given: () undecided; two values are a violation."""
        return {
            name: self.processes.locals[self.cells.known[configuration[p]].local].decisions
            for p, name in self._named()
        }

    def decided(self, configuration: Configuration) -> tuple[Any, ...]:
        """The decision values of a configuration, each once."""
        values: dict[Any, None] = {}
        for decisions in self.decisions(configuration).values():
            values.update(dict.fromkeys(decisions))
        return tuple(values)

    def tell(self, schedule: Iterable[EventId]) -> list[str]:
        """A schedule as lines of a story."""
        return [describe(self.event(event)) for event in schedule]

    def _named(self) -> Iterable[tuple[int, str]]:
        return enumerate(self.system.processes)

    def _assemble(self, states: Sequence[int]) -> Configuration:
        inboxes: list[list[int]] = [[] for _ in states]
        for message in self.first_sent:
            inboxes[self.cells.dst(message)].append(message)
        return (*map(self.cells.cell, states, inboxes), 0)
