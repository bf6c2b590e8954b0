"""Partitions between the hosts of a world: rules of nft on the bridge, and what they counted.

Rules
1. One table of our own on the bridge cuts and counts; a change is one transaction, so a cut of many
   links happens at one instant, and established connections are cut like new ones.
2. A silent cut drops what comes from a host on its way to another. A cut that resets lets TCP
   through to the receiving host, whose own table answers with a reset: the bridge of many kernels
   cannot. A reset itself always passes, or two hosts that refuse each other would never hear of it.
3. Probes (UDP to PROBE_PORT) are cut like everything else, and counted by nobody.
4. What goes to many at once (multicast, broadcast) is cut in each copy, by the cables it takes;
   it is silent and not counted. Hosts speak IPv4: what is IPv6 goes nowhere, for nothing of it
   would be cut.
5. Counters live in sets of their own: what a link has dropped is known when its cut is long gone.

Sources: nft(8); the kernel's nft_reject_bridge, which is often not built.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import msgspec

from harness.clusters.namespaces.hosts import CLIENT_IP, cable, configure
from harness.clusters.namespaces.system_calls import NETS
from nemesis.faults import CLIENT, Link, Partition

PROBE_PORT = 47_113

_PAIR = "type ipv4_addr . ipv4_addr"
_COUNTED = f"{_PAIR}; size 65535; flags dynamic; counter;"
_WAY = "ip saddr . ip daddr"
_TO_MANY = "ether type ip ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00"
_ON_BRIDGE = f"""
table bridge antipaxos {{
  set silent {{ {_PAIR}; }}
  set refusing {{ {_PAIR}; }}
  set apart {{ type ifname . ifname; }}
  set unheard {{ type ifname; }}
  set unreached {{ type ifname; }}
  set stopped {{ {_COUNTED} }}
  set passed {{ {_COUNTED} }}
  chain judge {{
    udp dport {PROBE_PORT} {_WAY} @silent drop
    udp dport {PROBE_PORT} {_WAY} @refusing drop
    udp dport {PROBE_PORT} accept
    {_WAY} @silent update @stopped {{ {_WAY} }} drop
    {_WAY} @refusing update @stopped {{ {_WAY} }} goto refused
    update @passed {{ {_WAY} }}
  }}
  chain refused {{
    ip protocol != tcp drop
  }}
  chain copies {{
    type filter hook forward priority 0; policy accept;
    {_TO_MANY} iifname . oifname @apart drop
  }}
  chain copies_for_us {{
    type filter hook input priority 0; policy accept;
    {_TO_MANY} iifname @unheard drop
  }}
  chain copies_of_ours {{
    type filter hook output priority 0; policy accept;
    {_TO_MANY} oifname @unreached drop
  }}
  chain arriving {{
    type filter hook prerouting priority 0; policy accept;
    ether type ip6 drop
    jump judge
  }}
  chain leaving {{
    type filter hook output priority 0; policy accept;
    ether type ip6 drop
    ip saddr {CLIENT_IP} jump judge
  }}
}}
"""
_ON_HOST = """
table inet antipaxos {{
  chain arriving {{
    type filter hook input priority 0; policy accept;
    tcp flags & rst != rst ip saddr {{ {sources} }} reject with tcp reset
  }}
}}
"""


class Firewall:
    """Once opened, until the world ends. `hosts`: name to address."""

    def __init__(self, hosts: Mapping[str, str]) -> None:
        self._ips = {**hosts, CLIENT: CLIENT_IP}
        self._names = {ip: name for name, ip in self._ips.items()}
        self._cuts: dict[int, Partition] = {}
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        await _nft(_new("bridge", _ON_BRIDGE))

    async def apply(self, id: int, cut: Partition) -> None:  # noqa: A002
        async with self._turn:
            self._cuts[id] = cut
            await self._enforce(cut)

    async def undo(self, id: int) -> None:  # noqa: A002
        async with self._turn:
            cut = self._cuts.pop(id, None)
            if cut is not None:
                await self._enforce(cut)

    async def counters(self) -> tuple[dict[Link, int], dict[Link, int]]:
        """Packets that passed, and that were stopped, by link, since the world began."""
        passed, stopped = await asyncio.gather(self._counted("passed"), self._counted("stopped"))
        return passed, stopped

    async def _enforce(self, changed: Partition) -> None:
        """Hosts first: the bridge lets refused packets through to them."""
        silent = self._links("silent")
        refusing = self._links("reset") - silent
        touched = {dst for _, dst in changed.links} if changed.mode == "reset" else set()
        await asyncio.gather(
            *(_nft(self._refused_by(dst, refusing), dst) for dst in sorted(touched))
        )
        await _nft(
            [
                *_replaced("bridge antipaxos silent", self._pairs(silent)),
                *_replaced("bridge antipaxos refusing", self._pairs(refusing)),
                *_apart(silent | refusing),
            ]
        )

    def _refused_by(self, host: str, refusing: set[Link]) -> list[str]:
        sources = ", ".join(self._ips[src] for src, dst in sorted(refusing) if dst == host)
        return _new("inet", _ON_HOST.format(sources=sources) if sources else "")

    def _links(self, mode: str) -> set[Link]:
        return {link for cut in self._cuts.values() if cut.mode == mode for link in cut.links}

    def _pairs(self, links: Iterable[Link]) -> list[str]:
        return [f"{self._ips[src]} . {self._ips[dst]}" for src, dst in sorted(links)]

    async def _counted(self, name: str) -> dict[Link, int]:
        listing = msgspec.json.decode(
            await configure(["nft", "-j", "list", "set", "bridge", "antipaxos", name], [])
        )
        elements = next(item["set"] for item in listing["nftables"] if "set" in item)
        counted: dict[Link, int] = {}
        for wrapped in elements.get("elem", ()):
            element = wrapped["elem"]
            src, dst = (self._names.get(ip) for ip in element["val"]["concat"])
            if src is not None and dst is not None:  # multicast of a host that introduces itself
                counted[src, dst] = element["counter"]["packets"]
        return counted


def _new(family: str, table: str) -> list[str]:
    """In place of one that another cluster of this world had."""
    named = f"table {family} antipaxos"
    return [f"add {named}", f"delete {named}", *table.splitlines()]


def _apart(links: Iterable[Link]) -> list[str]:
    """The cables between which nothing goes that is for many."""
    cut = sorted(links)
    between = [f"{cable(src)} . {cable(dst)}" for src, dst in cut if CLIENT not in (src, dst)]
    return [
        *_replaced("bridge antipaxos apart", between),
        *_replaced("bridge antipaxos unheard", [cable(src) for src, dst in cut if dst == CLIENT]),
        *_replaced("bridge antipaxos unreached", [cable(dst) for src, dst in cut if src == CLIENT]),
    ]


def _replaced(name: str, elements: Iterable[str]) -> list[str]:
    listed = ", ".join(elements)
    added = [f"add element {name} {{ {listed} }}"] if listed else []
    return [f"flush set {name}", *added]


async def _nft(lines: Iterable[str], host: str = CLIENT) -> None:
    """Feed rules to nft, in the network of a host."""
    there = [] if host == CLIENT else ["nsenter", f"--net={NETS}/{host}"]
    await configure([*there, "nft", "-f", "-"], list(lines))
