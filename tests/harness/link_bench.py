"""A bench for links on real sockets: two nodes, of which b listens, all in one loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from harness.clusters.links import LinkNetwork
from harness.clusters.ports import Port, take
from harness.contracts import Framing
from nemesis.faults import (
    LinkFault,
)

LIMIT_S = 8.0
AB, BA = ("a", "b"), ("b", "a")
STREAM = {"peer": Framing("stream"), "client": Framing("stream")}
FRAMED = {"peer": Framing("length"), "client": Framing("line")}


def frame(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "big") + payload


async def eventually(condition: Callable[[], bool]) -> None:
    """Waits, bounded, for what the loop will have done in some later turn."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110 - what is awaited has no event
            await asyncio.sleep(0.001)


class Peer(asyncio.Protocol):
    """A socket of a test: keeps what comes, and lets the test wait for it."""

    def __init__(self) -> None:
        self.got = bytearray()
        self.ended: Exception | str | None = "open"
        self.news = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.got += data
        self.news.set()

    def eof_received(self) -> bool:
        self.ended = None
        self.news.set()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if self.ended == "open":
            self.ended = exc
        self.news.set()

    async def until(self, condition: Callable[[Peer], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not condition(self):
                self.news.clear()
                await self.news.wait()

    async def receive(self, expected: bytes) -> None:
        """Waits for exactly these bytes, and takes them."""
        await self.until(lambda peer: len(peer.got) >= len(expected))
        assert bytes(self.got) == expected
        self.got.clear()

    async def reset(self) -> None:
        """Waits until the connection is broken by the other side."""
        await self.until(lambda peer: peer.ended != "open")
        assert isinstance(self.ended, ConnectionResetError), f"ended by {self.ended!r}"


class Bench:
    """Nodes a and b on a network; node b listens, on its peer port, in this process."""

    def __init__(self, network: LinkNetwork) -> None:
        self.network = network
        self.port: Port = take(Random())
        self.accepted: list[Peer] = []
        self.taken = 0  # so many of them went to the test
        self.dialled: list[Peer] = []
        self.server: asyncio.Server | None = None

    async def listen(self) -> None:
        """Node b comes up, and its door opens."""

        def accept() -> Peer:
            self.accepted.append(Peer())
            return self.accepted[-1]

        loop = asyncio.get_running_loop()
        self.port.release()
        self.server = await loop.create_server(accept, *self.port.address)
        self.network.expect("b", {"peer": self.port.address})
        await self.network._targets["b", "peer"].up.wait()
        (await self.accept()).transport.abort()  # the search for the port

    async def accept(self) -> Peer:
        """The next connection that node b gets, and so on."""
        self.taken += 1
        await eventually(
            lambda: (
                len(self.accepted) >= self.taken
                and hasattr(self.accepted[self.taken - 1], "transport")
            )
        )
        return self.accepted[self.taken - 1]

    async def dial(self) -> Peer:
        loop = asyncio.get_running_loop()
        _, peer = await loop.create_connection(Peer, *self.network.address(*AB))
        self.dialled.append(peer)
        return peer

    async def pair(self) -> tuple[Peer, Peer]:
        """A connection from a to b: a's side, b's side."""
        near = await self.dial()
        return near, await self.accept()

    async def close(self) -> None:
        for peer in self.accepted + self.dialled:
            if hasattr(peer, "transport"):
                peer.transport.abort()
        if self.server is not None:
            self.server.close()
        await self.network.close()
        await asyncio.sleep(0)


def on_bench(
    test: Callable[[Bench], Awaitable[None]], framings: dict[str, Framing] = FRAMED
) -> None:
    async def main() -> None:
        network = LinkNetwork(["a", "b"], framings, seed=3)
        network.open(Random())
        bench = Bench(network)
        try:
            await bench.listen()
            await test(bench)
        finally:
            await bench.close()

    asyncio.run(main())


async def apply(bench: Bench, id_: int, fault: LinkFault) -> None:
    await bench.network.apply(id_, fault)
