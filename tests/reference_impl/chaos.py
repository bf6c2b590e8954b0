"""Random runs of a world: clients that ask, faults that come and go, and what they recorded.

One client process has one request open; one whose answer does not come in time, or is indefinite,
ends as info and goes on under a new process number. Faults stop before the end, and every key is
read, or proposed to, once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Any

import msgspec

from checkers.history import Error, History, Operation
from checkers.verdict import Recording
from tests.reference_impl.world import Build, Links, World

NAMES = ("n1", "n2", "n3", "n4", "n5")
DEFINITE = {"compare-failed", "no-leader", "overloaded", "malformed", "unsupported"}
CLIENT_TIMEOUT_S = 1.5
CALLS = {"read": "get", "write": "put", "cas": "cas", "propose": "propose", "learn": "learn"}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`faults`: kinds drawn from; each comes after `fault_every_s` and stays about as long.
    `retries`: how often a client whose command has no certain outcome sends it again, elsewhere, as
    the same command of its session."""

    workload: str = "register"
    clients: int = 6
    seconds: float = 6.0
    keys: int = 3
    think_s: float = 0.02
    retries: int = 0
    fault_every_s: float = 0.8
    faults: tuple[str, ...] = ("partition", "kill", "pause")
    links: Links = Links(lose=0.01, duplicate=0.02)


