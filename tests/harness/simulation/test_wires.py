"""Connections of clients: byte streams, as over TCP, through links that can fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.machine import ClientRequest, Effect, Event, Machine, Random, Reply
from harness.simulation.breaking import SimulatedClients, SimulatedNetwork
from harness.simulation.choices import Choices
from harness.simulation.fence import Fence
from harness.simulation.links import Latency
from harness.simulation.loop import VirtualLoop
from harness.simulation.settings import Settings
from harness.simulation.wires import CLIENT_PORT, DIRECT_PORT, ClientLink, Wire
from harness.simulation.world import World
from nemesis.faults import CLIENT, Hold, Partition

BOTH = ((CLIENT, "n1"), ("n1", CLIENT))


class Echo:
    """Answers each request with its value, and remembers it."""

    def __init__(self, heard: list[Any]) -> None:
        self._heard = heard

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        if not isinstance(event, ClientRequest):
            return []
        self._heard.append(event.request.get("value"))
        return [Reply(event.id, {"ok": event.request.get("value")})]


class Client(asyncio.Protocol):
    """`heard`: lines with their times in ms. `lost`: why the connection ended, once it has."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.heard: list[tuple[float, Any]] = []
        self.lost: list[Exception | None] = []
        self.wire: Wire | None = None
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, Wire)
        self.wire = transport

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self.heard += [(self._loop.now_ns / 1e6, json.loads(line)) for line in lines]

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)

    def write(self, data: bytes) -> None:
        assert self.wire is not None
        self.wire.write(data)

    def ask(self, value: Any) -> None:
        self.write(json.dumps({"id": value, "value": value}).encode() + b"\n")

    @property
    def values(self) -> list[Any]:
        return [answer.get("ok") for _, answer in self.heard]


class Stage:
    def __init__(self, seed: int = 1) -> None:
        self.loop = VirtualLoop()
        self.heard: list[Any] = []  # by the node, in all its lives
        self.world = World(
            ["n1"],
            self._build,
            loop=self.loop,
            choices=Choices(seed),
            settings=Settings(),
            fence=Fence(),
        )
        self.node = self.world.nodes["n1"]
        self.network = SimulatedNetwork(self.world)
        self.node.start()

    def _build(self, name: str, peers: Sequence[str], random: Random) -> Machine:  # noqa: ARG002
        return Echo(self.heard)

    async def dial(self, port: int = CLIENT_PORT) -> Client:
        _, protocol = await self.loop.create_connection(lambda: Client(self.loop), "n1", port)
        assert isinstance(protocol, Client)
        return protocol

    def play(self, main: Coroutine[Any, Any, None]) -> None:
        try:
            self.loop.run_until_complete(main)
        finally:
            self.loop.end_tasks()
            self.loop.close()


async def ms(time: float) -> None:
    await asyncio.sleep(time / 1000)


