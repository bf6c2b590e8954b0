"""Links between hosts that the kernel makes slow, lossy and narrow: `tc` with htb and netem.

Rules
1. The bridge carries, the firewall cuts, and this does what netem does as we mean it and can show
   afterwards: Slow (but no exponential delays), Lose, Throttle. Everything else needs the switch,
   which does all faults, and says so in `refusal`: Hold and Corrupt are beyond netem, and of
   Reorder and Duplicate it keeps no count.
2. Whether the kernel can is found by trying, in a network that is thrown away.
3. A link whose faults change loses the packets that wait in it (see netem_text).
4. Counters are of the queues: what netem dropped, and who waited for a rate. Those of a queue that
   is replaced are read before and kept.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from harness.clusters.namespaces import netem_text
from harness.clusters.namespaces.hosts import cable, configure
from harness.clusters.namespaces.netem_text import Spot
from harness.clusters.namespaces.shaping_links import InForce, links_between, mistake
from nemesis.capabilities import LinkReading
from nemesis.faults import Link, LinkFault, Lose, Slow, Throttle

PROBE_LIMIT_S = 10.0


def obstacle() -> str | None:
    """Why netem cannot be had here, as a sentence with the remedy; None if it can."""
    spot = Spot(None, "a", 1)
    every = (Slow(), Lose(), Throttle())
    lines = [*netem_text.foundation([spot]), *netem_text.change(spot, every, 1)]
    # The names of both ends are given, or ip takes 'a' for an abbreviation.
    script = "ip link add name a type veth peer name b && exec tc -batch -"
    missing = [name for name in ("unshare", "ip", "tc") if shutil.which(name) is None]
    if missing:
        return f"no program {', '.join(missing)} on the PATH. Install util-linux and iproute2."
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    try:
        tried = subprocess.run(
            ["unshare", *user, "--net", "sh", "-c", script],
            input="\n".join((*lines, "")),
            capture_output=True,
            text=True,
            timeout=PROBE_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"netem did not answer within {PROBE_LIMIT_S:g} s. Is the machine overloaded?"
    if tried.returncode == 0:
        return None
    said = tried.stderr.strip().splitlines() or ["without a word"]
    return (
        f"the kernel has no netem: {said[0].removeprefix('Error: ').rstrip('.')}. It takes the "
        "modules sch_netem and sch_htb; the switch does without."
    )


class NetemNetwork:
    """Shapes the links of hosts (name to address) that a bridge joins to the clients. Implements
    network.Shaper."""

    carries = False

    def __init__(self, hosts: Mapping[str, str], client_ip: str) -> None:
        self._links = links_between(hosts)
        self._spots = netem_text.spots(list(hosts), cable)
        self._marks = netem_text.marks(hosts, client_ip)
        self._in_force = InForce(self._links)
        self._turns: Counter[Link] = Counter()
        self._lost: Counter[Link] = Counter()  # in queues that have been replaced
        self._turn = asyncio.Lock()

    def refusal(self, fault: LinkFault) -> str | None:
        return mistake(fault) or netem_text.refusal(fault)

    async def wire(self) -> None:
        """Gives every device its classes. The hosts are joined already."""
        self._in_force.clear()
        self._turns.clear()
        self._lost.clear()
        places = _by_host(self._spots.values())
        await asyncio.gather(
            configure(["nft", "-f", "-"], self._marks),
            *(_tc(host, netem_text.foundation(there)) for host, there in places.items()),
        )

    async def apply(self, id: int, fault: LinkFault) -> None:  # noqa: A002
        refused = netem_text.refusal(fault)
        if refused is not None:
            raise ValueError(refused)
        async with self._turn:
            if self._in_force.admit(id, fault):
                await self._enforce(fault)

    async def undo(self, id: int) -> None:  # noqa: A002
        async with self._turn:
            fault = self._in_force.dismiss(id)
            if fault is not None:
                await self._enforce(fault)

    async def counters(self) -> dict[Link, LinkReading]:
        """What the queues counted: `dropped` by loss, and `delayed` by a rate. Who passed is the
        firewall's to count."""
        async with self._turn:
            lost, waited = await asyncio.gather(
                self._counted(["-j", "qdisc"], netem_text.lost),
                self._counted(["class"], netem_text.waited),
            )
        return {
            link: LinkReading(
                reachable=False,
                delay_ms=None,
                forwarded=0,
                dropped=self._lost[link] + lost.get(link, 0),
                duplicated=0,
                reordered=0,
                delayed=waited.get(link, 0),
            )
            for link in self._links
        }

    async def close(self) -> None:
        """Nothing: the queues go with their devices."""

    async def _enforce(self, changed: LinkFault) -> None:
        """On the links of this fault, the sum of those in force."""
        links = dict.fromkeys(changed.links)
        for link, count in (await self._counted(["-j", "qdisc"], netem_text.lost)).items():
            if link in links:
                self._lost[link] += count
        orders: dict[str | None, list[str]] = {}
        for link in links:
            spot = self._spots[link]
            self._turns[link] += 1
            faults = self._in_force.on(link).values()
            orders.setdefault(spot.host, []).extend(
                netem_text.change(spot, faults, self._turns[link])
            )
        await asyncio.gather(*(_tc(host, lines) for host, lines in orders.items()))

    async def _counted(
        self, kind: Sequence[str], read: Callable[[bytes], dict[int, int]]
    ) -> dict[Link, int]:
        """One counter of all links, from every device."""
        devices = list(dict.fromkeys((spot.host, spot.device) for spot in self._spots.values()))
        shown = await asyncio.gather(
            *(
                configure(["tc", *_there(host), "-s", *kind, "show", "dev", device], [])
                for host, device in devices
            )
        )
        found = {place: read(text) for place, text in zip(devices, shown, strict=True)}
        return {
            link: found[spot.host, spot.device].get(spot.number, 0)
            for link, spot in self._spots.items()
        }


def _by_host(spots: Iterable[Spot]) -> dict[str | None, list[Spot]]:
    found: dict[str | None, list[Spot]] = {}
    for spot in spots:
        found.setdefault(spot.host, []).append(spot)
    return found


def _there(host: str | None) -> list[str]:
    return [] if host is None else ["-n", host]


async def _tc(host: str | None, lines: Sequence[str]) -> None:
    await configure(["tc", *_there(host), "-batch", "-"], lines)
