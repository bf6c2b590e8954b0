"""The network of a world: what carries packets between hosts, how it is broken, what it did.

Rules
1. Partitions are rules of the kernel (firewall). What else links may do needs a shaper: `tc netem`
   where the kernel has it, or the switch of ours, which then carries all packets.
2. A shaper is chosen before the hosts are wired, by the faults that are planned.
3. Faults add up and are undone by id; the same id twice changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

import msgspec

from harness.clusters.namespaces import hosts
from harness.clusters.namespaces.firewall import Firewall
from harness.clusters.namespaces.prober import Prober
from nemesis.capabilities import LinkReading
from nemesis.faults import Link, LinkFault, Partition, tag


class Shaper(Protocol):
    """Does to links what a firewall cannot. `carries`: it is the network, and does the partitions
    too."""

    carries: bool

    def refusal(self, fault: LinkFault) -> str | None: ...

    async def wire(self) -> None: ...

    async def apply(self, id: int, fault: LinkFault) -> None: ...  # noqa: A002

    async def undo(self, id: int) -> None: ...  # noqa: A002

    async def counters(self) -> Mapping[Link, LinkReading]: ...

    async def close(self) -> None: ...


class HostNetwork:
    """Implements nemesis.capabilities.Network and Judging, between `open` and `close`."""

    def __init__(self, addresses: Mapping[str, str], shaper: Shaper | None) -> None:
        self._addresses = addresses
        self._shaper = shaper
        self._firewall = Firewall(addresses)
        self._prober = Prober(addresses)
        self._faults: dict[int, LinkFault] = {}

    @property
    def _carried(self) -> Shaper | None:
        return self._shaper if self._shaper is not None and self._shaper.carries else None

    async def open(self) -> None:
        """In place of whatever hosts this world had before."""
        await hosts.unwire()
        if self._carried is not None:
            await self._carried.wire()
        else:
            await hosts.wire(self._addresses)
            await self._firewall.open()
            if self._shaper is not None:
                await self._shaper.wire()
        self._prober.open()

    async def close(self) -> None:
        """Break nothing any more, and probe nothing. The wires stay: they go with the world, and
        taking networks down one by one takes the kernel a quarter of a second."""
        self._prober.close()
        self._faults.clear()
        if self._shaper is not None:
            await self._shaper.close()

    def refusal(self, fault: LinkFault) -> str | None:
        """See nemesis.capabilities.Judging. The fault must be free of mistakes."""
        if isinstance(fault, Partition) and self._carried is None:
            return None
        if self._shaper is not None:
            return self._shaper.refusal(fault)
        return (
            f"fault '{tag(fault)}' is beyond the kernel here, which has no netem: let the switch "
            "carry the packets (--cluster-option network=auto or switch), or use partitions"
        )

    async def apply(self, id: int, fault: LinkFault) -> None:  # noqa: A002
        """See nemesis.capabilities.Network. Another fault under an id in use raises ValueError."""
        known = self._faults.get(id)
        if known is not None:
            if known != fault:
                raise ValueError(f"fault {id} is in force already, as {known}: undo it first")
            return
        strangers = sorted(set(fault.links).difference(self._prober.links))
        if strangers:
            named = ", ".join(">".join(link) for link in strangers)
            raise ValueError(f"no link {named} in this cluster; its hosts: {list(self._addresses)}")
        self._faults[id] = fault
        if isinstance(fault, Partition) and self._carried is None:
            await self._firewall.apply(id, fault)
        else:
            assert self._shaper is not None, "it was refused before the run"
            await self._shaper.apply(id, fault)

    async def undo(self, id: int) -> None:  # noqa: A002
        fault = self._faults.get(id)
        if fault is None:
            return
        if isinstance(fault, Partition) and self._carried is None:
            await self._firewall.undo(id)
        else:
            assert self._shaper is not None, "it was applied"
            await self._shaper.undo(id)
        del self._faults[id]

    async def measure(self) -> dict[Link, LinkReading]:
        """See nemesis.capabilities.Network: all links at the same time."""
        cut = {
            link
            for fault in self._faults.values()
            if isinstance(fault, Partition)
            for link in fault.links
        }
        delays_ms, counted = await asyncio.gather(self._prober.delays_ms(cut), self._counted())
        return {
            link: msgspec.structs.replace(
                counted.get(link, _NOTHING), reachable=delay_ms is not None, delay_ms=delay_ms
            )
            for link, delay_ms in delays_ms.items()
        }

    async def _counted(self) -> Mapping[Link, LinkReading]:
        shaped = {} if self._shaper is None else await self._shaper.counters()
        if self._carried is not None:
            return shaped
        passed, stopped = await self._firewall.counters()
        read = {}
        for link in self._prober.links:
            seen = shaped.get(link, _NOTHING)
            read[link] = msgspec.structs.replace(
                seen, forwarded=passed.get(link, 0), dropped=seen.dropped + stopped.get(link, 0)
            )
        return read


_NOTHING = LinkReading(
    reachable=False, delay_ms=None, forwarded=0, dropped=0, duplicated=0, reordered=0, delayed=0
)
