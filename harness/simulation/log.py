"""What the world did, kept in memory until it is written as world.jsonl (see harness.worldlog)."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.brief import brief
from harness.simulation.loop import VirtualLoop
from harness.worldlog import CLIENT, WorldEvent


class WorldLog:
    """`events`: so far, in order."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.origin_ns = 0  # of the run: times are counted from it
        self.events: list[WorldEvent] = []
        self._numbers = 0

    def begin(self, origin_ns: int) -> None:
        """Times are counted from here; those so far become negative."""
        by_ns, self.origin_ns = origin_ns - self.origin_ns, origin_ns
        self.events = [msgspec.structs.replace(e, time=e.time - by_ns) for e in self.events]

    def number(self) -> int:
        """A fresh id for a message."""
        self._numbers += 1
        return self._numbers

    def add(self, node: str, what: str, **fields: Any) -> None:
        time_ns = self._loop.now_ns - self.origin_ns
        self.events.append(WorldEvent(time=time_ns, node=node, what=what, **fields))

    def request(self, node: str, number: int, request: dict[str, Any]) -> None:
        f, key, value = request.get("f"), request.get("key"), request.get("value")
        self.add(node, "request", id=number, f=str(f), key=key, value=value, client=CLIENT)

    def reply(self, node: str, number: int, response: Any) -> None:
        self.add(node, "reply", id=number, text=brief(response))
