"""A cluster that lives in memory, and a disruption of it, for tests that never wait."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from checkers.history import Operation
from harness.clock import ManualClock, Wakeup
from harness.disruption import Disruption
from nemesis.capabilities import LinkReading, ProcessState
from nemesis.faults import CLIENT, Fault, Hold, Link, LinkFault, Partition, Slow, tag
from nemesis.ledger import Ledger
from nemesis.schedule import Schedule, Step
from nemesis.topologies import all_links, between
from tests.harness.fake_hardware import FakeClients, FakeClocks, FakeDisks, FakeTraitors
from tests.harness.fake_members import FakeMembers, FakeVersions

NODES = ("n1", "n2", "n3", "n4", "n5")


async def _nothing(name: str) -> None:
    """Watches no call."""


class JumpingClock(ManualClock):
    """Time jumps to whatever is waited for, so a run of half a minute takes no time."""

    def call_at(self, time_ns: int, callback: Callable[[], None]) -> Wakeup:
        wakeup = super().call_at(time_ns, callback)
        asyncio.get_running_loop().call_soon(self.advance_to_next)
        return wakeup


class FakeCluster:
    """Does what it is told, at once, and remembers it; breaks where it is told to.

    `failing` maps the name of a call to what it raises. It is network and processes in one, and
    its links obey the faults that it holds, so that probes measure and do not repeat orders.
    `refusing`: nodes that do not start once their disk was corrupted.
    """

    def __init__(self, *, leaders: Sequence[str] = ("n2",)) -> None:
        self.nodes = NODES
        self.called: list[tuple[str, Any]] = []
        self.failing: dict[str, Exception] = {}
        self.hanging: set[str] = set()
        self.lying = False  # does nothing of what it says
        self.held: dict[int, LinkFault] = {}
        self.state: dict[str, ProcessState] = dict.fromkeys(NODES, "running")
        self.traffic = 0
        self.on_call: Callable[[str], Awaitable[None]] = _nothing
        self.disks = FakeDisks(self)
        self.clocks = FakeClocks(self)
        self.clients = FakeClients(self)
        self.traitors = FakeTraitors(self)
        self.members = FakeMembers(self)
        self.versions = FakeVersions(self)
        self.refusing: set[str] = set()
        self._leaders = tuple(leaders)

    @property
    def network(self) -> FakeCluster:
        return self

    @property
    def processes(self) -> FakeCluster:
        return self

    async def call(self, name: str, argument: Any = None) -> None:
        self.called.append((name, argument))
        await self.on_call(name)
        if name in self.hanging:
            await asyncio.Event().wait()
        if name in self.failing:
            raise self.failing[name]

    async def leaders(self) -> tuple[str, ...]:
        await self.call("leaders")
        return self._leaders

    async def apply(self, id: int, fault: LinkFault) -> None:  # noqa: A002
        if not self.lying:
            self.held[id] = fault  # before it raises: a fault applied in part
        await self.call("apply", id)

    async def undo(self, id: int) -> None:  # noqa: A002
        await self.call("undo", id)
        self.held.pop(id, None)

    async def measure(self) -> dict[Link, LinkReading]:
        await self.call("measure")
        self.traffic += 10
        links = [*all_links(self.nodes), *between([CLIENT], self.nodes)]
        return {link: self._reading(link) for link in links}

    def _reading(self, link: Link) -> LinkReading:
        faults = [f for f in self.held.values() if link in f.links]
        cut = any(isinstance(f, Partition | Hold) for f in faults)
        slow_ms = sum(f.mean_ms for f in faults if isinstance(f, Slow))
        hit = {tag(f): self.traffic for f in faults}
        return LinkReading(
            reachable=not cut,
            delay_ms=None if cut else slow_ms,
            forwarded=self.traffic,
            dropped=hit.get("lose", 0),
            duplicated=hit.get("duplicate", 0),
            reordered=hit.get("reorder", 0),
            delayed=hit.get("throttle", 0),
            corrupted=hit.get("corrupt", 0),
        )

    async def _move(self, name: str, nodes: Sequence[str], to: ProcessState) -> None:
        for node in nodes if not self.lying else ():
            if name != "restart" and self.state[node] == "dead":
                continue
            self.state[node] = "dead" if name == "restart" and self._dies(node) else to
        await self.call(name, tuple(nodes))

    def _dies(self, node: str) -> bool:
        """Is it no sooner started than dead?"""
        hurt = self.disks.corrupted[node] > 0 or self.disks.truncated[node] > 0
        damaged = node in self.refusing and hurt
        return damaged or (node in self.disks.mortal and self.disks.ails(node))

    async def kill(self, nodes: Sequence[str]) -> None:
        await self._move("kill", nodes, "dead")

    async def restart(self, nodes: Sequence[str]) -> None:
        await self._move("restart", [n for n in nodes if self.state[n] == "dead"], "running")

    async def pause(self, nodes: Sequence[str]) -> None:
        await self._move("pause", nodes, "paused")

    async def resume(self, nodes: Sequence[str]) -> None:
        await self._move("resume", [n for n in nodes if self.state[n] == "paused"], "running")

    async def states(self) -> dict[str, ProcessState]:
        await self.call("states")
        return dict(self.state)

    @property
    def whole(self) -> bool:
        held = [self.held, self.disks.held, self.clocks.held, self.traitors.held]
        held += [self.members.held]
        return not any(held) and set(self.state.values()) == {"running"}


class Stage:
    """A disruption with everything it needs, and what it wrote."""

    def __init__(self, folder: Path, cluster: FakeCluster, schedule: Schedule) -> None:
        self.cluster = cluster
        self.path = folder / "ledger.jsonl"
        self.clock = JumpingClock()
        self.ledger = Ledger(self.path)
        self.operations: list[Operation] = []
        self.disruption = Disruption(
            cluster, schedule, journal=self.journal, ledger=self.ledger, clock=self.clock
        )

    def journal(self, f: str, value: Any, type_: Any) -> None:
        index = len(self.operations)
        now_ns = self.clock.now_ns()
        told = json.loads(json.dumps(value))  # as it is read from the file
        self.operations.append(Operation(index, now_ns, "nemesis", type_, f, told))

    def run(self) -> None:
        try:
            asyncio.run(self.disruption.run())
        finally:
            self.ledger.close()

    def lines(self, f: str) -> list[dict[str, Any]]:
        return [o.value for o in self.operations if o.f == f and "id" in o.value]


def one_by_one(*faults: Fault) -> Schedule:
    """Two seconds each, a second between them."""
    steps: list[Step] = []
    for i, fault in enumerate(faults):
        at_s = 1.0 + i * 3.0
        steps += [Step(at_s, i + 1, "start", fault), Step(at_s + 2.0, i + 1, "stop")]
    return Schedule(2.0 + len(faults) * 3.0, 7, tuple(steps))


def nested(*faults: Fault, stops: tuple[int, ...]) -> Schedule:
    """One starts each second, then one stops each second, by the order given."""
    starts = [Step(float(i), i, "start", fault) for i, fault in enumerate(faults, start=1)]
    after = len(faults)
    ends = [Step(float(after + i), id_, "stop") for i, id_ in enumerate(stops, start=1)]
    return Schedule(after + len(stops) + 1.0, 7, (*starts, *ends))


def outcomes(stage: Stage) -> list[tuple[str, bool, dict[str, Any]]]:
    """What each fault and undoing came to, in order."""
    told = [o for o in stage.operations if "in_effect" in o.value and "id" in o.value]
    return [(o.f, o.value["in_effect"], o.value["observed"]) for o in told]


def played(folder: Path, schedule: Schedule, cluster: FakeCluster | None = None) -> Stage:
    stage = Stage(folder, FakeCluster() if cluster is None else cluster, schedule)
    stage.run()
    return stage
