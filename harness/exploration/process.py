"""Processes: the states that single processes can be in, and their steps, each computed once.

Rules
1. A local state is everything that decides what a process does next: its machine, the timers set,
   what it has persisted, what it was asked, its output register, and whether it is up. Timers count
   only if they may fire, records only if there may be crashes.
2. Local states and messages are interned: small integers stand for them, equal ones for equal
   values. A step is a function of both (machines are deterministic), so it is remembered, and a
   machine is copied and run only the first time.
3. A message travels as the host would carry it: encoded as MessagePack and back, as instances of
   the machine's `messages` if it has such a type, dropped if it is none; records likewise.
4. All effects of a step happen at once. A crash between two effects of one step is not explored.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import msgspec

from harness.exploration.chance import Chance, UnboundedChoice
from harness.exploration.freezing import Frozen, freeze
from harness.exploration.system import Limits, System
from harness.machine import (
    CancelTimer,
    ClientRequest,
    Deliver,
    Detected,
    Effect,
    Event,
    Machine,
    Message,
    Persist,
    Record,
    Recover,
    Send,
    SetTimer,
    Timeout,
    Truncate,
)


class Local(NamedTuple):
    """The state of one process. `machine` is None while it is down, and must not be changed.
    `decisions`: the values its output register was given; more than one is a violation."""

    process: int
    machine: Machine | None
    timers: frozenset[str]
    stored: tuple[Record, ...]
    asked: int
    decisions: tuple[Any, ...]
    frozen: Frozen  # all of the above as one value


class Envelope(NamedTuple):
    """A message in flight, or (`word`) what the failure detector says of `src`: is it up?"""

    src: int
    dst: int
    message: Message
    word: bool = False


class Outcome(NamedTuple):
    """What a step led to: the local state, the messages sent in order, and what was drawn."""

    local: int
    sent: tuple[int, ...]
    draws: tuple[int, ...]


class Processes:
    """The local states of a system, as they are discovered."""

    def __init__(self, system: System, limits: Limits) -> None:
        self.system = system
        self.locals: list[Local] = []
        self.envelopes: list[Envelope] = []
        self.runs = 0  # how often a machine was really run
        self._index = {name: p for p, name in enumerate(system.processes)}
        self._timers_matter, self._crashes_matter = limits.timeouts != 0, limits.crashes != 0
        self._chance = Chance(system.sides)
        self._local_ids: dict[Frozen, int] = {}
        self._envelope_ids: dict[Frozen, int] = {}
        self._steps: dict[tuple[int, Hashable], tuple[Outcome, ...]] = {}

    def begin(self, process: int) -> Outcome:
        """The first start of a process, before anything happens."""
        nothing = Local(process, None, frozenset(), (), 0, (), None)
        outcomes = tuple(self._recover(nothing))
        if len(outcomes) != 1:
            name = self.system.processes[process]
            text = f"{name} draws lots when it is built or started first; draw on an event instead"
            raise UnboundedChoice(text)
        return outcomes[0]

    def receive(self, local: int, envelope: int) -> tuple[Outcome, ...]:
        """A message or a word of the detector arrives; it was for this process."""
        carried = self.envelopes[envelope]
        src = self.system.processes[carried.src]
        if carried.word:
            return self._step(local, ("word", envelope), Detected(src, carried.message))
        return self._step(local, ("receive", envelope), Deliver(src, carried.message))

    def fire(self, local: int, timer: str) -> tuple[Outcome, ...]:
        return self._step(local, ("fire", timer), Timeout(timer))

    def ask(self, local: int) -> tuple[Outcome, ...]:
        """The next request of a client; there must be one."""
        state = self.locals[local]
        request = self.system.requests[self.system.processes[state.process]][state.asked]
        return self._step(local, "ask", ClientRequest(state.asked, request))

    def crash(self, local: int) -> Outcome:
        state = self.locals[local]
        down = state._replace(machine=None, timers=frozenset())
        return Outcome(self._intern(down), self._words(state.process, False), ())

    def start(self, local: int) -> tuple[Outcome, ...]:
        key = (local, "start")
        if key not in self._steps:
            state = self.locals[local]
            words = self._words(state.process, True)
            self._steps[key] = tuple(
                outcome._replace(sent=words + outcome.sent) for outcome in self._recover(state)
            )
        return self._steps[key]

    def _words(self, process: int, up: bool) -> tuple[int, ...]:
        if not self.system.detector:
            return ()
        others = (p for p in range(len(self.system.processes)) if p != process)
        return tuple(self._envelope(Envelope(process, p, up, True)) for p in others)

    def _recover(self, state: Local) -> Sequence[Outcome]:
        name = self.system.processes[state.process]

        def live() -> tuple[Machine, Sequence[Effect]]:
            machine = self.system.build(name, self._chance)
            return machine, machine.handle(Recover(state.stored), 0.0)

        return self._branch(state, live)

    def _step(self, local: int, key: Hashable, event: Event) -> tuple[Outcome, ...]:
        known = self._steps.get((local, key))
        if known is None:
            known = self._steps[local, key] = tuple(self._handle(self.locals[local], event))
        return known

    def _handle(self, state: Local, event: Event) -> Sequence[Outcome]:
        assert state.machine is not None, "a process that is down takes no step"
        before = state.machine
        if isinstance(event, Timeout):
            state = state._replace(timers=state.timers - {event.name})
        elif isinstance(event, ClientRequest):
            state = state._replace(asked=state.asked + 1)

        def live() -> tuple[Machine, Sequence[Effect]]:
            machine = copy.deepcopy(before)
            arriving = self._arriving(machine, event)
            return machine, () if arriving is None else machine.handle(arriving, 0.0)

        return self._branch(state, live)

    def _arriving(self, machine: Machine, event: Event) -> Event | None:
        """The event as the machine sees it; None for a message that is none of its protocol's."""
        if not isinstance(event, Deliver):
            return event
        types = getattr(machine, "messages", None)
        if types is None:
            return Deliver(event.src, copy.deepcopy(event.message))
        try:
            return Deliver(event.src, msgspec.convert(event.message, types))
        except msgspec.ValidationError:
            return None

    def _branch(
        self, state: Local, live: Callable[[], tuple[Machine, Sequence[Effect]]]
    ) -> Sequence[Outcome]:
        outcomes = []
        for draws, (machine, effects) in self._chance.branches(live):
            self.runs += 1
            after, sent = self._carry_out(state._replace(machine=machine), effects)
            outcomes.append(Outcome(self._intern(after), sent, draws))
        return outcomes

    def _carry_out(self, state: Local, effects: Sequence[Effect]) -> tuple[Local, tuple[int, ...]]:
        timers, stored, decisions = set(state.timers), list(state.stored), list(state.decisions)
        sent = []
        for effect in effects:
            if isinstance(effect, Send):
                sent.append(self._post(state.process, effect))
            elif isinstance(effect, SetTimer):
                timers.add(effect.name)
            elif isinstance(effect, CancelTimer):
                timers.discard(effect.name)
            elif isinstance(effect, Persist):
                stored.append(_carried(effect.record))
            elif isinstance(effect, Truncate):
                stored = [_carried(record) for record in effect.records]
            value = self.system.decision(effect)
            if value is not None and value not in decisions:
                decisions.append(_register(value))
        changed = state._replace(
            timers=frozenset(filter(self.system.fires, timers))
            if self._timers_matter
            else frozenset(),
            stored=tuple(stored) if self._crashes_matter else (),
            decisions=tuple(decisions),
        )
        return changed, tuple(sent)

    def _post(self, src: int, effect: Send) -> int:
        dst = self._index.get(effect.dst)
        if dst is None:
            known = ", ".join(self.system.processes)
            name = self.system.processes[src]
            raise ValueError(f"{name} sends to {effect.dst!r}, which is no process: {known} are")
        return self._envelope(Envelope(src, dst, _carried(effect.message)))

    def _envelope(self, envelope: Envelope) -> int:
        key = freeze(tuple(envelope))
        if key not in self._envelope_ids:
            self._envelope_ids[key] = len(self.envelopes)
            self.envelopes.append(envelope)
        return self._envelope_ids[key]

    def _intern(self, state: Local) -> int:
        machine = freeze(state.machine, self.system.unseen)
        rest = freeze((state.stored, state.asked, state.decisions))
        frozen = (state.process, machine, state.timers, rest)
        if frozen not in self._local_ids:
            self._local_ids[frozen] = len(self.locals)
            self.locals.append(state._replace(frozen=frozen))
        return self._local_ids[frozen]


def _register(value: Any) -> Any:
    """What an output register may hold."""
    if not isinstance(value, Hashable):
        raise TypeError(
            f"a decision must be hashable, got {value!r}; let System.decision give, say, a tuple"
        )
    return value


def _carried(value: Any) -> Any:
    """As it arrives after being sent or stored."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value))
