"""Worlds for tests, written by hand: what happened, one call an event."""

from __future__ import annotations

from random import Random
from typing import Any

from harness.worldlog import CLIENT, WorldEvent

MS = 1_000_000


class World:
    """Collects events; `at` moves the clock, messages get their ids in the order of sending."""

    def __init__(self) -> None:
        self.events: list[WorldEvent] = []
        self.now_ns = 0
        self._sent: list[WorldEvent] = []

    def at(self, time_ms: float) -> World:
        self.now_ns = round(time_ms * MS)
        return self

    def add(self, node: str, what: str, **fields: Any) -> WorldEvent:
        event = WorldEvent(self.now_ns, node, what, **fields)
        self.events.append(event)
        return event

    def send(self, src: str, to: str, kind: str, text: str = "") -> int:
        """The id of the message."""
        event = self.add(src, "send", to=to, id=len(self._sent), kind=kind, text=text)
        self._sent.append(event)
        return len(self._sent) - 1

    def lose(self, src: str, to: str, kind: str, text: str = "") -> None:
        message = self.send(src, to, kind, text)
        self.add(src, "lost", to=to, id=message)

    def receive(self, message: int) -> None:
        sent = self._sent[message]
        assert sent.to is not None
        self.add(sent.to, "receive", src=sent.node, id=message)

    def says(self, node: str, event: str, text: str = "") -> None:
        self.add(node, "event", event=event, text=text)


def synod() -> World:
    """One instance of single-decree Paxos: a client asks n1, a prepare to n3 is lost, an accept
    request arrives twice, n2 crashes and comes back, and an old accept request is late."""
    w = World()
    for node in ("n1", "n2", "n3"):
        w.add(node, "start", records=0)
    asked = w.at(1).send(CLIENT, "n1", "request", "propose r1 7")
    w.at(1.4).receive(asked)
    w.add("n1", "request", id=1, f="propose", key="r1", value=7, client=3)
    w.says("n1", "prepare", "1.n1 r1")
    prepare = w.send("n1", "n2", "prepare", "1.n1 r1")
    w.lose("n1", "n3", "prepare", "1.n1 r1")
    w.at(2.1).receive(prepare)
    w.add("n2", "persist", text="promised 1.n1 r1")
    w.says("n2", "promise", "1.n1 r1")
    promise = w.send("n2", "n1", "promise", "1.n1 r1")
    w.at(2.9).receive(promise)
    w.says("n1", "accept", "1.n1 r1 = 7")
    slow = w.send("n1", "n3", "accept", "1.n1 r1 = 7")
    accept = w.send("n1", "n2", "accept", "1.n1 r1 = 7")
    w.at(3.5).receive(accept)
    w.says("n2", "accepted", "1.n1 r1 = 7")
    accepted = w.send("n2", "n1", "accepted", "1.n1 r1 = 7")
    w.at(3.9).receive(accept)
    w.at(4.2).receive(accepted)
    w.says("n1", "chosen", "r1 = 7")
    w.add("n1", "reply", id=1, text="ok 7")
    answer = w.send("n1", CLIENT, "reply", "ok 7")
    told = w.send("n1", "n3", "chosen", "r1 = 7")
    w.at(4.8).receive(answer)
    w.at(5).add("n2", "crash", text="killed")
    w.at(5.1).receive(told)
    w.add("n3", "pause")
    w.at(905).add("n3", "resume")
    w.receive(slow)
    w.at(906).add("n2", "start", records=2)
    w.at(907).add("n1", "timeout", name="retry")
    w.send("n1", "n2", "query", "r1")
    return w


def busy(count: int = 2_000, seed: int = 1, nodes: int = 5) -> list[WorldEvent]:
    """At least `count` events of rounds in which one asks all others, and they answer."""
    rng, w = Random(seed), World()
    names = [f"n{i}" for i in range(1, nodes + 1)]
    turn = 0
    while len(w.events) < count:
        turn += 1
        leader, key = rng.choice(names), f"r{turn % 7}"
        w.now_ns += rng.choice((MS, 400 * MS))
        asked = w.send(CLIENT, leader, "request", f"put {key} {turn}")
        arrivals: list[tuple[int, int]] = []
        w.now_ns += rng.randrange(MS)
        w.receive(asked)
        w.add(leader, "request", id=turn, f="put", key=key, value=turn, client=turn % 4)
        w.says(leader, "accept", f"{turn}.{leader} {key} = {turn}")
        start_ns = w.now_ns
        for peer in names:
            if peer == leader:
                continue
            if rng.random() < 0.1:
                w.lose(leader, peer, "accept", f"{turn}.{leader} {key} = {turn}")
                continue
            message = w.send(leader, peer, "accept", f"{turn}.{leader} {key} = {turn}")
            times = range(rng.choice((1, 1, 1, 1, 2)))
            arrivals += [(start_ns + rng.randrange(MS // 2, 3 * MS), message) for _ in times]
        for time_ns, message in sorted(arrivals):
            w.now_ns = max(w.now_ns, time_ns)
            w.receive(message)
        w.says(leader, "chosen", f"{key} = {turn}")
        w.add(leader, "reply", id=turn, text="ok")
        w.receive(w.send(leader, CLIENT, "reply", "ok"))
    return w.events
