"""Objects that serve the workloads at the instant of an invocation: correct ones, by workload.

A test breaks one by overriding a method, or by what it does around `act`.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from checkers.compose import check_all
from checkers.history import COMPARE_FAILED, Error, History, Operation
from checkers.verdict import Recording, Verdict
from harness.generators import phases, stagger, time_limit
from harness.generators.simulate import Response, simulate
from harness.workloads import workload

WORKERS = 6
LOAD_S = 3.0
Act = Callable[[Operation], tuple[Any, Any]]  # the outcome and the value


class Elements:
    """set, g-set, broadcast, queue and counter, by the names of their operations."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.held: dict[Any, list[Any]] = {}

    def act(self, o: Operation) -> tuple[Any, Any]:
        held = self.held.setdefault(o.key, [])
        if o.f in ("add", "broadcast", "enqueue"):
            held.append(o.value)
            return "ok", None
        if o.f == "dequeue":
            return "ok", held.pop(0) if held else None
        return "ok", list(held)


class Counter(Elements):
    def act(self, o: Operation) -> tuple[Any, Any]:
        outcome, value = super().act(o)
        return outcome, sum(value) if o.f == "read" else None


class Lock:
    """With tokens; held for ever, or for `ttl_s`."""

    def __init__(self, random: Random, ttl_s: float = float("inf")) -> None:
        self.random = random
        self.ttl_s = ttl_s
        self.tokens = 0
        self.holders: dict[Any, tuple[Any, float]] = {}

    def act(self, o: Operation) -> tuple[Any, Any]:
        holder, until = self.holders.get(o.key, (None, 0.0))
        if until <= o.time / 1e9:
            holder = None
        if o.f == "release":
            if holder != o.process:
                return "fail", None
            del self.holders[o.key]
            return "ok", None
        if holder is not None:
            return "fail", None
        self.tokens += 1
        self.holders[o.key] = (o.process, o.time / 1e9 + self.ttl_s)
        return "ok", {"token": self.tokens}


class Answers:
    """echo and unique-ids."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.given = 0

    def act(self, o: Operation) -> tuple[Any, Any]:
        self.given += 1
        return "ok", o.value if o.f == "echo" else f"id-{self.given}"


class Kafka:
    """`logs`: by name, the messages as [offset, value]."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.logs: dict[str, list[Any]] = {}
        self.committed: dict[str, int] = {}

    def act(self, o: Operation) -> tuple[Any, Any]:
        if o.f == "send":
            log = self.logs.setdefault(o.value[0], [])
            offset = log[-1][0] + self.random.randint(1, 3) if log else 0
            log.append([offset, o.value[1]])
            return "ok", [o.value[0], [offset, o.value[1]]]
        if o.f == "poll":
            return "ok", {log: self.messages(log, begin) for log, begin in o.value.items()}
        if o.f == "commit_offsets":
            for log, offset in o.value.items():
                self.committed[log] = max(offset, self.committed.get(log, 0))
            return "ok", None
        return "ok", {log: self.committed[log] for log in o.value if log in self.committed}

    def messages(self, log: str, begin: int) -> list[Any]:
        return [list(m) for m in self.logs.get(log, []) if m[0] >= begin][:20]


class Lists:
    """txn-list-append, one transaction after another."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.lists: dict[str, list[int]] = {}

    def act(self, o: Operation) -> tuple[Any, Any]:
        told = []
        for f, key, value in o.value:
            held = self.lists.setdefault(key, [])
            if f == "append":
                held.append(value)
            told.append([f, key, value if f == "append" else self.read(held)])
        return "ok", told

    def read(self, held: list[int]) -> list[int]:
        return list(held)


class Store:
    """watch: one revision for each write, over all keys."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.revision = 1
        self.events: list[dict[str, Any]] = []

    def act(self, o: Operation) -> tuple[Any, Any]:
        if o.f == "write":
            self.revision += 1
            event = {"revision": self.revision, "key": o.key, "value": o.value, "type": "put"}
            self.events.append(event)
            return "ok", {"revision": self.revision}
        mine = [event for event in self.events if event["key"] == o.key]
        if o.f == "read":
            last = mine[-1] if mine else {"value": None, "revision": None}
            return "ok", {"value": last["value"], "revision": last["revision"]}
        begin = self.revision if o.value["from"] is None else o.value["from"]
        told = [event for event in mine if event["revision"] > begin]
        return "ok", {"from": begin, "to": self.revision, "events": told}


# By workload: a correct object.
OBJECTS: dict[str, Callable[[Random], Any]] = {
    "set": Elements,
    "queue": Elements,
    "lock": Lock,
    "counter": Counter,
    "watch": Store,
    "echo": Answers,
    "unique-ids": Answers,
    "broadcast": Elements,
    "g-set": Elements,
    "kafka": Kafka,
    "txn-list-append": Lists,
}


def run(
    name: str,
    act: Act,
    options: dict[str, Any] | None = None,
    *,
    seed: int = 1,
    load_s: float = LOAD_S,
    unknown: float = 0.02,
) -> list[Operation]:
    """The history of the workload, its final phase included, against `act`, which acts at the
    instant of invocation; `unknown` of the operations have no known outcome. Worker i is at node
    n(i mod 3)."""

    def system(o: Operation, random: Random) -> Response:
        kind, value = act(o)
        if kind == "ok" and random.random() < unknown:
            return 50_000_000, "info", None
        return random.randrange(100_000, 3_000_000), kind, value

    w = workload(name, options)
    g = phases(time_limit(load_s, stagger(1 / 300, w.generator())), w.final_generator())
    operations = simulate(g, workers=WORKERS, seed=seed, system=system, operations_max=50_000)
    refused = Error(COMPARE_FAILED)
    return [
        msgspec.structs.replace(
            o, node=f"n{int(o.process) % 3}", error=refused if o.type == "fail" else None
        )
        for o in operations
    ]


def verdict(
    name: str, operations: list[Operation], options: dict[str, Any] | None = None
) -> Verdict:
    checkers = workload(name, options).checkers()
    return check_all(checkers, Recording(history=History(operations)))
