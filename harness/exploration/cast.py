"""The cast: the processes of a protocol themselves, run once, without any memory of the explorer.

Rules
1. Whatever the explorer claims by a list of events can be played again here, on fresh machines;
   what cannot happen (a message that is not in flight, a timer that is not set) is refused.
2. Messages travel as a host would carry them: encoded, and back as plain values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

import msgspec

from harness.exploration.chance import FAIR_COIN
from harness.exploration.configuration import Event as WorldEvent
from harness.exploration.configuration import Firing, Nothing, Receipt
from harness.exploration.protocols import Bits, Subject
from harness.machine import (
    CancelTimer,
    Deliver,
    Detected,
    Effect,
    Event,
    Recover,
    Send,
    SetTimer,
    Timeout,
    Trace,
)


class Impossible(ValueError):
    """An event that cannot happen now."""


class Letter(NamedTuple):
    """A message in flight."""

    src: str
    dst: str
    message: Any


class Happening(NamedTuple):
    """One step: what came in (a letter, a timer's name or nothing), and what went out. `draws`:
    how lots fell, if that was told."""

    process: str
    letter: Letter | None
    timer: str | None
    sent: tuple[Letter, ...]
    told: tuple[Trace, ...]
    draws: tuple[int, ...] = ()

    @property
    def decision(self) -> Any:
        """The value decided in this step, or None."""
        made = (t.fields.get("value") for t in self.told if t.event == "decide")
        return next(made, None)


class Cast:
    """The free form of a protocol at an input. `letters` and `timers` are in the order of sending
    and setting; `decisions`: by process."""

    def __init__(self, subject: Subject, bits: Bits, rng: Random) -> None:
        self.names = subject.names
        self.letters: list[Letter] = []
        self.timers: list[tuple[str, str]] = []
        self.decisions: dict[str, Any] = {}
        self._machines = {name: subject.machine(name, bits, rng) for name in self.names}
        for name in self.names:
            self._step(name, Recover(()), None, None)

    def deliver(self, position: int) -> Happening:
        """The letter at a position arrives."""
        letter = self.letters.pop(position)
        return self._step(letter.dst, Deliver(letter.src, letter.message), letter, None)

    def fire(self, position: int) -> Happening:
        """The timer at a position runs out."""
        process, name = self.timers.pop(position)
        return self._step(process, Timeout(name), None, name)

    def tell(self, process: str, word: Detected) -> Happening:
        """The failure detector says something to a process."""
        return self._step(process, word, None, None)

    def perform(self, event: WorldEvent) -> Happening:
        """An event of the explorer; of equal letters the first is taken. Raises Impossible."""
        if isinstance(event, Nothing):
            return Happening(event.process, None, None, (), ())
        try:
            if isinstance(event, Receipt):
                letter = Letter(event.src, event.process, event.message)
                return self.deliver(self.letters.index(letter))
            if isinstance(event, Firing):
                return self.fire(self.timers.index((event.process, event.name)))
        except ValueError:
            raise Impossible(f"{event} cannot happen now: nothing such is waiting") from None
        raise Impossible(f"{type(event).__name__} has no part in a run without faults")

    def _step(
        self, process: str, event: Event, letter: Letter | None, timer: str | None
    ) -> Happening:
        sent, told = [], []
        for effect in self._machines[process].handle(event, 0.0):
            if isinstance(effect, Send):
                sent.append(Letter(process, effect.dst, _carried(effect.message)))
            elif isinstance(effect, Trace):
                told.append(effect)
            else:
                self._set(process, effect)
        self.letters += sent
        happening = Happening(process, letter, timer, tuple(sent), tuple(told))
        if happening.decision is not None:
            self.decisions.setdefault(process, happening.decision)
        return happening

    def _set(self, process: str, effect: Effect) -> None:
        if isinstance(effect, SetTimer | CancelTimer) and (process, effect.name) in self.timers:
            self.timers.remove((process, effect.name))
        if isinstance(effect, SetTimer):
            self.timers.append((process, effect.name))


class Lots(Random):
    """A generator that gives outcomes told beforehand: those of an event that is played again."""

    def __init__(self) -> None:
        super().__init__(0)
        self._outcomes: Iterator[int] = iter(())

    def tell(self, outcomes: tuple[int, ...]) -> None:
        self._outcomes = iter(outcomes)

    def _randbelow(self, n: int) -> int:
        return 0 if n == 1 else next(self._outcomes)

    def getrandbits(self, k: int, /) -> int:
        return next(self._outcomes) if k else 0

    def random(self) -> float:
        return FAIR_COIN[next(self._outcomes)]


def replayed(subject: Subject, bits: Bits) -> tuple[Cast, Callable[[WorldEvent], Happening]]:
    """A fresh cast, and what performs the events of a recorded run on it. Raises Impossible."""
    lots = Lots()
    cast = Cast(subject, bits, lots)

    def perform(event: WorldEvent) -> Happening:
        lots.tell(event.draws)
        return cast.perform(event)._replace(draws=event.draws)

    return cast, perform


def _carried(message: Any) -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(message))
