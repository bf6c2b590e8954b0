"""The network between hosts: faults put in force on it, and what its links let through, measured.

Rules
1. What a link does is the sum of the faults on it. A change replaces what the hosts that it touches
   do, from the list of faults in force, so that an order repeated changes nothing.
2. A link is reachable if a probe sent through it now passed the rules on its far side; probes are
   sent by the nodes' hosts themselves. Towards the clients it is counted as it leaves the host:
   the clients' machine may sit behind others, and is not ours to measure on.
3. `delay_ms` is from the order to send until the arrival was seen from here, less what that took
   the quickest link of the healthy network at the start: how much slower the link is than that one
   was, within the time of a few orders.
4. Faults whose effect no counter of a host shows are not done: without evidence, a run that they
   left untouched could not be told from one that stood them.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from harness.clock import NS_PER_S, monotonic_ns
from harness.clusters.ssh import firewall, shaping
from harness.clusters.ssh.firewall import PROBE_PORT, Place
from harness.clusters.ssh.host import Host
from harness.clusters.ssh.together import together
from harness.contracts import EnvironmentTrouble
from nemesis.capabilities import LinkReading
from nemesis.faults import CLIENT, Link, LinkFault, Lose, Partition, Slow, Throttle, tag

PROBES = 8
MEASURE_LIMIT_S = 0.6
FIRST_CLASS = 2

# bash writes each echo by itself: a datagram. One that a rule refuses is an error to nobody.
SEND = """
probes=$1; shift
for target in "$@"; do
  for ((i = 0; i < probes; i++)); do echo; done > "/dev/udp/$target"
