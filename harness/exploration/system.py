"""Systems and events: what is explored, and what can happen in it.

Rules
1. A system is a set of named processes, each a machine of the contract (harness.machine), with
   what clients ask of it. Initial inputs are in the closure of `build`, or in `requests`.
2. An event e = (p, m) is one step of one process p: it receives a message, its timer fires, a
   client asks, it crashes or starts. Where the step draws lots their outcomes are part of the
   event: so an event applied to a configuration gives one configuration.
3. Asynchrony is not an event. A message may stay in flight for ever, which is also its loss; a
   timer may fire at any time while it is set. Only what costs a budget is limited.

Source: Fischer, Lynch and Paterson 1985, section 2. Their (p, nothing) is a timer that fires, or
Nothing: a machine without input does not move.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import msgspec

from harness.exploration.chance import FAIR_COIN
from harness.machine import Effect, Machine, Message, Trace


def decide_event(effect: Effect) -> Any:
    """The value in a Trace("decide", {"value": v}), else None."""
    if isinstance(effect, Trace) and effect.event == "decide":
        return effect.fields["value"]
    return None


def chosen_event(effect: Effect) -> Any:
    """The value in a Trace("chosen", {"value": v, ...}), else None: for Paxos with one instance."""
    if isinstance(effect, Trace) and effect.event == "chosen":
        return effect.fields["value"]
    return None


def every_timer(_name: str) -> bool:
    return True


class System(msgspec.Struct, frozen=True, kw_only=True):
    """What is explored. `build(name, rng)` makes the machine of a process; machines must be
    deep-copyable and use no randomness but `rng`.

    `requests`: what clients ask, by process, in this order. `decision`: the value that an effect
    writes into the output register of its process, or None; write-once, a second and different
    value breaks partial correctness. `fires`: may this timer fire (within the budget). `unseen`:
    "Class.attribute" names of state that no effect but a trace depends on. `detector`: crashes and
    starts are told to all other processes (Detected), some time later. `sides`: what random()
    may give."""

    processes: tuple[str, ...]
    build: Callable[[str, Random], Machine]
    requests: Mapping[str, Sequence[Mapping[str, Any]]] = {}
    decision: Callable[[Effect], Any] = decide_event
    fires: Callable[[str], bool] = every_timer
    unseen: frozenset[str] = frozenset()
    detector: bool = False
    sides: tuple[float, ...] = FAIR_COIN


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How often the costly may happen in one run, all processes together; None: without limit.
    Every configuration remembers what is spent, so that a bounded run is bounded."""

    timeouts: int | None = 0
    crashes: int | None = 0
    duplicates: int | None = 0


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    """`process` takes a step; `draws` are the outcomes of its lots, in order."""

    process: str
    draws: tuple[int, ...] = ()


class Receipt(_Event, frozen=True):
    """The process receives `message` from `src`. `again`: and a duplicate of it stays in flight."""

    src: str
    message: Message
    again: bool = False


class Word(_Event, frozen=True):
    """The failure detector tells the process that `node` has stopped, or is back."""

    node: str
    up: bool


class Firing(_Event, frozen=True):
    """The timer `name` of the process runs out."""

    name: str


class Asking(_Event, frozen=True):
    """A client asks the process: its `number`-th request, from 0."""

    number: int
    request: Mapping[str, Any]


class Crash(_Event, frozen=True):
    """The process stops; what it persisted stays."""


class Start(_Event, frozen=True):
    """The process begins another life: Recover with what it persisted."""


class Nothing(_Event, frozen=True):
    """The process takes a step without input: nothing changes. Never explored, always applicable;
    in runs it shows that a process is not faulty."""


Event = Receipt | Word | Firing | Asking | Crash | Start | Nothing


def describe(event: Event) -> str:
    """An event as a line of a story."""
    text = f"{event.process} {_what(event)}"
    return f"{text} (draws {', '.join(map(str, event.draws))})" if event.draws else text


def _what(event: Event) -> str:
    if isinstance(event, Receipt):
        stays = "; a duplicate stays in flight" if event.again else ""
        return f"receives {event.message!r} from {event.src}{stays}"
    if isinstance(event, Word):
        return f"hears from the detector that {event.node} {'is back' if event.up else 'stopped'}"
    if isinstance(event, Firing):
        return f"sees its timer {event.name!r} run out"
    if isinstance(event, Asking):
        return f"is asked {dict(event.request)!r}"
    if isinstance(event, Crash):
        return "crashes"
    if isinstance(event, Start):
        return "starts again"
    return "takes a step without input"
