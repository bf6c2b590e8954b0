"""The wall clocks of whole hosts, set and put right. Done only where an option asks for it.

Rules
1. Before the first fault the host's keeper of time is stopped, and what is right is noted: wall
   time less time since boot. After the last it is put right by that note, and its keeper started
   again. The host's dead-man timer does the same.
2. What a clock shows is measured on its host against its time since boot, which nobody can set, and
   not against ours: so no network comes in between.
3. A machine's clock that is set back does go back, as it does when an administrator sets it.
4. Drift is refused: the kernel lets a clock gain a tenth at most, and only through a call that no
   command of a plain host makes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from harness.clock import NS_PER_S
from harness.clusters.ssh.daemons import Node, each
from harness.clusters.ssh.together import together
from nemesis.capabilities import ClockReading
from nemesis.faults import ClockFault

RATE_S = 0.2  # how long a clock is watched for its rate


class SshClocks:
    """Implements nemesis.capabilities.Clocks and Judging."""

    def __init__(self, nodes: Mapping[str, Node], *, allowed: bool) -> None:
        """`allowed`: the user said that the hosts' clocks may be set."""
        self._nodes = nodes
        self._allowed = allowed
        self._faults: dict[int, ClockFault] = {}
        self._turn = asyncio.Lock()

    def refusal(self, fault: ClockFault) -> str | None:
        if not self._allowed:
            return (
                "the clocks of remote machines are left alone: set the cluster option "
                "clock=machine if they may be set, or use --cluster namespaces"
            )
        if fault.clock == "monotonic":
            return (
                "the monotonic clock of a running machine cannot be set: use --cluster namespaces, "
                "or skew-clock of the wall clock"
            )
        if fault.drift:
            return (
                "the clock of a remote machine is set, not made to drift: leave drift out, or use "
                "--cluster namespaces"
            )
        return None

    async def apply(self, id: int, fault: ClockFault) -> None:  # noqa: A002
        reason = self.refusal(fault)
        if reason is not None:
            raise ValueError(reason)
        async with self._turn:
            self._faults[id] = fault
            await each(self._enforce, fault.nodes)

    async def undo(self, id: int) -> None:  # noqa: A002
        async with self._turn:
            fault = self._faults.pop(id, None)
            if fault is not None:
                await each(self._enforce, fault.nodes)

    async def measure(self) -> dict[str, ClockReading]:
        """Of clocks that are left alone there is nothing to measure."""
        if not self._allowed:
            return {}
        first = await self._ahead_ns()
        await asyncio.sleep(RATE_S)
        second = await self._ahead_ns()
        return {
            name: ClockReading(
                offset_ms=round(second[name] / 1e6, 3),
                # /proc/uptime counts in 10 ms: what is left of that is no drift.
                rate=round(1.0 + round((second[name] - first[name]) / (RATE_S * NS_PER_S), 1), 1),
            )
            for name in self._nodes
        }

    async def _ahead_ns(self) -> dict[str, int]:
        said = await together(
            node.host.order("clock_ahead", root=True) for node in self._nodes.values()
        )
        return {name: int(ahead) for name, ahead in zip(self._nodes, said, strict=True)}

    async def _enforce(self, name: str) -> None:
        """Faults of one clock add up."""
        on = [fault.offset_ms for fault in self._faults.values() if name in fault.nodes]
        host = self._nodes[name].host
        if on:
            await host.order("clock_set", str(round(sum(on))), root=True)
        else:
            await host.order("clock_back", root=True)