done 2> /dev/null
true
"""


class SshNetwork:
    """Implements nemesis.capabilities.Network and Judging."""

    def __init__(
        self, hosts: Mapping[str, Host], surveyed: Callable[[], Mapping[str, Host]]
    ) -> None:
        """`surveyed` gives the hosts with their facts, and looks first where that was not done."""
        self._hosts = hosts
        self._surveyed = surveyed
        self._faults: dict[int, LinkFault] = {}
        self._devices: dict[Link, str] = {}
        self._turn = asyncio.Lock()
        self._quickest_ns: int | None = None

    # --- the hosts' side

    async def open(self) -> None:
        """Put the table on each host; nothing is cut."""
        self._faults.clear()
        self._devices.clear()
        self._quickest_ns = None
        await together(self._nft(h, firewall.table(self._place(h))) for h in self._able())

    def _able(self) -> list[Host]:
        """The hosts that have a firewall; all or none, for a link has two ends."""
        hosts = list(self._hosts.values())
        return [] if any(host.known.lacking_nft for host in hosts) else hosts

    def _place(self, host: Host) -> Place:
        peers = {n: h.known.address for n, h in self._hosts.items() if n != host.name}
        return Place(host.name, peers, host.known.seen_from, host.known.port)

    async def _nft(self, host: Host, text: str) -> None:
        ended = await host.run(["nft", "-f", "-"], root=True, given=text.encode())
        if ended.status != 0:
            raise EnvironmentTrouble(
                f"{host} refuses our firewall rules: {ended.complaint}. Is its nft older than 0.9, "
                "or is nf_tables missing in its kernel?"
            )

    # --- faults

    def refusal(self, fault: LinkFault) -> str | None:
        if not isinstance(fault, Partition | Lose | Slow | Throttle):
            return (
                f"hosts over ssh do not {tag(fault)}: no counter of theirs would show whether it "
                "did anything. Use --cluster namespaces, or lose, slow, throttle and partition"
            )
        for host in self._surveyed().values():
            lacking = host.known.lacking_nft
            if not lacking and isinstance(fault, Slow | Throttle):
                lacking = shaping.refusal(fault, host.known.lacking_htb, host.known.lacking_netem)
            if lacking:
                return f"'{tag(fault)}' cannot be done on {host}: {lacking}"
        return None

    async def apply(self, id: int, fault: LinkFault) -> None:  # noqa: A002
        self._check(fault)
        async with self._turn:
            self._faults[id] = fault
            await self._enforce(fault)

    async def undo(self, id: int) -> None:  # noqa: A002
        async with self._turn:
            fault = self._faults.pop(id, None)
            if fault is not None:
                try:
                    await self._enforce(fault)
                except BaseException:
                    self._faults[id] = fault  # it may still be in force, and must be undone again
                    raise

    def _check(self, fault: LinkFault) -> None:
        reason = self.refusal(fault)
        if reason is not None:
            raise ValueError(reason)
        for link in fault.links:
            unknown = [host for host in link if host not in self._hosts and host != CLIENT]
            if unknown or link[0] == link[1]:
                raise ValueError(
                    f"no link {link[0]}>{link[1]} in this cluster; its nodes: "
                    f"{', '.join(self._hosts)}, and {CLIENT}"
                )
            if link[0] == CLIENT and isinstance(fault, Slow | Throttle):
                raise ValueError(
                    f"what clients send is shaped on their machine, which is not ours to touch: "
                    f"leave {CLIENT}>{link[1]} out of '{tag(fault)}'"
                )

    async def _enforce(self, fault: LinkFault) -> None:
        """Make the hosts that a fault touches do what all faults in force sum up to."""
        if isinstance(fault, Slow | Throttle):
            senders = dict.fromkeys(src for src, _ in fault.links)
            await together(self._shape(self._hosts[name]) for name in senders)
            return
        changed: dict[str, list[Link]] = {}
        for link in dict.fromkeys(fault.links):
            changed.setdefault(link[1] if link[1] != CLIENT else link[0], []).append(link)
        await together(
            self._nft(
                self._hosts[name],
                "".join(firewall.replacement(link, self._on(link)) for link in links),
            )
            for name, links in changed.items()
        )

    def _on(self, link: Link) -> list[LinkFault]:
        return [fault for fault in self._faults.values() if link in fault.links]

    async def _shape(self, host: Host) -> None:
        """All that one host sends: roots, classes, then marks, so that no mark lacks its class."""
        shaped = {
            link: faults
            for link in self._leaving(host)
            if (faults := [f for f in self._on(link) if isinstance(f, Slow | Throttle)])
        }
        if not shaped:
            await self._nft(host, shaping.marks({}))
            await self._tc(host, shaping.ROOTS_GONE)
            return
        devices = {link: await self._device(host, link) for link in shaped}
        minors = {link: FIRST_CLASS + i for i, link in enumerate(self._leaving(host))}
        leaves = [shaping.leaf(devices[link], minors[link], on) for link, on in shaped.items()]
        distinct = list(dict.fromkeys(devices.values()))
        await self._tc(host, "\n".join([shaping.roots(distinct), *leaves]))
        await self._nft(
            host, shaping.marks({self._address(host, link): minors[link] for link in shaped})
        )

    def _leaving(self, host: Host) -> list[Link]:
        return [(host.name, other) for other in (*self._hosts, CLIENT) if other != host.name]

    def _address(self, host: Host, link: Link) -> str:
        return host.known.seen_from if link[1] == CLIENT else self._hosts[link[1]].known.address

    async def _tc(self, host: Host, script: str) -> None:
        ended = await host.run(["sh", "-c", script, "tc", f"{host.home}/shaped"], root=True)
        if ended.status != 0:
            raise EnvironmentTrouble(f"{host} refuses to shape its links: {ended.complaint}")

    async def _device(self, host: Host, link: Link) -> str:
        """The device by which a host sends on a link."""
        if link not in self._devices:
            ended = await host.run(["ip", "-o", "route", "get", self._address(host, link)])
            words = ended.text.split()
            if "dev" not in words:
                raise EnvironmentTrouble(f"{host} has no route for {link}: {ended.complaint}")
            self._devices[link] = words[words.index("dev") + 1]
        return self._devices[link]

    # --- measuring

    async def measure(self) -> dict[Link, LinkReading]:
        hosts = self._able()
        before = await self._counted(hosts)
        started_ns = monotonic_ns()
        sending = asyncio.ensure_future(
            together((*(self._send(host) for host in hosts), self._send_as_client(hosts)))
        )
        seen_ns: dict[Link, int] = {}
        now = before
        try:
            while True:
                now = await self._counted(hosts)
                at_ns = monotonic_ns()
                for link in now:
                    if link not in seen_ns and _grown("probe_forwarded", link, before, now):
                        seen_ns[link] = at_ns
                late = at_ns - started_ns > MEASURE_LIMIT_S * NS_PER_S
                if late or all(_accounted(link, before, now) for link in now):
                    break
            with contextlib.suppress(EnvironmentTrouble):
                await sending
        finally:
            sending.cancel()
            await asyncio.wait([sending])
        waits = await self._waits(hosts)
        taken_ns = {link: at_ns - started_ns for link, at_ns in seen_ns.items()}
        if self._quickest_ns is None:
            self._quickest_ns = min(taken_ns.values(), default=0)
        return {
            link: _reading(counts, taken_ns.get(link), self._quickest_ns, waits.get(link, 0))
            for link, counts in now.items()
        }

    async def _counted(self, hosts: Sequence[Host]) -> dict[Link, dict[str, int]]:
        """The counters of all links, each read where they are kept."""
        readings = await together(self._counters(host) for host in hosts)
        return {
            link: firewall.of_link(link, counted)
            for host, counted in zip(hosts, readings, strict=True)
            for link in self._place(host).links
        }

    async def _counters(self, host: Host) -> dict[str, int]:
        argv = ["nft", "-j", "list", "counters", "table", *firewall.TABLE.split()]
        ended = await host.run(argv, root=True)
        try:
            return firewall.counters(ended.out)
        except msgspec.MsgspecError as wrong:
            raise EnvironmentTrouble(
                f"{host} does not tell our counters: {ended.complaint}. Did its dead-man timer, or "
                "somebody else, remove our firewall table?"
            ) from wrong

    async def _send(self, host: Host) -> None:
        peers = [h.known.address for n, h in self._hosts.items() if n != host.name]
        targets = [f"{address}/{PROBE_PORT}" for address in (*peers, host.known.seen_from)]
        await host.run(["bash", "-c", SEND, "send", str(PROBES), *targets])

    async def _send_as_client(self, hosts: Iterable[Host]) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for host in hosts:
                for _ in range(PROBES):
                    # A rule of this machine's own may refuse it: then the counter tells.
                    with contextlib.suppress(OSError):
                        sender.sendto(b"\n", (host.connection.reached_at, PROBE_PORT))

    async def _waits(self, hosts: Sequence[Host]) -> dict[Link, int]:
        """How often packets had to wait for a narrow link."""
        found: dict[Link, int] = {}
        narrow = {
            src for f in self._faults.values() if isinstance(f, Throttle) for src, _ in f.links
        }
        for host in hosts:
            if host.name not in narrow:
                continue
            for device in {d for (src, _), d in self._devices.items() if src == host.name}:
                ended = await host.run(["tc", "-s", "class", "show", "dev", device], root=True)
                times = shaping.waited(ended.text)
                for i, link in enumerate(self._leaving(host)):
                    found[link] = found.get(link, 0) + times.get(FIRST_CLASS + i, 0)
        return found


Counts = Mapping[Link, Mapping[str, int]]


def _grown(kind: str, link: Link, before: Counts, now: Counts) -> int:
    return now[link][kind] - before.get(link, {}).get(kind, 0)


def _accounted(link: Link, before: Counts, now: Counts) -> bool:
    """Has every probe arrived, or been seen to be dropped?"""
    passed = _grown("probe_forwarded", link, before, now)
    return passed + _grown("probe_dropped", link, before, now) >= PROBES


def _reading(
    counts: Mapping[str, int], taken_ns: int | None, quickest_ns: int, waits: int
) -> LinkReading:
    late_ns = None if taken_ns is None else max(0, taken_ns - quickest_ns)
    return LinkReading(
        reachable=taken_ns is not None,
        delay_ms=None if late_ns is None else round(late_ns / 1e6, 3),
        forwarded=counts["forwarded"],
        dropped=counts["dropped"],
        duplicated=0,
        reordered=0,
        delayed=waits,
    )
