"""The network of a maelstrom cluster, as the nemesis breaks it and probes measure it.

Rules
1. Each pair of nodes has a link each way, and so have the clients, together the host CLIENT, with
   each node. Services are no hosts: what goes to them meets the weather and no fault.
2. Links carry whole messages, so they can lose, repeat and reorder them; they do not alter them
   (`Corrupt` is refused: a line of JSON with a flipped bit is mostly none, and would be dropped
   as the node's own mistake).
3. A partition that resets closes the ports for clients and breaks their connections. Between nodes
   there are no connections, and their messages are lost as in a silent one.
4. A probe goes the way of messages, weather included, and draws apart from them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from itertools import permutations
from random import Random
from statistics import median

import msgspec

from harness.clusters.maelstrom.ways import Weather
from harness.clusters.shaping import Counts, Link, check
from nemesis import faults
from nemesis.capabilities import LinkReading
from nemesis.faults import CLIENT, Corrupt, LinkFault, Partition

TOKENS = 8  # several, since one may be lost by chance
TOKEN = b'{"src":"c0","dest":"c0","body":{"type":"probe"}}'
PROBE_LIMIT_S = 0.8

_NO_CORRUPTION = (
    "fault 'corrupt' needs links that alter bytes, and those of the maelstrom cluster carry JSON "
    "lines whole: use --cluster simulated, or packages without it (partitions, links, chaos)"
)


class MaelstromNetwork:
    """Implements nemesis.capabilities.Network, from `open` on, and Judging always."""

    def __init__(self, nodes: Sequence[str], seed: int) -> None:
        self._nodes, self._seed = tuple(nodes), seed
        self.links: dict[faults.Link, Link] = {}
        self._faults: dict[int, LinkFault] = {}
        self._weather: Weather | None = None
        self._on_change: Callable[[str], None] = lambda _node: None

    def open(self, weather: Weather | None, on_change: Callable[[str], None]) -> None:
        """Make the links, in the running loop. `on_change(node)`: its link to clients changed."""
        ways = [*permutations(self._nodes, 2)]
        ways += [(CLIENT, node) for node in self._nodes] + [(node, CLIENT) for node in self._nodes]
        self.links = {(a, b): self.new_link(a, b) for a, b in ways}
        self._faults = {}
        self._weather, self._on_change = weather, on_change

    def new_link(self, src: str, dst: str) -> Link:
        return Link(src, dst, self._seed, asyncio.get_running_loop())

    def is_reset(self, node: str) -> bool:
        """Is the node's link to clients, either way?"""
        both = (self.links[CLIENT, node], self.links[node, CLIENT])
        return any(link.rules.reset for link in both)

    def refusal(self, fault: LinkFault) -> str | None:
        """See nemesis.capabilities.Judging. The fault must be free of mistakes."""
        if isinstance(fault, Corrupt):
            return _NO_CORRUPTION
        return check(fault, framed=True)

    async def apply(self, id: int, fault: LinkFault) -> None:  # noqa: A002
        """See nemesis.capabilities.Network. The same fault again under its id changes nothing;
        another fault under an id in use raises ValueError."""
        known = self._faults.get(id)
        if known is not None:
            if known != fault:
                raise ValueError(f"fault {id} is in force already, as {known}: undo it first")
            return
        for link in fault.links:
            self._check(link, fault)
        self._faults[id] = fault
        for link in dict.fromkeys(fault.links):
            self.links[link].apply(id, _on(link, fault))
            self._changed(link)

    async def undo(self, id: int) -> None:  # noqa: A002
        fault = self._faults.pop(id, None)
        if fault is not None:
            for link in dict.fromkeys(fault.links):
                self.links[link].undo(id)
                self._changed(link)

    async def measure(self) -> dict[faults.Link, LinkReading]:
        """See nemesis.capabilities.Network: all links at the same time."""
        readings = await asyncio.gather(*map(self._read, self.links))
        return dict(zip(self.links, readings, strict=True))

    def close(self) -> None:
        for link in self.links.values():
            link.close()
        if self._weather is not None:
            self._weather.close()

    async def _read(self, way: faults.Link) -> LinkReading:
        link = self.links[way]
        delay_ms = await _Probe(link, None if CLIENT in way else self._weather).measure()
        counts = link.counts
        return LinkReading(
            reachable=delay_ms is not None,
            delay_ms=None if delay_ms is None else round(delay_ms, 3),
            forwarded=counts.forwarded,
            dropped=counts.dropped,
            duplicated=counts.duplicated,
            reordered=counts.reordered,
            delayed=counts.delayed,
        )

    def _changed(self, link: faults.Link) -> None:
        if CLIENT in link:
            src, dst = link
            self._on_change(dst if src == CLIENT else src)

    def _check(self, link: faults.Link, fault: LinkFault) -> None:
        if link not in self.links:
            names = [f"{a}>{b}" for a, b in self.links]
            wanted = ">".join(link)
            near = get_close_matches(wanted, names, n=3) or names[:3] or ["none before the start"]
            raise ValueError(f"no link {wanted} in this cluster; the nearest: {', '.join(near)}")
        trouble = self.refusal(fault)
        if trouble:
            raise ValueError(f"link {'>'.join(link)}: {trouble}")


def _on(link: faults.Link, fault: LinkFault) -> LinkFault:
    """What a fault is on this link (rule 3)."""
    if isinstance(fault, Partition) and CLIENT not in link:
        return msgspec.structs.replace(fault, mode="silent")
    return fault


class _Probe:
    """One measurement of one link: the lane of its tokens."""

    def __init__(self, link: Link, weather: Weather | None) -> None:
        self.counts = Counts()
        self.random: Random = link.probe_random
        self.last_seq = -1
        self.latest_s = 0.0
        self._link, self._weather = link, weather
        loop = asyncio.get_running_loop()
        self._now = loop.time
        self._done: asyncio.Future[None] = loop.create_future()
        self._delays_ms: list[float] = []
        self._lost = 0  # in the weather

    async def measure(self) -> float | None:
        """The delay in milliseconds, None if nothing came through."""
        if self._link.rules.reset:
            return None
        self._started_s = self._now()
        for _ in range(TOKENS):
            if self._weather is None:
                self._forward(TOKEN)
            elif not self._weather.send(TOKEN, self._forward, probe=True):
                self._lost += 1
        self._look()
        await asyncio.wait([self._done], timeout=PROBE_LIMIT_S)
        self._link.forget(self)
        return median(self._delays_ms) if self._delays_ms else None

    def deliver(self, data: bytes) -> None:
        del data  # tokens are alike
        self._delays_ms.append((self._now() - self._started_s) * 1000)
        self._look()

    def queued(self, change_bytes: int) -> None: ...

    def _forward(self, token: bytes) -> None:
        if self._link.quiet:
            self.deliver(token)
        else:
            self._link.carry(self, (token,))
            self._look()

    def _look(self) -> None:
        ended = len(self._delays_ms) + self.counts.dropped + self._lost
        if ended >= TOKENS and not self._done.done():
            self._done.set_result(None)
