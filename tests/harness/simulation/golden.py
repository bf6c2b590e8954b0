"""A small world that uses everything a world has, and the digest of all that it did.

Nothing of the reference is in it: what changes its digest is a change of the simulator.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from random import Random

import msgspec

from harness import worldlog
from harness.machine import (
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
)
from harness.simulation.breaking import (
    SimulatedClocks,
    SimulatedDisks,
    SimulatedNetwork,
    SimulatedProcesses,
)
from harness.simulation.choices import Choices
from harness.simulation.fence import Fence
from harness.simulation.log import WorldLog
from harness.simulation.loop import VirtualLoop
from harness.simulation.settings import Settings
from harness.simulation.world import World
from nemesis.faults import (
    Corrupt,
    Duplicate,
    Hold,
    LinkFault,
    Lose,
    LoseUnsynced,
    Partition,
    Reorder,
    SkewClock,
    Slow,
    SlowDisk,
    Throttle,
)

NAMES = ("n1", "n2", "n3")


class Gossip:
    """Tells a random peer what it knows, now and then, and stores what is new to it."""

    def __init__(self, name: str, peers: Sequence[str], random: Random) -> None:
        self._name, self._peers, self._random = name, peers, random
        self._known: list[str] = []

    def handle(self, event: Event, now: float) -> Sequence[Effect]:
        match event:
            case Recover():
                self._known = list(event.stored)
                return [Trace("restart", {"known": len(self._known)}), self._timer()]
            case Timeout():
                told = self._random.sample(self._known, min(3, len(self._known)))
                peer = self._random.choice(self._peers)
                return [Send(peer, told), self._timer(), Trace("told", {"at": now, "what": told})]
            case ClientRequest():
                return [*self._learn([str(event.request["value"])]), Reply(event.id, {"ok": None})]
            case Deliver() if isinstance(event.message, list):
                return self._learn([item for item in event.message if isinstance(item, str)])
        return []

    def _timer(self) -> Effect:
        return SetTimer("tell", self._random.uniform(0.001, 0.02))

    def _learn(self, items: Sequence[str]) -> list[Effect]:
        new = [item for item in items if item not in self._known]
        self._known += new
        return [*map(Persist, new), Trace("knows", {"items": new, "all": len(self._known)})]


def digest(seed: int = 1) -> str:
    """Of the trace, the log and the choices of one second."""
    loop = VirtualLoop()
    choices, log = Choices(seed), WorldLog(loop)
    world = World(
        NAMES,
        _build,
        loop=loop,
        choices=choices,
        settings=Settings(tail=True),
        fence=Fence(),
        log=log,
    )
    for node in world.nodes.values():
        node.start()
    try:
        loop.run_until_complete(_second(world))
    finally:
        loop.end_tasks()
        loop.close()
    found = hashlib.sha256(b"\n".join(world.trace_lines))
    found.update(worldlog.encode(log.events))
    found.update(msgspec.json.encode(choices.taken()))
    return found.hexdigest()


def _build(name: str, peers: Sequence[str], random: Random) -> Machine:
    return Gossip(name, peers, random)


async def _second(world: World) -> None:
    """Each fault for a while, in turn, while a client of each node writes."""
    writing = [asyncio.create_task(_write(name)) for name in NAMES]
    network, disks = SimulatedNetwork(world), SimulatedDisks(world)
    clocks, processes = SimulatedClocks(world), SimulatedProcesses(world)
    every = tuple(world.links)
    faults: tuple[LinkFault, ...] = (
        Lose(probability=0.3, links=every),
        Duplicate(probability=0.3, links=every),
        Reorder(probability=0.3, window_ms=20, links=every),
        Corrupt(probability=0.3, links=every),
        Slow(mean_ms=10, jitter_ms=5, distribution="normal", links=every),
        Slow(mean_ms=10, distribution="exponential", links=every),
        Throttle(bytes_per_s=20_000, links=every),
        Hold(links=every),
        Partition(links=(*every, ("n1", "client"))),
    )
    for id_, fault in enumerate(faults):
        await network.apply(id_, fault)
        await asyncio.sleep(0.08)
        if id_ % 3:
            await network.undo(id_)
    for id_ in range(len(faults)):
        await network.undo(id_)
    await disks.apply(50, SlowDisk(mean_ms=5, nodes=NAMES))
    await clocks.apply(51, SkewClock(offset_ms=30, drift=0.2, nodes=("n2",)))
    await asyncio.sleep(0.08)
    await disks.apply(52, LoseUnsynced(nodes=("n1", "n2")))
    await processes.pause(["n3"])
    await asyncio.sleep(0.05)
    await processes.restart(["n1", "n2"])
    await processes.resume(["n3"])
    await asyncio.sleep(0.15)
    for task in writing:
        task.cancel()
    await asyncio.gather(*writing, return_exceptions=True)


async def _write(name: str) -> None:
    reader, writer = await asyncio.open_connection(name, 1)
    try:
        for number in range(100):
            writer.write(msgspec.json.encode({"id": number, "value": f"{name}-{number}"}) + b"\n")
            if not await reader.readline():
                return
    finally:
        writer.close()
