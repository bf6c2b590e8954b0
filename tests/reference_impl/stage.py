"""A stage for schedules: every message waits in transit until the schedule says that it arrives.

Rules
1. Nothing is random, and no time passes but by `wait`: a schedule is a story with one outcome.
2. A schedule is played twice, by a mutant and by the reference. The mutant must break every law
   that its entry in the catalogue names; the reference must break none.
3. Clients are recorded as in a run of the harness: each request is a process of its own, and one
   that got no answer by the end is `info`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import pytest

from checkers.budget import Budget
from checkers.consensus import Termination
from checkers.history import Error, History, Operation
from checkers.laws import breaches
from checkers.linearizability import Linearizable
from checkers.models import Consensus, Register
from checkers.verdict import Kind, Recording
from harness.machine import Deliver, Machine
from reference_impl.build import simulated
from reference_impl.mutants import CATALOGUE
from tests.reference_impl.world import Links, World, wire

FIVE = ("n1", "n2", "n3", "n4", "n5")
AT_ONCE = Links(delay_min_s=0.0, delay_max_s=0.0, sync_max_s=0.0)
CALLS = {"read": "get", "write": "put", "cas": "cas", "propose": "propose"}
DEFINITE = {"compare-failed", "no-leader", "overloaded", "malformed", "unsupported"}


def versus(name: str) -> pytest.MarkDecorator:
    """The test is played by the mutant and by the reference."""
    return pytest.mark.parametrize("mutant", [name, None], ids=[name, "reference"])


# What random runs show of a mutant besides, and its schedule here does not.
BY_CHANCE = {
    "accepts-once": {"p1"},
    "answers-first": {"ballot-unique", "promise-kept"},
    "forgets-last-record": {"promise-kept"},
    "names-first": {"p1"},
}


class Stage:
    """Five nodes of the mutant, or of the reference (None), with `options` as in system.yaml."""

    def __init__(self, mutant: str | None, workload: str = "consensus", **options: str) -> None:
        self.mutant, self.workload = mutant, workload
        self.options = {"learning": "all", **options}
        if mutant is not None:
            self.options["mutant"] = mutant
        self.world = World(1, FIVE, self._build, AT_ONCE)
        self.world.drop = self._keep
        self._transit: list[tuple[str, str, Any]] = []
        self._operations: list[Operation] = []
        self._open: dict[int, Operation] = {}
        self.world.start()
        self.wait()

    def _build(self, name: str, peers: Sequence[str], rng: Random) -> Machine:
        return simulated(
            name=name, peers=peers, rng=rng, workload=self.workload, options=self.options
        )

    # --- messages ---

    def _keep(self, src: str, dst: str, message: Any) -> bool:
        self._transit.append((src, dst, message))
        return True

    def deliver(self, kind: str, srcs: str, dsts: str) -> None:
        """The oldest message of this kind arrives from each of `srcs` at each of `dsts` (names with
        spaces between). Fails if none is under way: then the story is not the one told."""
        for src in srcs.split():
            for dst in dsts.split():
                self._arrive(self._find(kind, src, dst))

    def _find(self, kind: str, src: str, dst: str) -> tuple[str, str, Any]:
        for sent in self._transit:
            if sent[:2] == (src, dst) and type(sent[2]).__name__.lower() == kind:
                return sent
        under_way = [(s, d, type(m).__name__.lower()) for s, d, m in self._transit]
        raise AssertionError(f"no {kind} from {src} to {dst} is under way, only {under_way}")

    def _arrive(self, sent: tuple[str, str, Any]) -> None:
        src, dst, message = sent
        self._transit.remove(sent)
        self.world._event(self.world.nodes[dst], Deliver(src, wire(message)))
        self.wait()

    def meet(self, names: str) -> None:
        """Whatever these nodes have sent to one another, or do now, arrives, in order."""
        group = names.split()
        while True:
            among = [s for s in self._transit if s[0] in group and s[1] in group]
            if not among:
                return
            self._arrive(among[0])

    def lose(self) -> None:
        """All that is under way is lost."""
        self._transit.clear()

    def flow(self, delay_s: float, near: str = "") -> None:
        """From now on messages arrive by themselves, each after `delay_s`, or after a tenth of that
        where they are from or to the node `near`."""
        self.lose()

        def send(src: str, dst: str, message: Any) -> bool:
            event, node = Deliver(src, wire(message)), self.world.nodes[dst]
            after_s = delay_s / 10 if near in (src, dst) else delay_s
            self.world.at(after_s, lambda: self.world._event(node, event))
            return True

        self.world.drop = send

    # --- time and nodes ---

    def wait(self, for_s: float = 0.0, until: Callable[[], bool] = lambda: False) -> None:
        self.world.run(for_s, until)

    def restart(self, names: str) -> None:
        """The nodes are killed and start again."""
        self.world.crash(*names.split())
        self.world.start(*names.split())
        self.wait()

    def stall_disk(self, name: str) -> None:
        """The node's disk takes writes and does not finish them."""
        self.world.stalled.add(name)

    def lose_power(self, name: str) -> None:
        """The node dies, with every write that its disk has not finished, and starts again."""
        self.world.nodes[name].waiting.clear()
        self.world.stalled.discard(name)
        self.restart(name)

    # --- clients ---

    def propose(self, node: str, value: Any, key: str = "k") -> None:
        self.ask("propose", node, value, key)

    def ask(self, f: str, node: str, value: Any = None, key: str = "k") -> None:
        """A new client asks `node`; its answer is recorded when it comes."""
        process = len(self._operations)
        self._open[process] = self._record(process, "invoke", f, value, key, node)
        self._send(node, process)

    def _send(self, node: str, process: int, **session: Any) -> None:
        asked = self._open[process]
        self.world.request(
            node,
            lambda response: self._answered(process, response),
            **{"f": CALLS[asked.f], "key": asked.key, "value": asked.value, **session},
        )
        self.wait()

    def _answered(self, process: int, response: Mapping[str, Any]) -> None:
        asked = self._open.pop(process, None)
        if (
            asked is None
        ):  # the first answer to a request that was sent twice is the one that counts
            return
        if "ok" in response:
            value = asked.value if asked.f in ("write", "cas") else response["ok"]
            self._record(process, "ok", asked.f, value, asked.key)
        else:
            error = Error(**response["error"])
            kind = "fail" if error.code in DEFINITE else "info"
            self._record(process, kind, asked.f, asked.value, asked.key, error=error)

    def healed(self) -> None:
        """As the harness notes it when all faults are gone: what is asked from now on must work."""
        for outcome in ({}, {"in_effect": True}):
            value = {"intended": {"final": True}, **outcome}
            self._record("nemesis", "info", "heal", value, None)

    def _record(
        self,
        process: int | str,
        kind: Any,
        f: str,
        value: Any,
        key: Any,
        node: str | None = None,
        error: Error | None = None,
    ) -> Operation:
        operation = Operation(
            index=len(self._operations),
            time=int(self.world.now * 1e9),
            process=process,
            type=kind,
            f=f,
            value=value,
            key=key,
            node=node,
            error=error,
        )
        self._operations.append(operation)
        return operation

    # --- judgement ---

    def learnt(self, key: str = "k") -> set[Any]:
        """The values that some node has learnt."""
        return {e.value for e in self.world.trace if e.event == "chosen" and e.instance == key}

    def broken(self) -> set[str]:
        """The laws and checkers that what happened breaks."""
        for process, asked in sorted(self._open.items()):
            self._record(process, "info", asked.f, asked.value, asked.key)
        self._open.clear()
        recording = Recording(history=History(self._operations), trace=self.world.trace, nodes=FIVE)
        found = set(breaches(recording.trace, FIVE)[0])
        model = Consensus() if self.workload == "consensus" else Register(compare_and_set=True)
        for checker in (Linearizable(model, Budget(time_s=10)), Termination()):
            if checker.check(recording).kind is Kind.INVALID:
                found.add(checker.name)
        return found

    def judge(self) -> None:
        """Rule 2."""
        found = self.broken()
        if self.mutant is None:
            assert found == set()
        else:
            named = {m.name: set(m.caught_by) for m in CATALOGUE}[self.mutant]
            named -= BY_CHANCE.get(self.mutant, set())
            assert named <= found, f"{self.mutant} broke {sorted(found)} only"
