"""Members and versions of the cluster that lives in memory (see fake_cluster)."""

from __future__ import annotations

from nemesis.faults import RemoveMember, Upgrade
from tests.harness.fake_hardware import Host

FORMER = {"version": "1", "reads": "log"}


class FakeMembers:
    """Voting takes no time; who is voted out is dead, and its disk is not modelled."""

    def __init__(self, host: Host) -> None:
        self.held: dict[int, RemoveMember] = {}
        self._host = host

    async def apply(self, id: int, fault: RemoveMember) -> None:  # noqa: A002
        if not self._host.lying:
            self.held[id] = fault
            self._host.state |= dict.fromkeys(fault.nodes, "dead")
        await self._host.call("members.apply", id)

    async def undo(self, id: int) -> None:  # noqa: A002
        await self._host.call("members.undo", id)
        self.held.pop(id, None)

    async def measure(self) -> dict[str, bool]:
        await self._host.call("members.measure")
        out = {node for fault in self.held.values() for node in fault.nodes}
        return {node: node not in out for node in self._host.nodes}


class FakeVersions:
    """Options by fault, the latest on top; whoever gets others runs, whatever held it dead."""

    def __init__(self, host: Host) -> None:
        self.held: dict[int, Upgrade] = {}
        self._host = host

    async def apply(self, id: int, fault: Upgrade) -> None:  # noqa: A002
        if not self._host.lying:
            self.held[id] = fault
            self._host.state |= dict.fromkeys(fault.nodes, "running")
        await self._host.call("versions.apply", id)

    async def undo(self, id: int) -> None:  # noqa: A002
        await self._host.call("versions.undo", id)
        fault = self.held.get(id)
        if fault is not None and not fault.stays:
            del self.held[id]
            self._host.state |= dict.fromkeys(fault.nodes, "running")

    async def measure(self) -> dict[str, dict[str, str]]:
        await self._host.call("versions.measure")
        return {node: self._options(node) for node in self._host.nodes}

    def _options(self, node: str) -> dict[str, str]:
        options = dict(FORMER)
        for fault in self.held.values():
            options |= fault.options if node in fault.nodes else {}
        return options
