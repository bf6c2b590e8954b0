"""Cells: a process with the messages on their way to it, and every step it can take from there.

Rules
1. A cell is a local state and an inbox, a multiset of messages. A step changes the cell of its
   process, and adds messages to other cells: a Move says which, once for all configurations.
2. Cells, events and parcels are interned; the steps from a cell are found when it is first asked
   for, and remembered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any, NamedTuple

import msgspec

from harness.exploration.process import Local, Outcome, Processes
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
)

EventId = int


class Cell(NamedTuple):
    """A local state and the messages on their way to it (numbers, sorted, each as often as it is
    in flight)."""

    local: int
    inbox: tuple[int, ...]


class Parcel:
    """Messages that one step sends to one process; `table`: cell before -> cell after."""

    __slots__ = ("dst", "messages", "table")

    def __init__(self, dst: int, messages: tuple[int, ...]) -> None:
        self.dst, self.messages = dst, messages
        self.table: dict[int, int] = {}


class Move(NamedTuple):
    """A step that a process can take from its cell: what becomes of the cell, and what is sent (in
    parcels, and in order). `left[spent]`: what is spent afterwards, negative where the limits
    forbid the step."""

    event: EventId
    cell: int
    parcels: tuple[Parcel, ...]
    left: Sequence[int]
    sent: tuple[int, ...]


class Cells:
    """The cells of a system within limits, as they are discovered."""

    def __init__(self, system: System, limits: Limits, moot: bool) -> None:
        self.system = system
        self.limits = limits
        self.processes = Processes(system, limits)
        self.known: list[Cell] = []
        self.moves: list[tuple[Move, ...] | None] = []  # by cell
        self.events: list[Event] = []
        self.actors: list[int] = []  # by event: the process that takes the step
        self.carried: dict[EventId, int] = {}  # by event that is a receipt: the message
        self.costly = 0  # the events that spend something, as bits
        self._moot = moot
        self._cell_ids: dict[Cell, int] = {}
        self._event_ids: dict[tuple[Any, ...], EventId] = {}
        self._parcels: dict[tuple[int, tuple[int, ...]], Parcel] = {}
        self._budget = _Budget(limits)
        free = self._budget.free
        self.idle = tuple(
            self._event_id(("nothing", p), Nothing(process=name), p, free)
            for p, name in enumerate(system.processes)
        )

    def cell(self, local: int, inbox: Iterable[int]) -> int:
        """The number of a cell."""
        cell = Cell(local, tuple(sorted(inbox)))
        if cell not in self._cell_ids:
            self._cell_ids[cell] = len(self.known)
            self.known.append(cell)
            self.moves.append(None)
        return self._cell_ids[cell]

    def dst(self, message: int) -> int:
        return self.processes.envelopes[message].dst

    def join(self, parcel: Parcel, cell: int) -> int:
        """The cell once the parcel is on its way to it."""
        if cell not in parcel.table:
            local, inbox = self.known[cell]
            parcel.table[cell] = self.cell(local, inbox + parcel.messages)
        return parcel.table[cell]

    def open(self, cell: int) -> tuple[Move, ...]:
        """Every step from a cell, budgets aside."""
        known = self.moves[cell]
        if known is not None:
            return known
        local, inbox = self.known[cell]
        state = self.processes.locals[local]
        moves = self._life(cell, state)
        if state.machine is not None:
            for position, message in enumerate(inbox):
                if position == 0 or inbox[position - 1] != message:
                    moves.extend(self._receipts(local, inbox, position))
            moves.extend(self._firings(cell, state))
        found = self.moves[cell] = tuple(moves)
        return found

    def _life(self, cell: int, state: Local) -> list[Move]:
        """Crash, start, and the requests of clients."""
        local, inbox = self.known[cell]
        name = self.system.processes[state.process]
        if state.machine is None:
            again = self.processes.start(local)
            return self._steps(Start(process=name), ("start",), again, inbox, self._budget.free)
        moves = []
        if self.limits.crashes != 0:
            down = (self.processes.crash(local),)
            moves += self._steps(Crash(process=name), ("crash",), down, inbox, self._budget.crash)
        requests = self.system.requests.get(name, ())
        if state.asked < len(requests):
            event = Asking(process=name, number=state.asked, request=requests[state.asked])
            outcomes = self.processes.ask(local)
            moves += self._steps(event, ("ask", state.asked), outcomes, inbox, self._budget.free)
        return moves

    def _firings(self, cell: int, state: Local) -> list[Move]:
        moves: list[Move] = []
        if self.limits.timeouts != 0:
            local, inbox = self.known[cell]
            for timer in sorted(state.timers):
                event = Firing(process=self.system.processes[state.process], name=timer)
                outcomes, left = self.processes.fire(local, timer), self._budget.timeout
                moves += self._steps(event, ("fire", timer), outcomes, inbox, left)
        return moves

    def _receipts(self, local: int, inbox: tuple[int, ...], position: int) -> list[Move]:
        message = inbox[position]
        src, dst, content, word = self.processes.envelopes[message]
        every = outcomes = self.processes.receive(local, message)
        if not self._moot:
            outcomes = tuple(o for o in every if o.local != local or o.sent)
        rest = inbox[:position] + inbox[position + 1 :]
        name, src_name = self.system.processes[dst], self.system.processes[src]
        if word:
            told = Word(process=name, node=src_name, up=content)
            return self._steps(told, ("word", message), outcomes, rest, self._budget.free)
        event = Receipt(process=name, src=src_name, message=content)
        moves = self._steps(event, ("receive", message), outcomes, rest, self._budget.free)
        if self.limits.duplicates != 0:
            twice = Receipt(process=name, src=src_name, message=content, again=True)
            key, left = ("again", message), self._budget.duplicate
            # Without a limit a moot duplicate is a cycle: a run may last for ever on nothing else.
            endless = self.limits.duplicates is None
            moves += self._steps(twice, key, every if endless else outcomes, inbox, left)
        return moves

    def _steps(
        self,
        event: Event,
        key: tuple[Any, ...],
        outcomes: Iterable[Outcome],
        inbox: tuple[int, ...],
        left: Sequence[int],
    ) -> list[Move]:
        process = self.system.processes.index(event.process)
        moves = []
        for local, sent, draws in outcomes:
            drawn = _with_draws(event, draws)
            number = self._event_id((process, *key, draws), drawn, process, left)
            own = tuple(m for m in sent if self.dst(m) == process)
            cell = self.cell(local, inbox + own)
            moves.append(Move(number, cell, self._pack(process, sent), left, sent))
        return moves

    def _pack(self, src: int, sent: tuple[int, ...]) -> tuple[Parcel, ...]:
        by_dst: dict[int, list[int]] = {}
        for message in sent:
            dst = self.dst(message)
            if dst != src:
                by_dst.setdefault(dst, []).append(message)
        parcels = []
        for dst, messages in sorted(by_dst.items()):
            key = (dst, tuple(sorted(messages)))
            if key not in self._parcels:
                self._parcels[key] = Parcel(*key)
            parcels.append(self._parcels[key])
        return tuple(parcels)

    def _event_id(
        self, key: tuple[Any, ...], event: Event, actor: int, left: Sequence[int]
    ) -> EventId:
        if key not in self._event_ids:
            self._event_ids[key] = len(self.events)
            if left is not self._budget.free:
                self.costly |= 1 << len(self.events)
            if isinstance(event, Receipt):
                self.carried[len(self.events)] = key[2]
            self.events.append(event)
            self.actors.append(actor)
        return self._event_ids[key]


def _with_draws(event: Event, draws: tuple[int, ...]) -> Event:
    if not draws:
        return event
    return msgspec.structs.replace(event, draws=draws)


class _Budget:
    """What may be spent, as tables: `crash[spent]` is what is spent after one more crash, or -1."""

    def __init__(self, limits: Limits) -> None:
        bounds = (limits.timeouts, limits.crashes, limits.duplicates)
        states = list(product(*(range((bound or 0) + 1) for bound in bounds)))
        numbers = {state: number for number, state in enumerate(states)}
        self.free: Sequence[int] = list(range(len(states)))
        tables = []
        for position, bound in enumerate(bounds):
            table = []
            for state in states:
                after = (*state[:position], state[position] + 1, *state[position + 1 :])
                table.append(numbers.get(after, -1))
            tables.append(self.free if bound is None else table)
        self.timeout, self.crash, self.duplicate = tables
        self.states = states