@settings(max_examples=30)
@given(st.integers(0, 99), st.lists(st.integers(1, 30), min_size=1, max_size=20))
def test_a_byte_stream_arrives_in_order_and_once(seed: int, cuts: list[int]) -> None:
    """Rule 1: however it is cut into writes, through links that delay each as they like, and
    through a hold that ends in the middle."""
    stage = Stage(seed)

    async def main() -> None:
        client = await stage.dial()
        await stage.network.apply(1, Hold(links=BOTH))
        data = b"".join(json.dumps({"id": n, "value": n}).encode() + b"\n" for n in range(20))
        for size in cuts:
            client.write(data[:size])
            data = data[size:]
            await ms(0.3)
            if size == cuts[len(cuts) // 2]:
                await stage.network.undo(1)
        client.write(data)
        await ms(50)
        assert list(range(20)) == stage.heard == client.values

    stage.play(main())


def test_bytes_that_arrive_when_a_hold_ends_stand_behind_what_was_held() -> None:
    """In the very moment: a stream whose later bytes came first would be another stream."""
    loop, arrived = VirtualLoop(), []
    link = ClientLink((CLIENT, "n1"), loop, Choices(1), Latency(least_us=200, spread_us=0))
    for at_us in (0, 300):
        act = partial(arrived.append, at_us)
        loop.at(at_us * 1000, lambda act: link.carry(1, 0, lambda _: act()), act)
    loop.at(100_000, lambda _: link.apply(1, Hold()), None)
    loop.at(500_000, lambda _: link.undo(1), None)
    loop.run_until_complete(ms(10))
    loop.close()
    assert [0, 300] == arrived


def test_a_silent_cut_holds_everything_back_until_it_is_over() -> None:
    """Rule 1: requests and answers, and the connecting of others."""
    stage = Stage()

    async def main() -> None:
        client = await stage.dial()
        await stage.network.apply(1, Partition(links=BOTH))
        client.ask(1)
        dialling = asyncio.create_task(stage.dial())
        await ms(100)
        assert ([], [], False) == (stage.heard, client.heard, dialling.done())
        await stage.network.undo(1)
        await ms(10)
        assert ([1], [1], True) == (stage.heard, client.values, dialling.done())
        assert [] == client.lost

    stage.play(main())


def test_a_one_way_cut_lets_the_other_way_through() -> None:
    """The request takes effect, its answer waits."""
    stage = Stage()

    async def main() -> None:
        client = await stage.dial()
        await stage.network.apply(1, Partition(links=BOTH[1:]))
        client.ask(1)
        await ms(10)
        assert ([1], []) == (stage.heard, client.heard)

    stage.play(main())


def test_a_cut_that_resets_breaks_connections_and_refuses_new_ones() -> None:
    """Rule 1: at both ends, so that what was under way never takes effect, also later."""
    stage = Stage()

    async def main() -> None:
        client = await stage.dial()
        client.ask(1)
        await stage.network.apply(1, Partition(mode="reset", links=BOTH))
        await ms(1)
        assert isinstance(client.lost[0], ConnectionResetError)
        assert await refused(stage)
        await stage.network.undo(1)
        await ms(10)
        assert [] == stage.heard
        assert not await refused(stage)

    stage.play(main())


async def refused(stage: Stage) -> bool:
    try:
        await stage.dial()
    except ConnectionRefusedError:
        return True
    return False


def test_a_dead_node_refuses_and_its_connections_break() -> None:
    """Rule 2: what it had answered arrives before that."""
    stage = Stage()

    async def main() -> None:
        client = await stage.dial()
        client.ask(1)
        while not stage.heard:
            await ms(0.01)
        stage.node.kill()
        await ms(10)
        assert ([1], True) == (client.values, isinstance(client.lost[0], ConnectionResetError))
        assert await refused(stage)

    stage.play(main())


def test_a_connection_ends_with_the_life_of_the_node() -> None:
    """Rule 2: the next life never reads what was sent to the one before, though the client has not
    heard of its death."""
    stage = Stage()

    async def main() -> None:
        client = await stage.dial()
        await stage.network.apply(1, Partition(links=BOTH[1:]))
        stage.node.kill()
        stage.node.start()
        client.ask(1)
        await ms(10)
        assert ([], []) == (stage.heard, client.lost)
        await stage.network.undo(1)
        await ms(10)
        assert 1 == len(client.lost)

    stage.play(main())


def test_a_node_that_dies_while_it_accepts_leaves_a_broken_connection() -> None:
    """It had said yes; the client hears of the reset, and no later life knows the connection."""
    stage = Stage()

    async def main() -> None:
        await stage.network.apply(1, Hold(links=BOTH[1:]))  # its yes is on its way
        dialling = asyncio.create_task(stage.dial())
        await ms(5)
        stage.node.kill()
        stage.node.start()
        await stage.network.undo(1)
        client = await dialling
        client.ask(1)
        await ms(10)
        assert ([], 1) == (stage.heard, len(client.lost))

    stage.play(main())


def test_a_paused_node_accepts_and_says_nothing() -> None:
    """Rule 2, neither to requests nor to nonsense; it answers when it goes on, in order."""
    stage = Stage()

    async def main() -> None:
        stage.node.pause()
        client = await stage.dial()
        client.ask(1)
        client.write(b"nonsense\n")
        client.ask(2)
        await ms(100)
        assert [] == client.heard
        stage.node.resume()
        await ms(10)
        assert [1, None, 2] == client.values
        assert "malformed" == client.heard[1][1]["error"]["code"]

    stage.play(main())


def test_half_a_line_waits_for_the_other_half() -> None:
    """Rule 4; and half a line of a connection that ended is nobody's."""
    stage = Stage()

    async def main() -> None:
        one, two = await stage.dial(), await stage.dial()
        one.write(b'{"id": 1, ')
        two.write(b'{"id": 2, "value": 2}\n{"val')
        await ms(10)
        one.write(b'"value": 1}\n\n')
        await ms(10)
        assert ([2, 1], [1], [2]) == (stage.heard, one.values, two.values)

    stage.play(main())


def test_a_malformed_line_is_answered_and_the_next_one_read() -> None:
    """Rule 4: what is no object of JSON never reaches the machine."""
    stage = Stage()

    async def main() -> None:
        client = await stage.dial()
        client.write(b'[1]\n"x"\n{"id": 7}\n' + b"[" * 100_000 + b"\n\xff\n")
        await ms(10)
        codes = [answer.get("error", {}).get("code") for _, answer in client.heard]
        assert ["malformed", "malformed", None, "malformed", "malformed"] == codes
        assert [None] == stage.heard

    stage.play(main())


def test_the_direct_port_is_no_part_of_the_world() -> None:
    """Rule 3: the harness asks through any cut."""
    stage = Stage()

    async def main() -> None:
        await stage.network.apply(1, Partition(mode="reset", links=BOTH))
        client = await stage.dial(DIRECT_PORT)
        client.ask(1)
        await ms(1)
        assert [1] == client.values

    stage.play(main())


def test_clients_vanish_and_their_requests_do_not() -> None:
    """What a crashed client had asked for happens; its answer is nobody's."""
    stage = Stage()

    async def main() -> None:
        clients = [await stage.dial() for _ in range(4)]
        for number, client in enumerate(clients):
            client.ask(number)
        assert 2 == await SimulatedClients(stage.world).crash(0.5)
        await ms(10)
        assert [0, 1, 2, 3] == sorted(stage.heard)
        assert [0, 0, 1, 1] == sorted(len(client.lost) for client in clients)
        assert all(bool(client.lost) != bool(client.heard) for client in clients)

    stage.play(main())
