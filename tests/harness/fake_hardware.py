"""Disks, clocks, clients and traitors of the cluster that lives in memory (see fake_cluster)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from nemesis.capabilities import ClockReading, DiskReading, ProcessState, TraitorReading
from nemesis.faults import (
    Betray,
    CorruptDisk,
    DiskFault,
    FailDisk,
    FillDisk,
    LoseUnsynced,
    SkewClock,
    SlowDisk,
    TruncateDisk,
)

UNSYNCED = 3  # the records that a power failure takes from each node
CLIENTS = 10
SYNC_MS = 1.0


class Host(Protocol):
    """The cluster that the hardware is part of."""

    state: dict[str, ProcessState]
    lying: bool

    @property
    def nodes(self) -> tuple[str, ...]: ...

    async def call(self, name: str, argument: Any = None) -> None: ...


class FakeDisks:
    """`mortal`: the nodes that die when their disk is full or failing."""

    def __init__(self, host: Host) -> None:
        self.held: dict[int, DiskFault] = {}
        self.lost = dict.fromkeys(host.nodes, 0)
        self.corrupted = dict.fromkeys(host.nodes, 0)
        self.truncated = dict.fromkeys(host.nodes, 0)
        self.mortal: set[str] = set()
        self._host = host

    async def apply(self, id: int, fault: DiskFault) -> None:  # noqa: A002
        for node in fault.nodes if not self._host.lying else ():
            self._strike(node, fault)
        if not self._host.lying:
            self.held[id] = fault
        await self._host.call("disks.apply", id)

    def _strike(self, node: str, fault: DiskFault) -> None:
        if isinstance(fault, LoseUnsynced):
            self.lost[node] += UNSYNCED
        if isinstance(fault, CorruptDisk):
            self.corrupted[node] += fault.records
        if isinstance(fault, TruncateDisk):
            self.truncated[node] += fault.bytes
        if isinstance(fault, LoseUnsynced | CorruptDisk | TruncateDisk) or (
            isinstance(fault, FillDisk | FailDisk) and node in self.mortal
        ):
            self._host.state[node] = "dead"

    async def undo(self, id: int) -> None:  # noqa: A002
        await self._host.call("disks.undo", id)
        self.held.pop(id, None)

    async def measure(self) -> dict[str, DiskReading]:
        await self._host.call("disks.measure")
        return {
            node: DiskReading(
                full=self.full(node),
                sync_ms=SYNC_MS + sum(f.mean_ms for f in self._of(node, SlowDisk)),
                lost=self.lost[node],
                corrupted=self.corrupted[node],
                truncated=self.truncated[node],
                failing=sum(f.probability for f in self._of(node, FailDisk)),
            )
            for node in self._host.nodes
        }

    def full(self, node: str) -> bool:
        return any(self._of(node, FillDisk))

    def ails(self, node: str) -> bool:
        return any(self._of(node, FillDisk | FailDisk))

    def _of(self, node: str, kind: Any) -> Iterable[Any]:
        return (f for f in self.held.values() if isinstance(f, kind) and node in f.nodes)


class FakeClocks:
    """Clocks that are set right at once, without standing still."""

    def __init__(self, host: Host) -> None:
        self.held: dict[int, SkewClock] = {}
        self._host = host

    async def apply(self, id: int, fault: SkewClock) -> None:  # noqa: A002
        if not self._host.lying:
            self.held[id] = fault
        await self._host.call("clocks.apply", id)

    async def undo(self, id: int) -> None:  # noqa: A002
        await self._host.call("clocks.undo", id)
        self.held.pop(id, None)

    async def measure(self) -> dict[str, ClockReading]:
        await self._host.call("clocks.measure")
        skews = {n: [f for f in self.held.values() if n in f.nodes] for n in self._host.nodes}
        return {
            node: ClockReading(sum(f.offset_ms for f in of), 1.0 + sum(f.drift for f in of))
            for node, of in skews.items()
        }


class FakeClients:
    """Ten clients, as many after each crash as before."""

    def __init__(self, host: Host) -> None:
        self.crashed = 0
        self._host = host

    async def crash(self, share: float) -> int:
        count = 0 if self._host.lying else max(1, round(share * CLIENTS))
        self.crashed += count
        await self._host.call("clients.crash", share)
        return count

    async def measure(self) -> int:
        await self._host.call("clients.measure")
        return self.crashed


class FakeTraitors:
    """A node that betrays lies once between any two readings."""

    def __init__(self, host: Host) -> None:
        self.held: dict[int, Betray] = {}
        self.lies = dict.fromkeys(host.nodes, 0)
        self._host = host

    async def apply(self, id: int, fault: Betray) -> None:  # noqa: A002
        if not self._host.lying:
            self.held[id] = fault
        await self._host.call("traitors.apply", id)

    async def undo(self, id: int) -> None:  # noqa: A002
        await self._host.call("traitors.undo", id)
        self.held.pop(id, None)

    async def measure(self) -> dict[str, TraitorReading]:
        await self._host.call("traitors.measure")
        for node in {n for f in self.held.values() for n in f.nodes}:
            self.lies[node] += 1
        return {node: TraitorReading(count) for node, count in self.lies.items()}
