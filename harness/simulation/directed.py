"""A directed run: machines that see the events that they are told to see, one after the other.

Rules
1. Nothing happens by itself: no message arrives, no timer runs out, nobody crashes, unless a step
   says so. Time is the number of steps, in milliseconds.
2. A step that cannot happen is refused: a message that was not sent, a timer that is not set, a
   node that is down. A path that plays to its end is a run of these machines.
3. A record is on the disk as soon as it is persisted; a crash keeps them all.

So a path that an explorer found, which runs machines in its own way, is shown to be a run by other
means, with its story and its trace for the laws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from harness.brief import brief
from harness.machine import (
    CancelTimer,
    ClientRequest,
    Deliver,
    Event,
    Machine,
    Persist,
    Recover,
    Reply,
    Send,
    SetTimer,
    Timeout,
    Trace,
    Truncate,
)
from harness.steps import Asking, Crash, Delivery, Firing, Start, Step
from harness.worldlog import WorldEvent

MS = 1_000_000
Build = Callable[[str], Machine]


class StepError(ValueError):
    """A step cannot happen. The message says which and why."""


class Played(msgspec.Struct, frozen=True):
    """What a directed run left. `lines`: of the trace, as nodes would have written them; `replies`:
    to clients, in order, with the node that gave them."""

    lines: Sequence[bytes]
    world: Sequence[WorldEvent]
    replies: Sequence[tuple[str, Mapping[str, Any]]]


class _Host:
    def __init__(self) -> None:
        self.machine: Machine | None = None
        self.stored: list[bytes] = []
        self.timers: set[str] = set()


class Directed:
    """`build(name)`: a new machine for each life of a node. A node's first step is its Start."""

    def __init__(self, names: Sequence[str], build: Build) -> None:
        self._build = build
        self._hosts = {name: _Host() for name in names}
        self._sent: dict[tuple[str, str], list[tuple[int, bytes]]] = {}
        self._lines: list[bytes] = []
        self._world: list[WorldEvent] = []
        self._replies: list[tuple[str, Mapping[str, Any]]] = []
        self._at = self._messages = self._requests = 0

    def play(self, steps: Iterable[Step]) -> Played:
        """Take the steps. Raises StepError at the first that cannot happen."""
        for step in steps:
            self.take(step)
        return Played(self._lines, self._world, self._replies)

    def take(self, step: Step) -> None:
        """Take one step. Raises StepError."""
        host = self._hosts.get(step.node)
        if host is None:
            raise StepError(f"step {self._at}: there is no node {step.node!r}")
        self._at += 1
        match step:
            case Start():
                self._start(step.node, host)
            case Crash():
                self._alive(step, host)
                self._note(step.node, "crash", text="stopped")
                host.machine = None
                host.timers.clear()
            case Delivery():
                self._deliver(step, host)
            case Firing():
                self._fire(step, host)
            case Asking():
                self._ask(step, host)

    def _alive(self, step: Step, host: _Host) -> Machine:
        if host.machine is None:
            raise StepError(f"step {self._at - 1}: {step.node} is down and cannot {_verb(step)}")
        return host.machine

    def _start(self, name: str, host: _Host) -> None:
        if host.machine is not None:
            raise StepError(f"step {self._at - 1}: {name} runs already")
        self._note(name, "start", records=len(host.stored))
        host.machine = self._build(name)
        self._handle(name, host, Recover([msgspec.msgpack.decode(r) for r in host.stored]))

    def _deliver(self, step: Delivery, host: _Host) -> None:
        machine = self._alive(step, host)
        carried = self._sent.get((step.src, step.node), [])
        if step.number >= len(carried):
            raise StepError(
                f"step {self._at - 1}: {step.src} has sent {len(carried)} messages to {step.node}, "
                f"and number {step.number} (from 0) is to arrive"
            )
        id_, payload = carried[step.number]
        self._note(step.node, "receive", src=step.src, id=id_)
        types = getattr(machine, "messages", None)
        message = msgspec.msgpack.decode(payload, type=Any if types is None else types)
        self._handle(step.node, host, Deliver(step.src, message))

    def _fire(self, step: Firing, host: _Host) -> None:
        self._alive(step, host)
        if step.name not in host.timers:
            raise StepError(
                f"step {self._at - 1}: {step.node} has no timer {step.name!r}; it has "
                f"{', '.join(sorted(host.timers)) or 'none'}"
            )
        host.timers.discard(step.name)
        self._note(step.node, "timeout", name=step.name)
        self._handle(step.node, host, Timeout(step.name))

    def _ask(self, step: Asking, host: _Host) -> None:
        self._alive(step, host)
        self._requests += 1
        told = {name: step.request.get(name) for name in ("f", "key", "value")}
        self._note(step.node, "request", id=self._requests, client="client", **told)
        self._handle(step.node, host, ClientRequest(self._requests, step.request))

    def _handle(self, name: str, host: _Host, event: Event) -> None:
        assert host.machine is not None, "asked before"
        for effect in host.machine.handle(event, self._at / 1000):
            match effect:
                case Persist():
                    host.stored.append(msgspec.msgpack.encode(effect.record))
                case Truncate():
                    host.stored = [msgspec.msgpack.encode(record) for record in effect.records]
                case Send():
                    self._send(name, effect)
                case SetTimer():
                    host.timers.add(effect.name)
                case CancelTimer():
                    host.timers.discard(effect.name)
                case Reply():
                    self._replies.append((name, effect.response))
                    self._note(name, "reply", id=effect.id, text=brief(effect.response))
                case Trace():
                    self._trace(name, effect)

    def _send(self, src: str, effect: Send) -> None:
        self._messages += 1
        payload = msgspec.msgpack.encode(effect.message)
        self._sent.setdefault((src, effect.dst), []).append((self._messages, payload))
        kind = type(effect.message).__name__.lower()
        text = brief(effect.message)
        self._note(src, "send", to=effect.dst, id=self._messages, kind=kind, text=text)

    def _trace(self, name: str, effect: Trace) -> None:
        fields = {"time": self._at * MS, "node": name, "event": effect.event, **effect.fields}
        self._lines.append(msgspec.json.encode(fields))
        text = brief(effect.fields)
        self._note(name, "event", event=effect.event, text=text)

    def _note(self, node: str, what: str, **fields: Any) -> None:
        self._world.append(WorldEvent(time=self._at * MS, node=node, what=what, **fields))


def _verb(step: Step) -> str:
    return type(step).__struct_config__.tag  # type: ignore[return-value]
