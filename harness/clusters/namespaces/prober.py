"""What a link between hosts does now: UDP tokens, sent from the one host and heard in the other.

Rules
1. The sockets belong to this process and live in the hosts' networks: a token goes the way of
   every packet, and whether the node itself lives is another question.
2. One clock measures both ends, so a delay is of one way.
3. Several tokens, since one may be lost by chance. A link that is known to be cut is waited for
   only as long as the others take; a token that comes all the same counts.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from itertools import permutations
from statistics import median

from harness.clock import monotonic_ns
from harness.clusters.namespaces.firewall import PROBE_PORT
from harness.clusters.namespaces.hosts import CLIENT_IP
from harness.clusters.namespaces.system_calls import in_net
from nemesis.faults import CLIENT, Link

TOKENS = 3
LIMIT_S = 0.8
GRACE_S = 0.02  # for tokens on a link that should be cut, once all others have come
READ_BYTES = 64


class Prober:
    """Between `open` and `close`, in the running loop. `hosts`: name to address."""

    def __init__(self, hosts: Mapping[str, str]) -> None:
        self._ips = {**hosts, CLIENT: CLIENT_IP}
        self._names = {ip: name for name, ip in self._ips.items()}
        self._sockets: dict[str, socket.socket] = {}
        self._round = 0
        self._delays_ns: dict[Link, list[int]] = {}
        self._awaited: set[Link] = set()
        self._all_came = asyncio.Event()
        self._turn = asyncio.Lock()

    @property
    def links(self) -> list[Link]:
        return list(permutations(self._ips, 2))

    def open(self) -> None:
        loop = asyncio.get_running_loop()
        for name, ip in self._ips.items():
            bind = partial(_bound, ip)
            made = bind() if name == CLIENT else in_net(name, bind)
            self._sockets[name] = made
            loop.add_reader(made.fileno(), self._hear, name)

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        for made in self._sockets.values():
            loop.remove_reader(made.fileno())
            made.close()
        self._sockets.clear()

    async def delays_ms(self, cut: Collection[Link] = ()) -> dict[Link, float | None]:
        """The delay of each link, in milliseconds; None where nothing came through. `cut`: links
        from which nothing is expected."""
        async with self._turn:
            self._round += 1
            self._delays_ns = {link: [] for link in self.links}
            self._awaited = set(self.links).difference(cut)
            self._all_came.clear()
            self._send(self.links)
            try:
                async with asyncio.timeout(LIMIT_S):
                    await self._all_came.wait()
            except TimeoutError:
                pass  # what did not come is what we wanted to know
            else:
                await asyncio.sleep(GRACE_S if cut else 0)
            return {
                link: round(median(found) / 1e6, 3) if found else None
                for link, found in self._delays_ns.items()
            }

    def _send(self, links: Iterable[Link]) -> None:
        for src, dst in links:
            for _ in range(TOKENS):
                token = b"%d %d" % (self._round, monotonic_ns())
                try:
                    self._sockets[src].sendto(token, (self._ips[dst], PROBE_PORT))
                except OSError:  # the firewall says no to the sender itself: not sent, not heard
                    break
        if not self._awaited:
            self._all_came.set()

    def _hear(self, name: str) -> None:
        while True:
            try:
                data, (ip, _) = self._sockets[name].recvfrom(READ_BYTES)
            except BlockingIOError:
                return
            now_ns, words = monotonic_ns(), data.split()
            link = (self._names.get(ip, ""), name)
            if link not in self._delays_ns or len(words) != 2 or int(words[0]) != self._round:
                continue
            self._delays_ns[link].append(now_ns - int(words[1]))
            self._awaited.discard(link)
            if not self._awaited:
                self._all_came.set()


def _bound(ip: str) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    made.bind((ip, PROBE_PORT))
    return made
