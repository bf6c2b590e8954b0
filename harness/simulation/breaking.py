"""The ways to break a simulated world: the capabilities of nemesis.capabilities.

Rules
1. A fault under an id is in force once, whoever repeats it; undoing what is unknown is no error.
2. Probes travel through the links and take their time there. What they measure is how things are,
   not what was ordered.
3. What the model of the world forbids is refused before the run (see settings).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from harness.simulation.links import Counts, PeerLink
from harness.simulation.wires import ClientLink
from harness.simulation.world import World
from nemesis.capabilities import (
    ClockReading,
    DiskReading,
    LinkReading,
    ProcessState,
    TraitorReading,
)
from nemesis.faults import (
    CLIENT,
    Betray,
    ClockFault,
    Corrupt,
    CorruptDisk,
    DiskFault,
    Duplicate,
    FailDisk,
    Fault,
    FillDisk,
    Link,
    LinkFault,
    Lose,
    LoseUnsynced,
    Partition,
    Pause,
    ProcessFault,
    Reorder,
    SlowDisk,
    Throttle,
    TruncateDisk,
    tag,
)

PROBE_LIMIT_S = 0.8
NS_PER_MS = 1_000_000


class SimulatedNetwork:
    """nemesis.capabilities.Network and Judging."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._faults: dict[int, LinkFault] = {}

    def refusal(self, fault: LinkFault) -> str | None:
        if _bounded(self._world):  # copies, too, come late
            return _breaks_bounds(fault)
        if isinstance(fault, Throttle) and fault.bytes_per_s <= 0:
            return f"fault 'throttle' has bytes_per_s {fault.bytes_per_s}: give a rate above 0"
        if isinstance(fault, Lose | Duplicate | Reorder | Corrupt):
            if not 0 <= fault.probability <= 1:
                return f"fault '{tag(fault)}' has probability {fault.probability}, not 0 to 1"
            if any(CLIENT in link for link in fault.links):
                return (
                    f"fault '{tag(fault)}' needs whole frames, and clients have byte streams: use "
                    "partition, slow or throttle there"
                )
        return None

    async def apply(self, id: int, fault: LinkFault) -> None:  # noqa: A002
        for link in fault.links:
            self._link(link)  # all of them are known, or nothing is touched
        reason = self.refusal(fault)
        if reason is not None:
            raise ValueError(reason)
        known = self._faults.get(id)
        if known is not None:
            if known != fault:
                raise ValueError(f"fault {id} is in force already, as {known}: undo it first")
            return
        self._faults[id] = fault
        for link in fault.links:
            self._link(link).apply(id, fault)
        if isinstance(fault, Partition) and fault.mode == "reset":
            for node in {end for link in fault.links if CLIENT in link for end in sorted(link)}:
                if node != CLIENT:
                    self._world.board.reset(node)

    async def undo(self, id: int) -> None:  # noqa: A002
        fault = self._faults.pop(id, None)
        for link in fault.links if fault is not None else ():
            self._link(link).undo(id)

    async def measure(self) -> dict[Link, LinkReading]:
        delays: dict[Link, int | None] = {}
        every: dict[Link, PeerLink | ClientLink] = {**self._world.links, **self._world.board.links}
        done = asyncio.get_running_loop().create_future()

        def arrived(link: Link, delay_ns: int | None) -> None:
            delays[link] = delay_ns
            if len(delays) == len(every) and not done.done():
                done.set_result(None)

        for link, carrier in every.items():
            carrier.probe(partial(arrived, link))
        await asyncio.wait([done], timeout=PROBE_LIMIT_S)
        return {link: _reading(carrier.counts, delays.get(link)) for link, carrier in every.items()}

    def _link(self, link: Link) -> PeerLink | ClientLink:
        found = self._world.links.get(link) or self._world.board.links.get(link)
        if found is None:
            raise ValueError(f"no link {link[0]}>{link[1]} in this world")
        return found


def _bounded(world: World) -> bool:
    return world.settings.time == "synchronous"


def _breaks_bounds(fault: Fault) -> str:
    return (
        f"fault '{tag(fault)}' breaks the bounds that time=synchronous promises: use crashes, or "
        "time=asynchronous"
    )


def _reading(counts: Counts, delay_ns: int | None) -> LinkReading:
    return LinkReading(
        reachable=delay_ns is not None,
        delay_ms=None if delay_ns is None else delay_ns / NS_PER_MS,
        forwarded=counts.forwarded,
        dropped=counts.dropped,
        duplicated=counts.duplicated,
        reordered=counts.reordered,
        delayed=counts.delayed,
        corrupted=counts.corrupted,
    )


