"""The Paxos that Stateright's example checks, as machines: servers that are proposer and acceptor,
and clients that put a letter at one server and then get from the next.

Its rules, where they differ from the reference: one ballot number per server for both roles; a put
starts a ballot once; the proposer counts its own answers only; a chosen value is told to all, and
a server that knows it answers nothing but gets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from harness.exploration.configuration import System
from harness.machine import Deliver, Effect, Event, Machine, Recover, Send

SERVERS = ("s0", "s1", "s2")
CLIENTS = ("c3", "c4")
PUTS = {"c3": (3, "A", "s0"), "c4": (4, "B", "s1")}  # request, value, server
GETS = {"c3": (6, "s1"), "c4": (8, "s2")}
MAJORITY = 2


class Server:
    """Proposals are [request, client, value]; a promise reports [ballot, proposal] or None."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._ballot: tuple[int, str] = (0, "")
        self._proposal: tuple[Any, ...] | None = None
        self._promises: frozenset[tuple[str, Any]] = frozenset()
        self._accepts: frozenset[str] = frozenset()
        self._accepted: tuple[Any, ...] | None = None
        self._decided = False

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        if not isinstance(event, Deliver):
            return []
        kind, *content = _tuples(event.message)
        if self._decided:
            known = self._accepted[1][2] if self._accepted else None
            return [Send(event.src, ["got", content[0], known])] if kind == "get" else []
        handler = HANDLERS.get(kind)
        return [] if handler is None else handler(self, event.src, *content)

    def _tell(self, *message: Any) -> list[Effect]:
        return [Send(peer, list(message)) for peer in SERVERS if peer != self._name]

    def _put(self, src: str, request: int, value: str) -> list[Effect]:
        if self._proposal is not None:
            return []
        self._proposal = (request, src, value)
        self._ballot = (self._ballot[0] + 1, self._name)
        self._promises = frozenset({(self._name, self._accepted)})
        return self._tell("prepare", self._ballot)

    def _prepare(self, src: str, ballot: tuple[int, str]) -> list[Effect]:
        if self._ballot >= ballot:
            return []
        self._ballot = ballot
        return [Send(src, ["promise", ballot, self._accepted])]

    def _promise(self, src: str, ballot: tuple[int, str], report: Any) -> list[Effect]:
        if ballot != self._ballot:
            return []
        self._promises |= {(src, report)}
        if len(self._promises) != MAJORITY:
            return []
        reports = [report for _, report in self._promises if report is not None]
        if reports:
            self._proposal = max(reports)[1]
        self._accepted = (ballot, self._proposal)
        self._accepts = frozenset({self._name})
        return self._tell("accept", ballot, self._proposal)

    def _accept(self, src: str, ballot: tuple[int, str], proposal: Any) -> list[Effect]:
        if self._ballot > ballot:
            return []
        self._ballot, self._accepted = ballot, (ballot, proposal)
        return [Send(src, ["vote", ballot])]

    def _vote(self, src: str, ballot: tuple[int, str]) -> list[Effect]:
        if ballot != self._ballot:
            return []
        self._accepts |= {src}
        if len(self._accepts) != MAJORITY:
            return []
        self._decided = True
        assert self._proposal is not None
        request, client, _ = self._proposal
        done = Send(client, ["done", request])
        return [*self._tell("decided", ballot, self._proposal), done]

    def _learn(self, _src: str, ballot: tuple[int, str], proposal: Any) -> list[Effect]:
        self._ballot, self._accepted, self._decided = ballot, (ballot, proposal), True
        return []


HANDLERS: dict[str, Callable[..., list[Effect]]] = {
    "put": Server._put,
    "prepare": Server._prepare,
    "promise": Server._promise,
    "accept": Server._accept,
    "vote": Server._vote,
    "decided": Server._learn,
}


class Client:
    """Puts, and when that is done gets. `completed`: its operations that have returned."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.completed = 0
        self.value: str | None = None

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        if isinstance(event, Recover):
            request, value, server = PUTS[self._name]
            return [Send(server, ["put", request, value])]
        assert isinstance(event, Deliver)
        kind, request, *rest = event.message
        if kind == "done" and self.completed == 0 and request == PUTS[self._name][0]:
            self.completed = 1
            get, server = GETS[self._name]
            return [Send(server, ["get", get])]
        if kind == "got" and self.completed == 1:
            self.completed, self.value = 2, rest[0]
        return []


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def build(name: str, _rng: Random) -> Machine:
    return Client(name) if name in CLIENTS else Server(name)


REGISTER_PAXOS = System(processes=(*SERVERS, *CLIENTS), build=build)
