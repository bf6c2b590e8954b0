"""The simulated cluster: a Cluster like the others, whose nodes live in a world of our own.

Rules
1. It keeps every promise of harness.contracts.Cluster and nemesis.capabilities.Breakable, and
   passes the same conformance kit as clusters of processes.
2. A start begins a new world with empty disks, from the same choices; what a world had is dropped
   with it.
3. The system must offer its nodes as machines: a program cannot be put into virtual time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from random import Random

from harness.contracts import Address, EnvironmentTrouble, System
from harness.machine import Machine
from harness.simulation.breaking import (
    SimulatedClients,
    SimulatedClocks,
    SimulatedDisks,
    SimulatedNetwork,
    SimulatedProcesses,
    SimulatedTraitors,
)
from harness.simulation.choices import Choices
from harness.simulation.fence import Fence
from harness.simulation.log import WorldLog
from harness.simulation.loop import VirtualLoop
from harness.simulation.settings import Settings
from harness.simulation.wires import address, direct
from harness.simulation.world import World
from harness.trial import TrialError

READY_LIMIT_S = 10.0
READY_POLL_S = 0.01
LEADERS_LIMIT_S = 1.0


class SimulatedCluster:
    """Implements harness.contracts.Cluster and nemesis.capabilities.Breakable. To be made and used
    inside a running VirtualLoop."""

    def __init__(
        self,
        system: System,
        nodes: Sequence[str],
        *,
        loop: VirtualLoop,
        workload: str,
        options: Mapping[str, str],
        choices: Choices,
        settings: Settings,
        fence: Fence,
        log: WorldLog | None = None,
    ) -> None:
        self._system, self._workload, self._options = system, workload, dict(options)
        self._names, self._settings = tuple(nodes), settings
        self._loop, self._choices, self._fence, self._log = loop, choices, fence, log
        self._ended = True
        self._become(self._new_world())

    def _new_world(self) -> World:
        return World(
            self._names,
            self._build,
            loop=self._loop,
            choices=self._choices,
            settings=self._settings,
            fence=self._fence,
            log=self._log,
        )

    def _become(self, world: World) -> None:
        self.world = world
        self._network = SimulatedNetwork(world)
        self._processes = SimulatedProcesses(world)
        self._disks = SimulatedDisks(world)
        self._clocks = SimulatedClocks(world)
        self._clients = SimulatedClients(world)
        self._traitors = SimulatedTraitors(world)

    def _build(self, name: str, peers: Sequence[str], random: Random) -> Machine:
        return self._system.machine(name, peers, random, self._workload, self._options)

    @property
    def nodes(self) -> tuple[str, ...]:
        return self._names

    @property
    def network(self) -> SimulatedNetwork:
        return self._network

    @property
    def processes(self) -> SimulatedProcesses:
        return self._processes

    @property
    def disks(self) -> SimulatedDisks:
        return self._disks

    @property
    def clocks(self) -> SimulatedClocks:
        return self._clocks

    @property
    def clients(self) -> SimulatedClients:
        return self._clients

    @property
    def traitors(self) -> SimulatedTraitors | None:
        return self._traitors if self._settings.failure == "byzantine" else None

    @property
    def members(self) -> None:
        return None

    @property
    def versions(self) -> None:
        return None

    @property
    def notices(self) -> Sequence[str]:
        return ()

    def address(self, node: str) -> Address:
        return address(node)

    async def leaders(self) -> tuple[str, ...]:
        running = {
            name: direct(name) for name, node in self.world.nodes.items() if node.state == "running"
        }
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEADERS_LIMIT_S):
                return await self._system.leaders(running)
        return ()

    def crashes(self) -> Sequence[str]:
        return [
            f"node {name} ended by itself: {death}"
            for name, node in self.world.nodes.items()
            for death in node.crashes
        ]

    async def start(self) -> None:
        await self.stop()
        if not self._ended:
            self._become(self._new_world())
        self._ended = False
        # One that nobody uses: it loads the module, outside of the fence, and what a user got
        # wrong in a name or an option is told as it is.
        try:
            self._build(self._names[0], self._names[1:], Random(0))
        except TrialError:
            raise
        except Exception as wrong:
            raise EnvironmentTrouble(
                f"system {self._system.name} does not build a machine for {self._names[0]}: "
                f"{type(wrong).__name__}: {wrong}"
            ) from wrong
        for node in self.world.nodes.values():
            node.start()
        try:
            async with asyncio.timeout(READY_LIMIT_S):
                for name in self._names:
                    await self._until_ready(name)
        except TimeoutError:
            await self.stop()
            raise EnvironmentTrouble(
                f"the simulated nodes are not all ready after {READY_LIMIT_S:g} s of their time: "
                "does the machine become ready without clients?"
            ) from None
        except BaseException:
            await self.stop()
            raise

    async def _until_ready(self, name: str) -> None:
        while not await self._system.ready(name, direct(name)):
            node = self.world.nodes[name]
            if node.state == "dead":
                raise EnvironmentTrouble(f"node {name} ended at start: {node.death}")
            await asyncio.sleep(READY_POLL_S)

    async def stop(self) -> None:
        for node in self.world.nodes.values():
            node.kill()
