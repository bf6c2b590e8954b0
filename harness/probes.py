"""The probes of a cluster: what it is like now, of whatever it offers to be broken.

Rules
1. What a cluster does not offer reads as nothing, and is no error.
2. Every call has a time limit: a probe that hangs must not outlive the run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import msgspec

from nemesis.capabilities import (
    Breakable,
    ClockReading,
    DiskReading,
    ProcessState,
    TraitorReading,
    needs,
)
from nemesis.evidence import Readings
from nemesis.faults import Fault

CALL_LIMIT_S = 10.0  # for one call to the cluster
LEADERS_LIMIT_S = 1.0  # paused nodes do not answer; a scene must not wait long for them

T = TypeVar("T")


class Measured(msgspec.Struct, frozen=True):
    """What probes showed at one moment: of what was asked, and of what the cluster offers."""

    states: dict[str, ProcessState] = {}
    links: Readings = {}
    disks: dict[str, DiskReading] = {}
    clocks: dict[str, ClockReading] = {}
    traitors: dict[str, TraitorReading] = {}
    clients: int = 0
    members: dict[str, bool] = {}
    versions: dict[str, dict[str, str]] = {}


class Probes:
    """Of one cluster. Each raises what the cluster raises, and TimeoutError."""

    def __init__(self, cluster: Breakable) -> None:
        self._cluster = cluster

    async def measured(self, fault: Fault) -> Measured:
        """What tells about a fault of this kind."""
        match needs(fault):
            case "network":
                return Measured(links=await self.links())
            case "processes":
                return Measured(states=await self.states())
            case "disks":
                return Measured(states=await self.states(), disks=await self.disks())
            case "clocks":
                return Measured(clocks=await self.clocks())
            case "traitors":
                return Measured(traitors=await self.traitors())
            case "clients":
                return Measured(clients=await self.clients())
            case "members":
                return Measured(states=await self.states(), members=await self.members())
            case "versions":
                return Measured(states=await self.states(), versions=await self.versions())

    async def leaders(self) -> tuple[str, ...]:
        try:
            return await limited(self._cluster.leaders(), LEADERS_LIMIT_S)
        except TimeoutError:
            return ()  # then nobody is known to lead, and the resolved fault says so

    async def states(self) -> dict[str, ProcessState]:
        processes = self._cluster.processes
        return {} if processes is None else await limited(processes.states())

    async def links(self) -> Readings:
        network = self._cluster.network
        return {} if network is None else await limited(network.measure())

    async def disks(self) -> dict[str, DiskReading]:
        disks = self._cluster.disks
        return {} if disks is None else await limited(disks.measure())

    async def clocks(self) -> dict[str, ClockReading]:
        clocks = self._cluster.clocks
        return {} if clocks is None else await limited(clocks.measure())

    async def traitors(self) -> dict[str, TraitorReading]:
        traitors = self._cluster.traitors
        return {} if traitors is None else await limited(traitors.measure())

    async def members(self) -> dict[str, bool]:
        members = self._cluster.members
        return {} if members is None else await limited(members.measure())

    async def versions(self) -> dict[str, dict[str, str]]:
        versions = self._cluster.versions
        return {} if versions is None else await limited(versions.measure())

    async def clients(self) -> int:
        clients = self._cluster.clients
        return 0 if clients is None else await limited(clients.measure())


async def limited(call: Awaitable[T], limit_s: float = CALL_LIMIT_S) -> T:
    async with asyncio.timeout(limit_s):
        return await call