class Chaos:
    """One run. `world.trace` and `history()` are what it leaves."""

    def __init__(self, seed: int, build: Build, plan: Plan) -> None:
        self.plan = plan
        self.world = World(seed, NAMES, build, plan.links)
        self.rng = Random(f"{seed} chaos")
        self.operations: list[Operation] = []
        self.values = 0
        self.processes = plan.clients
        self.commands: Counter[int] = Counter()
        self.over = False

    def run(self) -> Recording:
        world, plan = self.world, self.plan
        world.start()
        for client in range(plan.clients):
            world.at(0.3 + self.rng.random() * 0.1, lambda c=client: self._next(c, c))
        if plan.faults:
            world.at(0.5, self._fault)
        world.run(plan.seconds)
        self.over = True
        self._repair()
        world.run(3.0)
        self._last_words()
        return Recording(history=History(self.operations), trace=world.trace, nodes=NAMES)

    # --- clients ---

    def _record(self, process: int, kind: Any, request: Mapping[str, Any], **more: Any) -> None:
        self.operations.append(
            Operation(
                index=len(self.operations),
                time=int(self.world.now * 1e9),
                process=process,
                type=kind,
                f=request["f"],
                key=request["key"],
                **more,
            )
        )

    def _next(self, client: int, process: int) -> None:
        if not self.over:
            self._invoke(client, process, self._draw(), self.rng.choice(NAMES))

    def _draw(self) -> dict[str, Any]:
        key = f"k{self.rng.randrange(self.plan.keys)}"
        if self.plan.workload == "consensus":
            # Keys come into use one after another: each is fought for, then asked again later.
            newest = int(self.world.now * 4 * self.plan.keys)
            key = f"k{max(0, newest - self.rng.choice([0, 0, 0, 1, 2, 5]))}"
            return {"f": "propose", "key": key, "value": self._fresh()}
        draw = self.rng.random()
        if draw < 0.4:
            return {"f": "read", "key": key, "value": None}
        if draw < 0.6:
            return {"f": "cas", "key": key, "value": [self.values or None, self._fresh()]}
        return {"f": "write", "key": key, "value": self._fresh()}

    def _fresh(self) -> int:
        self.values += 1
        return self.values

    def _invoke(self, client: int, process: int, request: dict[str, Any], node: str) -> None:
        answered = doubtful = False
        asked = {**request, "f": CALLS[request["f"]]}
        if self.plan.retries:
            self.commands[process] += 1
            asked |= {"session": f"s{process}", "seq": self.commands[process]}

        def send(node: str, retries: int) -> None:
            def answer(response: Mapping[str, Any] | None) -> None:
                nonlocal doubtful
                if answered:
                    return
                if retries and not _is_certain(response):
                    doubtful = True
                    send(self.rng.choice(NAMES), retries - 1)
                elif doubtful and not _is_of_the_log(response):
                    finish(None)  # this copy was turned away: an earlier one may be under way
                else:
                    finish(response)

            self.world.at(CLIENT_TIMEOUT_S, lambda: answer(None))
            self.world.request(node, answer, **asked)

        def finish(response: Mapping[str, Any] | None) -> None:
            nonlocal answered
            if answered:
                return
            answered = True
            successor = process if self._complete(process, request, response) else self._renumber()
            delay_s = self.rng.uniform(0.2, 1.8) * self.plan.think_s
            self.world.at(delay_s, lambda: self._next(client, successor))

        self._record(process, "invoke", request, value=request["value"], node=node)
        send(node, self.plan.retries)

    def _complete(self, process: int, request: Mapping[str, Any], response: Any) -> bool:
        """Record the completion; False if the process has to be retired."""
        if response is not None and "ok" in response:
            returns = request["f"] in ("read", "propose")
            value = response["ok"] if returns else request["value"]
            self._record(process, "ok", request, value=value)
            return True
        error = Error(**response["error"]) if response else Error("timeout")
        definite = error.code in DEFINITE or request["f"] == "read"
        kind = "fail" if definite else "info"
        self._record(process, kind, request, value=request["value"], error=error)
        return definite

    def _renumber(self) -> int:
        self.processes += 1
        return self.processes

    def _last_words(self) -> None:
        keys = sorted({o.key for o in self.operations})
        for number, key in enumerate(keys):
            f = "propose" if self.plan.workload == "consensus" else "read"
            for node in (NAMES[number % 5], NAMES[(number + 2) % 5]):
                value = self._fresh() if f == "propose" else None
                self._invoke(0, self._renumber(), {"f": f, "key": key, "value": value}, node)
        self.world.run(2 * CLIENT_TIMEOUT_S)

    # --- faults ---

    def _fault(self) -> None:
        if self.over:
            return
        kind = self.rng.choice(self.plan.faults)
        lasts_s = self.rng.uniform(0.3, 1.5) * self.plan.fault_every_s
        getattr(self, f"_{kind}")(lasts_s)
        self.world.at(lasts_s + self.rng.random() * self.plan.fault_every_s, self._fault)

    def _partition(self, lasts_s: float) -> None:
        names = self.rng.sample(NAMES, len(NAMES))
        if self.rng.random() < 0.5:  # the leader and perhaps one more, cut off
            leading = [n for n in names if self._leads(n)]
            names = leading + [n for n in names if n not in leading]
        size = self.rng.choice([1, 2, 2])
        self.world.partition(names[:size], names[size:])
        self.world.at(lasts_s, self.world.heal)

    def _kill(self, lasts_s: float) -> None:
        up = [n for n in NAMES if self.world.nodes[n].machine is not None]
        victims = self.rng.sample(up, min(len(up), self.rng.choice([1, 1, 2, 3, 5])))
        self.world.crash(*victims)
        self.world.at(lasts_s, lambda: self._restart(*victims))

    def _restart(self, *names: str) -> None:
        for name in names:
            if self.world.nodes[name].machine is None:
                self.world.start(name)

    def _pause(self, lasts_s: float) -> None:
        leading = [n for n in NAMES if self._leads(n)]
        victim = self.rng.choice(leading or NAMES)
        if self.world.nodes[victim].machine is not None:
            self.world.pause(victim)
            self.world.at(lasts_s, lambda: self.world.resume(victim))

    def _leads(self, name: str) -> bool:
        node = self.world.nodes[name]
        return bool(getattr(node.machine, "_leading", False))

    def _repair(self) -> None:
        self.world.heal()
        self.world.links = Links()
        for name in NAMES:
            if self.world.nodes[name].frozen is not None:
                self.world.resume(name)
        self._restart(*NAMES)


def _is_certain(response: Mapping[str, Any] | None) -> bool:
    return response is not None and ("ok" in response or response["error"]["code"] in DEFINITE)


def _is_of_the_log(response: Mapping[str, Any] | None) -> bool:
    """Does the answer come from applying the command? Then it is the one of whichever copy."""
    if response is None:
        return False
    return "ok" in response or response["error"]["code"] == "compare-failed"
