"""A register that one node keeps for all; the others pass on what clients ask."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.machine import ClientRequest, Deliver, Effect, Event, Persist, Recover, Reply, Send


class Keeper:
    """`early`: it answers a write before its disk has it, which is the bug."""

    def __init__(self, name: str, peers: Sequence[str], early: bool = False) -> None:
        self.name, self.keeper, self.early = name, min(name, *peers), early
        self.held: dict[str, Any] = {}

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002 - no timers
        match event:
            case Recover():
                self.held = dict(event.stored)
            case ClientRequest() if event.request["f"] == "status":
                leads = self.name == self.keeper
                return [Reply(event.id, {"ok": {"ready": True, "leading": leads}})]
            case ClientRequest() if self.name == self.keeper:
                return self.serve(event.request, lambda answer: Reply(event.id, answer))
            case ClientRequest():
                return [Send(self.keeper, [event.id, event.request])]
            case Deliver(src, [number, request]) if self.name == self.keeper:
                return self.serve(request, lambda answer: Send(src, [number, answer]))
            case Deliver(_, [number, answer]):
                return [Reply(number, answer)]
        return []

    def serve(self, request: Mapping[str, Any], told: Any) -> Sequence[Effect]:
        """Operations come as the workload has them: read, write, cas."""
        key, value = request["key"], request.get("value")
        now = self.held.get(key)
        if request["f"] == "read":
            return [told({"ok": now})]
        if request["f"] == "cas":
            expected, value = value
            if now != expected:
                return [told({"error": {"code": "compare-failed", "text": f"it is {now}"}})]
        self.held[key] = value
        persist, answer = Persist([key, value]), told({"ok": None})
        return [answer, persist] if self.early else [persist, answer]


def build(name: str, peers: Sequence[str]) -> Keeper:
    return Keeper(name, peers)


def build_early(name: str, peers: Sequence[str]) -> Keeper:
    return Keeper(name, peers, early=True)
