"""Partitions between hosts: every topology cuts its links and no others, for all that is sent."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import threading
from collections.abc import Callable, Iterator
from itertools import permutations
from random import Random

import pytest

from harness.clusters.namespaces import hosts
from harness.clusters.namespaces.network import HostNetwork
from harness.clusters.namespaces.system_calls import in_net
from nemesis import topologies
from nemesis.faults import CLIENT, Link, Partition
from tests.harness.namespaces.inside import run_inside

ADDRESSES = hosts.addresses(["n1", "n2", "n3", "n4", "n5"])
IPS = {**ADDRESSES, CLIENT: hosts.CLIENT_IP}
LINKS = set(permutations(IPS, 2))
PORT = 7001
QUIET_S = 0.1  # what is not there by then does not come: nothing takes a millisecond here


@contextlib.asynccontextmanager
async def opened():
    network = HostNetwork(ADDRESSES, None)
    await network.open()
    try:
        yield network
    finally:
        await network.close()


def at(host: str, make: Callable[[], socket.socket]) -> socket.socket:
    return make() if host == CLIENT else in_net(host, make)


def datagrams() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    made.bind(("", PORT))
    made.settimeout(QUIET_S)
    return made


@contextlib.contextmanager
def on_all(make: Callable[[], socket.socket]) -> Iterator[dict[str, socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(at(name, make)) for name in IPS}


def heard(sockets: dict[str, socket.socket]) -> set[Link]:
    """The links over which something came, until all are quiet."""
    names = {ip: name for name, ip in IPS.items()}
    found: set[Link] = set()

    def listen(name: str) -> None:
        with contextlib.suppress(TimeoutError):
            while True:
                src = names[sockets[name].recvfrom(100)[1][0]]
                if src != name:  # a broadcast comes home as well
                    found.add((src, name))

    threads = [threading.Thread(target=listen, args=(name,)) for name in sockets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def over_udp(sockets: dict[str, socket.socket]) -> set[Link]:
    for src, dst in LINKS:
        with contextlib.suppress(PermissionError):  # the firewall tells the sender itself
            sockets[src].sendto(b"x", (IPS[dst], PORT))
    return heard(sockets)


def over_broadcast(sockets: dict[str, socket.socket]) -> set[Link]:
    for src, sender in sockets.items():
        with contextlib.suppress(PermissionError):
            sender.sendto(b"x", (f"{hosts.PREFIX}.255", PORT))
        del src
    return heard(sockets)


def listener() -> socket.socket:
    made = socket.create_server(("", PORT), backlog=64)
    made.setblocking(False)
    return made


def dialling() -> socket.socket:
    made = socket.socket()
    made.setblocking(False)
    return made


async def over_tcp() -> dict[Link, int]:
    """What came of a connection over each link: 0, or the error; ETIMEDOUT where nothing came."""
    loop = asyncio.get_running_loop()

    async def dial(link: Link) -> int:
        with at(link[0], dialling) as made:
            try:
                async with asyncio.timeout(QUIET_S):
                    await loop.sock_connect(made, (IPS[link[1]], PORT))
            except TimeoutError:
                return errno.ETIMEDOUT
            except OSError as wrong:
                return wrong.errno or 0
            return 0

    links = sorted(LINKS)
    with on_all(listener):
        return dict(zip(links, await asyncio.gather(*map(dial, links)), strict=True))


def both_ways(links: set[Link]) -> set[Link]:
    """Those over which a connection can come about: TCP needs the way back."""
    return {(a, b) for a, b in links if (b, a) in links}


async def _every_topology() -> None:
    random = Random(1)
    async with opened() as network:
        with on_all(datagrams) as sockets:
            assert over_udp(sockets) == LINKS
            assert over_broadcast(sockets) == LINKS
            names = sorted(set(topologies.TOPOLOGIES) - {"explicit"})  # its links are its own
            for number, name in enumerate(names, 1):
                chosen = random.sample(list(ADDRESSES), 2)
                cut = set(topologies.links_of(name, list(ADDRESSES), chosen, random))
                assert cut, name
                await network.apply(number, Partition(links=tuple(cut)))
                assert over_udp(sockets) == LINKS - cut, name
                assert over_broadcast(sockets) == LINKS - cut, name
                connected = {link for link, error in (await over_tcp()).items() if error == 0}
                assert connected == both_ways(LINKS - cut), name
                read = await network.measure()
                assert {link for link in read if not read[link].reachable} == cut, name
                await network.undo(number)
            assert over_udp(sockets) == LINKS


def every_topology() -> None:
    asyncio.run(_every_topology())


async def _resets() -> None:
    cut = {("n1", "n2"), ("n2", "n1"), ("n3", CLIENT), (CLIENT, "n3"), ("n4", "n5")}
    async with opened() as network:
        await network.apply(1, Partition(links=tuple(cut), mode="reset"))
        results = await over_tcp()
        # n5 may speak to n4, but what n4 answers is refused on its way, with a reset to n4.
        refused = {link for link in results if results[link] == errno.ECONNREFUSED}
        assert refused == cut, results
        silent = {link for link in results if results[link] == errno.ETIMEDOUT}
        assert silent <= {("n5", "n4")}, silent
        with on_all(datagrams) as sockets:
            assert over_udp(sockets) == LINKS - cut
        await network.undo(1)
        assert set((await over_tcp()).values()) == {0}


def resets() -> None:
    asyncio.run(_resets())


def pair(a: str, b: str) -> tuple[socket.socket, socket.socket]:
    """An established connection."""
    with at(b, listener) as server:
        made = at(a, socket.socket)
        made.connect((IPS[b], PORT))
        server.settimeout(QUIET_S)
        other, _ = server.accept()
    for end in (made, other):
        end.settimeout(QUIET_S)
    return made, other


async def _established() -> None:
    async with opened() as network:
        quiet, resetting = Partition(links=(("n1", "n2"),)), ("n3", "n4")
        made, other = pair("n1", "n2")
        with made, other:
            await network.apply(1, quiet)
            made.sendall(b"x")
            with pytest.raises(TimeoutError):
                other.recv(1)
            await network.undo(1)
            assert other.recv(1) == b"x", "TCP sends it again once the cut is gone"
        for sender in (0, 1):
            ends = pair(*resetting)
            with ends[0], ends[1]:
                cut = (resetting, resetting[::-1])
                await network.apply(2, Partition(links=cut, mode="reset"))
                ends[sender].sendall(b"x")
                with pytest.raises(ConnectionResetError):
                    ends[sender].recv(1)
                await network.undo(2)


def established() -> None:
    asyncio.run(_established())


async def _counters() -> None:
    async with opened() as network:
        with on_all(datagrams) as sockets:
            before = await network.measure()
            await network.apply(1, Partition(links=(("n1", "n2"),)))
            for _ in range(7):
                sockets["n1"].sendto(b"x", (IPS["n2"], PORT))
            for _ in range(5):
                sockets["n2"].sendto(b"x", (IPS["n1"], PORT))
            heard(sockets)
            after = await network.measure()
    changed = {
        link: (after[link].forwarded - then.forwarded, after[link].dropped - then.dropped)
        for link, then in before.items()
    }
    assert {link: change for link, change in changed.items() if change != (0, 0)} == {
        ("n1", "n2"): (0, 7),
        ("n2", "n1"): (5, 0),
    }


def counters() -> None:
    asyncio.run(_counters())


def test_every_topology_cuts_its_links_and_no_others() -> None:
    """By TCP, UDP, broadcast and the probes of our own: the same matrix."""
    run_inside(every_topology)


def test_a_cut_that_resets_refuses_connections() -> None:
    """On both ends of each link, the clients' included, and other protocols are dropped."""
    run_inside(resets)


def test_established_connections_are_cut_as_well() -> None:
    """Silently they go on afterwards; a cut that resets ends them, whoever of the two speaks."""
    run_inside(established)


def test_counters_are_exact() -> None:
    """Every packet counts once, on its link, and probes count nowhere."""
    run_inside(counters)
