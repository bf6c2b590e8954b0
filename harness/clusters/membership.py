"""Members voted out and in, and nodes started with other options, on a cluster of real hosts.

Rules
1. Who is voted out is ended and wiped only when the system has agreed: a refusal (a quorum would be
   lost) leaves the node as it was.
2. Who is voted in comes back with an empty disk, and with the options that the system names: it is
   a new member of a cluster that exists.
3. What is asked goes to nodes that run, and not to the one it is about.
4. An upgrade is one node after the other: politely ended, started with its new options, and awaited
   until it serves, as an operator would do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from harness.clusters.processes import Node, NodeProcesses
from harness.contracts import Address, EnvironmentTrouble, Membered
from nemesis.faults import RemoveMember, Upgrade

CLIENT_PORT = "client"


class SystemMembers:
    """Implements nemesis.capabilities.Members. `wipe(node)` empties the disk of a dead node."""

    def __init__(
        self,
        system: Membered,
        nodes: Mapping[str, Node],
        processes: NodeProcesses,
        wipe: Callable[[Node], Awaitable[None]],
    ) -> None:
        self._system = system
        self._nodes = nodes
        self._processes = processes
        self._wipe = wipe
        self._out: dict[int, tuple[str, ...]] = {}

    async def apply(self, id: int, fault: RemoveMember) -> None:  # noqa: A002
        """See nemesis.capabilities.Members. Raises EnvironmentTrouble where the system refuses."""
        if id in self._out:
            return
        self._out[id] = ()
        for name in fault.nodes:
            node = self._nodes[name]
            to_end, node.to_end = node.to_end, True  # a member that is voted out may end by itself
            try:
                await self._system.remove(name, await self._others(name))
            except BaseException:
                node.to_end = to_end
                raise
            self._out[id] += (name,)
            await self._processes.kill([name])
            await self._wipe(self._nodes[name])

    async def undo(self, id: int) -> None:  # noqa: A002
        """What was voted in before an exception is not voted in again."""
        for name in self._out.get(id, ()):
            node = self._nodes[name]
            options = await self._system.add(node.plan, await self._others(name))
            node.plan = msgspec.structs.replace(node.plan, options={**node.plan.options, **options})
            self._out[id] = tuple(other for other in self._out[id] if other != name)
        self._out.pop(id, None)

    async def measure(self) -> dict[str, bool]:
        views = await self._system.members(await self._others(""))
        votes = Counter(name for seen in views.values() for name in seen)
        return {name: 2 * votes[name] > len(views) for name in self._nodes}

    async def _others(self, name: str) -> dict[str, Address]:
        states = await self._processes.states()
        return {
            other: node.plan.listen[CLIENT_PORT]
            for other, node in self._nodes.items()
            if other != name and states[other] == "running"
        }


class NodeVersions:
    """Implements nemesis.capabilities.Versions. `end(node)` ends a node politely, `ready(node)`
    returns when it serves. `mistakes(options)`: sentences about options that the system has not."""

    def __init__(
        self,
        nodes: Mapping[str, Node],
        processes: NodeProcesses,
        *,
        end: Callable[[Node], Awaitable[None]],
        ready: Callable[[Node], Awaitable[None]],
        mistakes: Callable[[Mapping[str, str]], list[str]],
    ) -> None:
        self._nodes = nodes
        self._processes = processes
        self._end = end
        self._ready = ready
        self._mistakes = mistakes
        self._before: dict[int, dict[str, Mapping[str, str]]] = {}

    def refusal(self, fault: Upgrade) -> str | None:
        if not fault.options:
            return "fault 'upgrade' names no options: say which ones the nodes are to start with"
        return " ".join(self._mistakes(fault.options)) or None

    async def apply(self, id: int, fault: Upgrade) -> None:  # noqa: A002
        if id in self._before:
            return
        self._before[id] = {}
        for name in fault.nodes:
            node = self._nodes[name]
            before = node.plan.options
            await self._restart(node, {**before, **fault.options})
            if not fault.stays:
                self._before[id][name] = before

    async def undo(self, id: int) -> None:  # noqa: A002
        for name, options in self._before.pop(id, {}).items():
            await self._restart(self._nodes[name], options)

    async def measure(self) -> dict[str, dict[str, str]]:
        return {name: dict(node.plan.options) for name, node in self._nodes.items()}

    async def _restart(self, node: Node, options: Mapping[str, str]) -> None:
        was_alive = node.alive
        await self._end(node)
        node.plan = msgspec.structs.replace(node.plan, options=dict(options))
        if not was_alive:
            return  # another fault holds it dead; its next life has the options
        await self._processes.restart([node.name])
        if not node.alive:
            raise EnvironmentTrouble(
                f"node {node.name} did not start with {dict(options)}. {node.last_lines()}"
            )
        await self._ready(node)
