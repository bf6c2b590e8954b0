"""A register that one node keeps for all: what a machine for the simulated cluster looks like."""

from collections.abc import Mapping, Sequence

from harness.machine import ClientRequest, Deliver, Effect, Event, Persist, Recover, Reply, Send


class Register:
    """`keeper` holds the values; the other nodes pass on to it what clients ask."""

    def __init__(self, name: str, keeper: str, early: bool) -> None:
        self._name, self._keeper, self._early = name, keeper, early
        self._held: dict[str, object] = {}

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        match event:
            case Recover():  # all that was persisted before a crash, in order
                self._held = dict(event.stored)
            case ClientRequest() if event.request["f"] == "status":
                return [Reply(event.id, {"ok": {"ready": True, "leading": self._is_keeper}})]
            case ClientRequest() if self._is_keeper:
                return self._serve(event.request, lambda answer: Reply(event.id, answer))
            case ClientRequest():
                return [Send(self._keeper, [event.id, event.request])]
            case Deliver(src, [number, request]) if self._is_keeper:
                return self._serve(request, lambda answer: Send(src, [number, answer]))
            case Deliver(_, [number, answer]):
                return [Reply(number, answer)]
        return []

    @property
    def _is_keeper(self) -> bool:
        return self._name == self._keeper

    def _serve(self, request: Mapping, told) -> Sequence[Effect]:
        if request["f"] == "get":
            return [told({"ok": self._held.get(request["key"])})]
        self._held[request["key"]] = request["value"]
        persist = Persist([request["key"], request["value"]])
        answer = told({"ok": None})  # behind the record it waits for the disk
        return [answer, persist] if self._early else [persist, answer]


def build(name: str, peers: Sequence[str], options: Mapping[str, str], **_: object) -> Register:
    """Called by name, also with `rng` (all its chance) and `workload`, which it does not need."""
    return Register(name, min(name, *peers), early=options["answers"] == "early")
