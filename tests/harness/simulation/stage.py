"""A node with a stand-in for everything around it, and a machine that does what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from harness.machine import (
    Deliver,
    Effect,
    Event,
    Machine,
    Persist,
    Reply,
    Send,
    Trace,
    Truncate,
)
from harness.simulation.choices import Choices
from harness.simulation.disk import Disk
from harness.simulation.fence import Fence
from harness.simulation.links import Frame
from harness.simulation.loop import VirtualLoop
from harness.simulation.node import Node

Handler = Callable[["Puppet", Event], Sequence[Effect]]
OUTWARD = (Send, Reply, Trace)


class Puppet:
    """A machine that returns what its test says, and remembers what it returned."""

    def __init__(self, life: int, handler: Handler) -> None:
        self.life, self._handler = life, handler
        self.seen: list[Event] = []
        self.returned: list[Effect] = []

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        self.seen.append(event)
        effects = list(self._handler(self, event))
        self.returned += effects
        return effects


class Stage:
    """A node with a stand-in for everything around it. `out`: what left it, with what was on its
    disk then."""

    def __init__(self, handler: Handler, seed: int = 1) -> None:
        self.loop = VirtualLoop()
        self.out: list[tuple[Any, list[Any]]] = []
        self.told: list[bool] = []
        self.lives: list[Puppet] = []
        self._handler = handler
        self.disk = Disk("n1", Choices(seed))
        self.fence = Fence()
        self.node = Node(
            "n1",
            loop=self.loop,
            disk=self.disk,
            build=self._build,
            clients=self,
            trace=lambda _node, _event, fields: self._left(fields["label"]),
            fence=self.fence,
            log=None,
            told=lambda _, up: self.told.append(up),
        )
        self.node.links["peer"] = self  # type: ignore[assignment]
        self.closed = 0
        self.node.start()

    def _build(self, life: int) -> Machine:
        puppet = Puppet(life, self._handler)
        self.lives.append(puppet)
        return puppet

    def _left(self, label: Any) -> None:
        self.out.append((label, self.disk.read()))

    def send(self, frame: Frame) -> None:
        self._left(msgspec.msgpack.decode(frame.payload))

    def reply(self, number: int, response: Mapping[str, Any]) -> None:  # noqa: ARG002
        self._left(response["label"])

    def close(self) -> None:
        self.closed += 1

    def tell(self, what: Any) -> None:
        self.node.receive("peer", Frame(what, b""))

    def wait(self, us: float = 10_000) -> None:
        self.loop.run_until_complete(asyncio.sleep(us / 1e6))

    def end(self) -> None:
        self.loop.close()

    @property
    def labels(self) -> list[Any]:
        return [label for label, _ in self.out]


def labelled(puppet: Puppet, event: Event) -> list[Effect]:
    """To a message of letters: for each one effect, labelled with its life and place."""
    if not isinstance(event, Deliver):
        return []
    effects: list[Effect] = []
    for letter in event.message:
        label = [puppet.life, len(puppet.returned) + len(effects)]
        match letter:
            case "p":
                effects.append(Persist(label))
            case "t":
                effects.append(Truncate([label]))
            case "s":
                effects.append(Send("peer", label))
            case "r":
                effects.append(Reply(1, {"label": label}))
            case _:
                effects.append(Trace("event", {"label": label}))
    return effects
