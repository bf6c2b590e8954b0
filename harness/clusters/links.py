"""The network of a local cluster: a link of ours for every way that bytes can go.

Rules
1. Every node reaches every other only through a door of its own, and the clients, together the
   host CLIENT, reach each node through another; so each directed link can be broken by itself.
2. Faults are applied under ids and add up on each link (see shaping). A fault is checked against
   all its links before it touches the first, and can be asked about before the run.
3. Only the ports `peer` and `client` have links. Without `peer` there are none between nodes, and a
   fault that needs one is refused.
4. Everything runs in the loop of the caller; no thread, no root.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import permutations
from random import Random

from harness.clusters.doors import Door, Target
from harness.clusters.probe import read_link
from harness.clusters.shaping import Link, check
from harness.contracts import Address, Framing
from nemesis import faults
from nemesis.capabilities import LinkReading
from nemesis.faults import CLIENT, LinkFault, tag
from nemesis.resolution import resolve
from nemesis.targets import View

PEER_PORT, CLIENT_PORT = "peer", "client"


class LinkNetwork:
    """Implements nemesis.capabilities.Network, between `open` and `close`, and Judging always."""

    def __init__(self, nodes: Sequence[str], framings: Mapping[str, Framing], seed: int) -> None:
        self._nodes = tuple(nodes)
        self._framings = framings
        self._seed = seed
        self._links: dict[faults.Link, Link] = {}
        self._targets: dict[tuple[str, str], Target] = {}
        self._doors: dict[faults.Link, Door] = {}
        self._faults: dict[int, LinkFault] = {}

    def open(self, random: Random) -> None:
        """Make the links, in the running loop; `random` picks their ports.

        Raises EnvironmentTrouble if no port is free.
        """
        loop, nodes, framings = asyncio.get_running_loop(), self._nodes, self._framings
        ways = [*permutations(nodes, 2)] if PEER_PORT in framings else []
        ways += [(CLIENT, node) for node in nodes] + [(node, CLIENT) for node in nodes]
        self._links = {(a, b): Link(a, b, self._seed, loop) for a, b in ways}
        self._targets = {(node, port): Target() for node in nodes for port in framings}
        self._faults = {}
        self._doors = {
            (a, b): Door(
                self._links[a, b],
                self._links[b, a],
                self._framing(a, b),
                self._targets[b, CLIENT_PORT if a == CLIENT else PEER_PORT],
                random,
            )
            for a, b in ways
            if b != CLIENT
        }

    def address(self, src: str, dst: str) -> Address:
        """Where `src` (a node, or CLIENT) dials to reach `dst`."""
        return self._doors[src, dst].address

    def expect(self, node: str, addresses: Mapping[str, Address]) -> None:
        """The node was started and will listen there, by port name."""
        for port, address in addresses.items():
            self._targets[node, port].expect(address)

    async def until_up(self, node: str) -> None:
        """Returns once the node accepts on all its ports, so that its links let others in."""
        for port in self._framings:
            await self._targets[node, port].up.wait()

    def shut(self, node: str) -> tuple[str, ...]:
        """The ports on which the node does not accept (yet)."""
        return tuple(port for port in self._framings if not self._targets[node, port].up.is_set())

    def down(self, node: str) -> None:
        """The node has ended: connections to it are refused from now on."""
        for port in self._framings:
            self._targets[node, port].down()

    def refusal(self, fault: LinkFault) -> str | None:
        """See nemesis.capabilities.Judging. The fault must be free of mistakes."""
        # Whom an intent will hit is open; which kinds of links it touches is not.
        concrete = resolve(fault, View(nodes=self._nodes), Random(0)).fault
        assert isinstance(concrete, LinkFault), "a fault of links stays one"
        for link in concrete.links:
            if CLIENT not in link and PEER_PORT not in self._framings:
                return (
                    f"fault '{tag(fault)}' needs links between nodes, and this system has no port "
                    f"'{PEER_PORT}': declare one and let nodes reach each other through it, or use "
                    "faults of nodes and of clients (crashes, pauses, clients)"
                )
            trouble = check(fault, self._framing(*link).kind != "stream")
            if trouble:
                return trouble
        return None

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
            self._links[link].apply(id, fault)
            self._refresh(link)

    async def undo(self, id: int) -> None:  # noqa: A002
        fault = self._faults.pop(id, None)
        if fault is not None:
            for link in dict.fromkeys(fault.links):
                self._links[link].undo(id)
                self._refresh(link)

    async def measure(self) -> dict[faults.Link, LinkReading]:
        """See nemesis.capabilities.Network: all links at the same time."""
        readings = await asyncio.gather(
            *(read_link(link, self._framing(*way)) for way, link in self._links.items())
        )
        return dict(zip(self._links, readings, strict=True))

    async def close(self) -> None:
        """Reset all connections and give all ports back; idempotent."""
        for target in self._targets.values():
            target.down()
        for link in self._links.values():
            link.close()
        doors, self._doors = self._doors, {}
        for door in doors.values():
            await door.close()

    def _framing(self, src: str, dst: str) -> Framing:
        return self._framings[CLIENT_PORT if CLIENT in (src, dst) else PEER_PORT]

    def _refresh(self, link: faults.Link) -> None:
        if link in self._doors:
            self._doors[link].refresh()

    def _check(self, link: faults.Link, fault: LinkFault) -> None:
        if link not in self._links:
            names = [f"{a}>{b}" for a, b in self._links]
            wanted = ">".join(link)
            near = get_close_matches(wanted, names, n=3) or names[:3] or ["none before the start"]
            raise ValueError(f"no link {wanted} in this cluster; the nearest: {', '.join(near)}")
        trouble = check(fault, self._framing(*link).kind != "stream")
        if trouble:
            raise ValueError(f"link {'>'.join(link)}: {trouble}")