class SimulatedProcesses:
    """nemesis.capabilities.Processes."""

    def __init__(self, world: World) -> None:
        self._world = world

    def refusal(self, fault: ProcessFault) -> str | None:
        stops = isinstance(fault, Pause) and _bounded(self._world)
        return _breaks_bounds(fault) if stops else None

    async def kill(self, nodes: Sequence[str]) -> None:
        for name in nodes:
            self._world.nodes[name].kill()

    async def restart(self, nodes: Sequence[str]) -> None:
        for name in nodes:
            self._world.nodes[name].start()

    async def pause(self, nodes: Sequence[str]) -> None:
        for name in nodes:
            self._world.nodes[name].pause()

    async def resume(self, nodes: Sequence[str]) -> None:
        for name in nodes:
            self._world.nodes[name].resume()

    async def states(self) -> dict[str, ProcessState]:
        return {name: node.state for name, node in self._world.nodes.items()}


class SimulatedDisks:
    """nemesis.capabilities.Disks."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._faults: dict[int, DiskFault] = {}

    def refusal(self, fault: DiskFault) -> str | None:
        slows = isinstance(fault, SlowDisk) and _bounded(self._world)
        return _breaks_bounds(fault) if slows else None

    async def apply(self, id: int, fault: DiskFault) -> None:  # noqa: A002
        if id in self._faults:
            return
        self._faults[id] = fault
        for name in fault.nodes:
            node = self._world.nodes[name]
            match fault:
                case LoseUnsynced():
                    node.kill(power=True, torn=fault.torn)
                case CorruptDisk():
                    node.kill()
                    node.disk.corrupt(fault.records)
                case TruncateDisk():
                    node.kill()
                    node.disk.truncate(fault.bytes)
                case FailDisk():
                    node.disk.failing[id] = fault.probability
                case FillDisk():
                    node.disk.full = True
                case SlowDisk():
                    node.disk.slow_ms[id] = fault.mean_ms

    async def undo(self, id: int) -> None:  # noqa: A002
        fault = self._faults.pop(id, None)
        for name in fault.nodes if isinstance(fault, SlowDisk | FailDisk) else ():
            disk = self._world.nodes[name].disk
            disk.slow_ms.pop(id, None)
            disk.failing.pop(id, None)
        if isinstance(fault, FillDisk):
            filled = [f for f in self._faults.values() if isinstance(f, FillDisk)]
            still = {name for other in filled for name in other.nodes}
            for name in fault.nodes:
                self._world.nodes[name].disk.full = name in still

    async def measure(self) -> dict[str, DiskReading]:
        found = {}
        for name, node in self._world.nodes.items():
            disk = node.disk
            sync_ms = disk.probe_ns() / NS_PER_MS
            failing = max(disk.failing.values(), default=0.0)
            found[name] = DiskReading(
                disk.full, sync_ms, disk.lost, disk.corrupted, disk.truncated, failing
            )
        return found


class SimulatedClocks:
    """nemesis.capabilities.Clocks."""

    def __init__(self, world: World) -> None:
        self._world = world

    def refusal(self, fault: ClockFault) -> str | None:
        return _breaks_bounds(fault) if _bounded(self._world) else None

    async def apply(self, id: int, fault: ClockFault) -> None:  # noqa: A002
        for name in fault.nodes:
            self._world.nodes[name].clock.apply(id, fault, self._world.loop.now_ns)
            self._world.nodes[name].timers.skew()

    async def undo(self, id: int) -> None:  # noqa: A002
        for node in self._world.nodes.values():
            node.clock.undo(id, self._world.loop.now_ns)
            node.timers.skew()

    async def measure(self) -> dict[str, ClockReading]:
        now_ns = self._world.loop.now_ns
        return {
            name: ClockReading(*node.clock.reading(now_ns))
            for name, node in self._world.nodes.items()
        }


class SimulatedClients:
    """nemesis.capabilities.Clients: which of them vanish is a choice of the world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._crashed = 0

    async def crash(self, share: float) -> int:
        wires = self._world.board.open_wires()
        draws = self._world.choices.stream("clients crash")
        wanted = min(len(wires), max(1, round(share * len(wires))))
        for _ in range(wanted):
            wires.pop(draws.below(len(wires))).vanish()
        self._crashed += wanted
        return wanted

    async def measure(self) -> int:
        return self._crashed


class SimulatedTraitors:
    """nemesis.capabilities.Traitors."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._faults: dict[int, Betray] = {}

    async def apply(self, id: int, fault: Betray) -> None:  # noqa: A002
        self._faults[id] = fault
        self._change()

    async def undo(self, id: int) -> None:  # noqa: A002
        self._faults.pop(id, None)
        self._change()

    async def measure(self) -> dict[str, TraitorReading]:
        return {name: TraitorReading(lies) for name, lies in self._world.lies.items()}

    def _change(self) -> None:
        for name in self._world.names:
            ways = [f.behaviour for f in self._faults.values() if name in f.nodes]
            self._world.corrupt_node(name, sorted(set(ways)))
