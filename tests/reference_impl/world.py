"""A small deterministic world for machines: seeded, with virtual time.

Rules
1. Messages are delayed, reordered, lost and duplicated, and pass through MessagePack as they do on
   the wire. Cut links lose everything.
2. A disk takes time. Effects behind a Persist wait for it, those of later events too; a crash in
   between keeps or loses the record, by chance, and everything behind it is gone.
3. A node that crashes keeps its disk and nothing else. Timers and effects of an earlier life never
   reach a later one.
4. Everything random comes from one generator: the same seed is the same run.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import msgspec

from checkers.trace import TraceEvent
from harness.machine import (
    CancelTimer,
    ClientRequest,
    Deliver,
    Effect,
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

Build = Callable[[str, Sequence[str], Random], Machine]
OnReply = Callable[[Mapping[str, Any]], None]


class Links(msgspec.Struct, frozen=True):
    """How the network treats a message. Delays in seconds."""

    lose: float = 0.0
    duplicate: float = 0.0
    delay_min_s: float = 0.0005
    delay_max_s: float = 0.003
    sync_max_s: float = 0.002


def wire(value: Any) -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value))


class Node:
    def __init__(self, name: str) -> None:
        self.name = name
        self.disk: list[Any] = []
        self.machine: Machine | None = None
        self.life = 0
        self.waiting: deque[Effect] = deque()  # effects behind a sync
        self.timers: dict[str, int] = {}  # name -> number of its last setting
        self.frozen: list[Event] | None = None  # events that wait while the node is paused


class World:
    """Nodes `names`, each running what `build(name, peers, rng)` returns."""

    def __init__(
        self, seed: int, names: Sequence[str], build: Build, links: Links | None = None
    ) -> None:
        self.rng = Random(seed)
        self.names = tuple(names)
        self.links = links or Links()
        self.build = build
        self.now = 0.0
        self.trace: list[TraceEvent] = []
        self.sent: dict[str, int] = {}
        self.nodes = {name: Node(name) for name in names}
        self.cut: set[tuple[str, str]] = set()
        self.drop: Callable[[str, str, Any], bool] = lambda _src, _dst, _message: False
        self.stalled: set[str] = set()  # nodes whose disks do not finish what they write
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._counter = itertools.count(1)
        self._replies: dict[int, OnReply] = {}

    # --- what tests do ---

    def start(self, *names: str) -> None:
        for name in names or self.names:
            node = self.nodes[name]
            assert node.machine is None, f"{name} runs already"
            node.life += 1
            peers = [n for n in self.names if n != name]
            node.machine = self.build(name, peers, Random(f"{self.rng.random()} {name}"))
            self._handle(node, Recover([wire(r) for r in node.disk]))

    def crash(self, *names: str) -> None:
        for name in names:
            node = self.nodes[name]
            while node.waiting and isinstance(node.waiting[0], Persist | Truncate):
                if self.rng.random() < 0.5:
                    break  # this write, and so every later one, did not reach the disk
                self._write(node, node.waiting.popleft())
            node.machine, node.frozen = None, None
            node.life += 1
            node.waiting.clear()
            node.timers.clear()

    def pause(self, name: str) -> None:
        self.nodes[name].frozen = []

    def resume(self, name: str) -> None:
        node = self.nodes[name]
        events, node.frozen = node.frozen or [], None
        for event in events:
            self._handle(node, event)

    def partition(self, *groups: Sequence[str]) -> None:
        """Nodes of different groups do not hear one another; who is in none hears nobody."""
        group_of = {name: i for i, group in enumerate(groups) for name in group}
        self.cut = {
            (a, b)
            for a in self.names
            for b in self.names
            if a != b and group_of.get(a, a) != group_of.get(b, b)
        }

    def heal(self) -> None:
        self.cut = set()

    def request(self, name: str, on_reply: OnReply, **request: Any) -> None:
        """Ask a node; a node that is down never answers."""
        number = next(self._counter)
        self._replies[number] = on_reply
        self._event(self.nodes[name], ClientRequest(number, request))

    def ask(self, name: str, within_s: float = 3.0, **request: Any) -> Mapping[str, Any]:
        """Ask and run until the answer is there; {} if it does not come in time."""
        answers: list[Mapping[str, Any]] = []
        self.request(name, answers.append, **request)
        self.run(within_s, until=lambda: bool(answers))
        return answers[0] if answers else {}

    def run(self, for_s: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let virtual time pass, or less if `until` becomes true."""
        end = self.now + for_s
        while self._events and self._events[0][0] <= end and not until():
            self.now, _, event = heapq.heappop(self._events)
            event()
        if not until():
            self.now = end

    def at(self, delay_s: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + delay_s, next(self._counter), do))

    def status(self, name: str) -> Mapping[str, Any]:
        return self.ask(name, f="status")["ok"]

    def leader(self) -> str | None:
        """The node that leads under the highest ballot."""
        up = [self.status(n) for n in self.names if self.nodes[n].machine is not None]
        leading = [s for s in up if s["leading"]]
        return max(leading, key=lambda s: s["ballot"])["node"] if leading else None

    def await_leader(self, within_s: float = 2.0) -> str:
        """Run until a node begins to lead; its name."""
        before = len(self.trace)
        self.run(within_s, until=lambda: any(e.event == "leader" for e in self.trace[before:]))
        leader = self.leader()
        assert leader is not None, f"nobody leads after {within_s} s"
        return leader

    # --- how the world goes ---

    def _event(self, node: Node, event: Event) -> None:
        if node.machine is None:
            return
        if node.frozen is not None:
            node.frozen.append(event)
        else:
            self._handle(node, event)

    def _handle(self, node: Node, event: Event) -> None:
        assert node.machine is not None
        for effect in node.machine.handle(event, self.now):
            if isinstance(effect, SetTimer):
                self._set_timer(node, effect)
            elif isinstance(effect, CancelTimer):
                node.timers.pop(effect.name, None)
            elif node.waiting or isinstance(effect, Persist | Truncate):
                node.waiting.append(effect)
                if len(node.waiting) == 1:
                    self._sync(node)
            else:
                self._carry_out(node, effect)

    def _sync(self, node: Node) -> None:
        life = node.life

        def done() -> None:
            if node.life == life and node.name not in self.stalled:
                self._write(node, node.waiting.popleft())
                while node.waiting and not isinstance(node.waiting[0], Persist | Truncate):
                    self._carry_out(node, node.waiting.popleft())
                if node.waiting:
                    self._sync(node)

        # Records written in one go share one sync, and so its time.
        self.at(self.rng.uniform(0, self.links.sync_max_s), done)

    def _write(self, node: Node, effect: Effect) -> None:
        if isinstance(effect, Truncate):
            node.disk = list(effect.records)
        elif isinstance(effect, Persist):
            node.disk.append(effect.record)

    def _carry_out(self, node: Node, effect: Effect) -> None:
        if isinstance(effect, Send):
            self._send(node.name, effect.dst, effect.message)
        elif isinstance(effect, Reply):
            self._replies.pop(effect.id, lambda _: None)(wire(effect.response))
        elif isinstance(effect, Trace):
            fields = {"time": int(self.now * 1e9), "node": node.name, "event": effect.event}
            event = msgspec.convert({**fields, **msgspec.to_builtins(effect.fields)}, TraceEvent)
            self.trace.append(event)

    def _send(self, src: str, dst: str, message: Any) -> None:
        kind = type(message).__name__.lower()
        self.sent[kind] = self.sent.get(kind, 0) + 1
        if (src, dst) in self.cut or self.drop(src, dst, message):
            return
        if self.rng.random() < self.links.lose:
            return
        copies = 2 if self.rng.random() < self.links.duplicate else 1
        received = wire(message)
        for _ in range(copies):
            delay_s = self.rng.uniform(self.links.delay_min_s, self.links.delay_max_s)
            if copies == 2 and self.rng.random() < 0.2:
                delay_s *= 100  # a straggler
            self.at(delay_s, lambda: self._event(self.nodes[dst], Deliver(src, received)))

    def _set_timer(self, node: Node, effect: SetTimer) -> None:
        number = node.timers[effect.name] = next(self._counter)

        def ring() -> None:
            if node.timers.get(effect.name) == number:
                del node.timers[effect.name]
                self._event(node, Timeout(effect.name))

        self.at(effect.delay_s, ring)
