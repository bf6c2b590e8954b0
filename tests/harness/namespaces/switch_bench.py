"""A bench for the switch, inside a world: hosts a, b and c, and sockets in their networks."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from harness.clock import monotonic_ns
from harness.clusters.namespaces import switch_devices
from harness.clusters.namespaces.switch import SwitchNetwork
from harness.clusters.namespaces.system_calls import in_net
from nemesis.capabilities import LinkReading
from nemesis.faults import CLIENT

HOSTS = {"a": "10.99.0.1", "b": "10.99.0.2", "c": "10.99.0.3"}
CLIENT_IP = "10.99.0.254"
IPS = {**HOSTS, CLIENT: CLIENT_IP}
AB, BA, CB = ("a", "b"), ("b", "a"), ("c", "b")
PORT = 7000
LIMIT_S = 8.0

Clause = Callable[[SwitchNetwork], Awaitable[None]]


@contextlib.asynccontextmanager
async def wired(*, tun: bool = True, seed: int = 1) -> AsyncIterator[SwitchNetwork]:
    if not tun:
        switch_devices.TUN = "/no/such/device"
    elif not switch_devices.tun_can_be_opened():
        pytest.skip(f"{switch_devices.TUN} cannot be opened: chmod 0666 as root, or modprobe tun")
    with tempfile.TemporaryDirectory() as place:
        log = Path(place) / "switch.log"
        network = SwitchNetwork(HOSTS, CLIENT_IP, seed, log=log)
        await network.wire()
        assert network.by_tun is tun
        try:
            yield network
        finally:
            await network.close()
        assert log.read_text() == ""


async def play(clause: Clause, *, tun: bool = True) -> None:
    async with wired(tun=tun) as network, asyncio.timeout(3 * LIMIT_S):
        await clause(network)


def made_in(host: str, make: Callable[[], socket.socket]) -> socket.socket:
    return make() if host == CLIENT else in_net(host, make)


class Post:
    """A UDP socket of a host that keeps what comes, with its time."""

    def __init__(self, host: str, port: int = PORT) -> None:
        self.host = host
        self.got: list[bytes] = []
        self.times_ms: list[float] = []
        self._port = port
        self._news = asyncio.Event()
        self._socket = made_in(host, partial(_datagrams, IPS[host], port))
        self._began_ns = monotonic_ns()
        asyncio.get_running_loop().add_reader(self._socket, self._hear)

    def __enter__(self) -> Post:
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def send(self, dst: str, *payloads: bytes) -> None:
        self._began_ns = monotonic_ns()
        for payload in payloads:
            self._socket.sendto(payload, (IPS[dst], self._port))

    def restart(self) -> None:
        """From now on count time, and what comes, anew."""
        self.got, self.times_ms, self._began_ns = [], [], monotonic_ns()

    async def until(self, count: int) -> list[bytes]:
        """What came, once it is so many."""
        async with asyncio.timeout(LIMIT_S):
            while len(self.got) < count:
                self._news.clear()
                await self._news.wait()
        return self.got

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.got.append(self._socket.recv(65536))
                self.times_ms.append((monotonic_ns() - self._began_ns) / 1e6)
                self._news.set()


def numbered(count: int) -> list[bytes]:
    return [b"%04d" % n for n in range(count)]


async def reading(network: SwitchNetwork, link: tuple[str, str] = AB) -> LinkReading:
    return (await network.counters())[link]


async def settled(network: SwitchNetwork, count: int, link: tuple[str, str] = AB) -> LinkReading:
    """The counters of a link once so many of its packets have met their fate."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            now = await reading(network, link)
            if now.forwarded + now.dropped >= count:
                return now


class Listener:
    """A TCP server in a host, with the connections that came to it."""

    def __init__(self, host: str) -> None:
        self._socket = made_in(host, partial(socket.create_server, (IPS[host], PORT)))
        self._socket.setblocking(False)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    async def accept(self) -> socket.socket:
        made, _ = await asyncio.get_running_loop().sock_accept(self._socket)
        return made


async def dial(src: str, dst: str) -> socket.socket:
    """A connection from `src` to the listener of `dst`."""
    made = made_in(src, partial(socket.socket, socket.AF_INET, socket.SOCK_STREAM))
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        await asyncio.get_running_loop().sock_connect(made, (IPS[dst], PORT))
    except BaseException:
        made.close()
        raise
    return made


async def receive(connection: socket.socket, count: int) -> bytes:
    """So many bytes."""
    got = b""
    async with asyncio.timeout(LIMIT_S):
        while len(got) < count:
            more = await asyncio.get_running_loop().sock_recv(connection, count - len(got))
            assert more, f"the connection ended after {got!r}"
            got += more
    return got


async def send(connection: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(connection, data)


def _datagrams(ip: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    made.bind((ip, port))
    return made
