"""A replicated register: the first node decides, the others keep copies. It has a bug.

A machine without I/O (harness.machine): it gets events and answers with effects, so that the
simulated cluster can run it. Whatever node a client asks, writes and compare-and-sets are carried
to the primary, which stores them, answers, and tells the others. Reads are answered by

- `reads: local`: the node that was asked, from its copy, which may be behind: the bug;
- `reads: primary`: the primary.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from harness.machine import (
    ClientRequest,
    Deliver,
    Effect,
    Event,
    Persist,
    Recover,
    Reply,
    Send,
)


class Replica:
    def __init__(
        self,
        name: str,
        peers: Sequence[str],
        rng: Random,
        workload: str,  # noqa: ARG002 - the same machine serves them all
        options: Mapping[str, str],
    ) -> None:
        self.name, self.peers = name, peers
        self.primary = min(name, *peers)
        self.local_reads = options.get("reads", "local") == "local"
        self.life = rng.getrandbits(32)  # requests of two lives have different names
        self.values: dict[str, Any] = {}
        self.done: set[str] = set()  # a request that the network doubles is done once

    def handle(self, event: Event, now: float) -> list[Effect]:  # noqa: ARG002 - no timers
        if isinstance(event, Recover):
            for key, value, request in event.stored:
                self.values[key] = value
                self.done.add(request)
        elif isinstance(event, ClientRequest):
            asked = dict(event.request)
            if asked["f"] == "get" and self.local_reads:
                return [Reply(event.id, {"ok": self.values.get(asked["key"])})]
            name = f"{self.name}.{self.life}.{event.id}"
            return self.decide(self.name, event.id, name, asked)
        elif isinstance(event, Deliver):
            kind, *rest = event.message
            if kind == "ask":
                return self.decide(event.src, *rest)
            if kind == "answer":
                return [Reply(*rest)]
            key, value, request = rest
            self.values[key] = value
            return [Persist([key, value, request])]
        return []

    def decide(self, src: str, id_: int, request: str, asked: dict[str, Any]) -> list[Effect]:
        """Answer, here or at the primary."""
        if self.name != self.primary:
            return [Send(self.primary, ["ask", id_, request, asked])]
        if request in self.done:
            return []
        key, value = asked["key"], asked.get("value")
        now = self.values.get(key)
        effects: list[Effect] = []
        answer: dict[str, Any] = {"ok": now}
        if asked["f"] == "cas" and now != value[0]:
            answer = {"error": {"code": "compare-failed", "text": f"it is {now}"}}
        elif asked["f"] != "get":
            self.values[key] = value[1] if asked["f"] == "cas" else value
            self.done.add(request)
            effects.append(Persist([key, self.values[key], request]))
            effects += [Send(p, ["copy", key, self.values[key], request]) for p in self.peers]
        if src == self.name:
            return [*effects, Reply(id_, answer)]
        return [*effects, Send(src, ["answer", id_, answer])]
