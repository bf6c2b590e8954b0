"""Connections between clients and nodes: byte streams, as over TCP, through links that can fail.

Rules
1. What is written arrives in order and once. A silent cut or a hold keeps it back until it is over;
   a cut that resets ends the connection at both ends, and refuses new ones.
2. A node that is down refuses; one that is paused accepts, as its kernel would, and says nothing.
   When a process dies its connections are reset, as far as the network lets the reset through.
3. Port CLIENT goes through the clients' links. Port DIRECT does not: it is for the harness to ask
   a node how it is, and is no part of the world.
4. A node reads one JSON object a line and answers each with one line, by its `id`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from math import inf
from random import Random
from typing import Any

import msgspec

from harness.brief import brief
from harness.contracts import Address
from harness.simulation.choices import Choices
from harness.simulation.links import Counts, Latency, Rules, slowness_us
from harness.simulation.log import WorldLog
from harness.simulation.loop import VirtualLoop
from harness.simulation.node import Node
from nemesis.faults import CLIENT, Link, LinkFault

CLIENT_PORT, DIRECT_PORT = 1, 0
DIRECT_NS = 100_000

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class ClientLink:
    """One direction between the clients and a node, for all their connections."""

    def __init__(self, link: Link, loop: VirtualLoop, choices: Choices, latency: Latency) -> None:
        self.link = link
        self.counts = Counts()
        self.rules = Rules({})
        self._loop, self._choices, self._latency = loop, choices, latency
        self._name = f"{link[0]}>{link[1]}"
        self._delays = choices.stream(self._name)
        self._faults: dict[int, LinkFault] = {}
        self._held: list[Callable[[None], None]] = []
        self._free_ns = 0

    def carry(self, size: int, latest_ns: int, act: Callable[[None], None]) -> int:
        """Have `act` called when so many bytes have arrived, not before `latest_ns`; when that is,
        unless faults come between."""
        self._free_ns = max(self._loop.now_ns, self._free_ns)
        if self.rules.rate < inf:
            self._free_ns += int(size / self.rules.rate * 1e9)
        extra_us = self._delays.take(self._latency.extra)
        for fault in self.rules.slows:
            slow = self._choices.stream(f"{self._name} slow")
            extra_us += slow.take(partial(slowness_us, fault))
        due_ns = max(latest_ns, self._free_ns + (self._latency.least_us + extra_us) * 1000)
        self._loop.at(due_ns, self._arrive, act)
        return due_ns

    def _arrive(self, act: Callable[[None], None]) -> None:
        if self.rules.shut or self._held:
            self._held.append(act)
            return
        self.counts.forwarded += 1
        act(None)

    def probe(self, back: Callable[[int | None], None]) -> None:
        """As PeerLink.probe."""
        sent_ns = self._loop.now_ns
        delay_us = sum(slowness_us(f, Random(0)) for f in self.rules.slows)

        def arrive(_: None) -> None:
            back(None if self.rules.shut else self._loop.now_ns - sent_ns)

        self._loop.at(sent_ns + (self._latency.least_us + delay_us) * 1000, arrive, None)

    def apply(self, id_: int, fault: LinkFault) -> None:
        self._faults[id_] = fault
        self.rules = Rules(self._faults)

    def undo(self, id_: int) -> None:
        if self._faults.pop(id_, None) is None:
            return
        self.rules = Rules(self._faults)
        if not self.rules.shut and self._held:
            self._loop.at(self._loop.now_ns, self._release, None)

    def _release(self, _: None) -> None:
        """What was kept back arrives in its order, before what arrives at the same moment."""
        if self.rules.shut:
            return
        released, self._held = self._held, []
        for act in released:
            self._arrive(act)


class Wire(asyncio.Transport):
    """One connection, the client's end. `up` and `down` are None for a direct one."""

    def __init__(
        self,
        loop: VirtualLoop,
        port: NodePort,
        protocol: asyncio.BaseProtocol,
        up: ClientLink | None,
        down: ClientLink | None,
    ) -> None:
        super().__init__()
        self._loop, self._port, self._protocol = loop, port, protocol
        self._up, self._down = up, down
        self._up_ns = self._down_ns = 0  # arrival of the last bytes each way
        self._closed = False  # at the client's end
        self._gone = False  # at the node's end: its process is not there, or was told
        self._rest = b""

    @property
    def through_links(self) -> bool:
        return self._up is not None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closed:
            return
        content = bytes(data)
        arrived = self._port.told(self, CLIENT, content)

        def arrive(_: None) -> None:
            arrived()
            if not self._gone:
                self._port.read(self, content)

        self._up_ns = self._carried(self._up, len(content), self._up_ns, arrive)

    def answer(self, line: bytes) -> None:
        """The node writes."""
        arrived = self._port.told(self, self._port.name, line)

        def arrive(_: None) -> None:
            if not self._closed:
                arrived()
                self._heard(line)

        self._down_ns = self._carried(self._down, len(line), self._down_ns, arrive)

    def broken(self) -> None:
        """The node's end is gone with its process: what still arrives there nobody reads."""
        self._gone = True
        self._down_ns = self._carried(self._down, 0, self._down_ns, lambda _: self.reset())

    def reset(self) -> None:
        """The client's end was reset, now. What it had sent is on its way."""
        self._lost(ConnectionResetError("the node closed the connection"))

    def vanish(self) -> None:
        """The client is gone. What it had sent is on its way."""
        self._lost(ConnectionAbortedError("this client was ended"))

    def cut(self) -> None:
        """The network reset both ends, now: what was under way is lost with the connection."""
        self._gone = True
        self.reset()

    def _carried(
        self, link: ClientLink | None, size: int, latest_ns: int, act: Callable[[None], None]
    ) -> int:
        if link is not None:
            return link.carry(size, latest_ns, act)
        due_ns = max(latest_ns, self._loop.now_ns + DIRECT_NS)
        self._loop.at(due_ns, act, None)
        return due_ns

    def _heard(self, data: bytes) -> None:
        if isinstance(self._protocol, asyncio.Protocol):
            self._protocol.data_received(data)

    def _lost(self, why: Exception | None) -> None:
        if not self._closed:
            self._closed = True
            self._port.forget(self)
            self._loop.call_soon(self._protocol.connection_lost, why)

    def lines(self, data: bytes) -> list[bytes]:
        """The whole lines that have arrived at the node with `data`."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        return whole

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        self._lost(None)

    def is_closing(self) -> bool:
        return self._closed

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ARG002
        return default

    def pause_reading(self) -> None:
        """Nobody here reads so slowly that it would matter."""

    resume_reading = pause_reading


class NodePort:
    """A node's port for clients; it outlives the node's processes."""

    def __init__(self, log: WorldLog | None) -> None:
        self.node: Node | None = None  # set once, when the node is made
        self.wires: list[Wire] = []
        self._open: dict[int, tuple[Wire, Any]] = {}
        self._number = 0
        self._log = log

    def read(self, wire: Wire, data: bytes) -> None:
        for line in wire.lines(data):
            if line.strip():
                self._ask(wire, line)

    def _ask(self, wire: Wire, line: bytes) -> None:
        assert self.node is not None, "the world gives the port its node"
        try:
            request = _decode(line)
        except (ValueError, RecursionError) as wrong:
            error = {"code": "malformed", "text": f"no JSON object on one line: {wrong}"}
            self._number += 1
            self._open[self._number] = (wire, None)
            self.node.refuse(self._number, {"error": error})
            return
        self._number += 1
        self._open[self._number] = (wire, request.pop("id", None))
        if self._log is not None and wire.through_links:
            self._log.request(self.name, self._number, request)
        self.node.request(self._number, request)

    def reply(self, number: int, response: Any) -> None:
        """An answer to a client that is gone is dropped."""
        wire, its_id = self._open.pop(number, (None, None))
        if wire is None or wire.is_closing():
            return
        if self._log is not None and wire.through_links:
            self._log.reply(self.name, number, response)
        wire.answer(_encode({"id": its_id, **response}) + b"\n")

    @property
    def name(self) -> str:
        assert self.node is not None, "the world gives the port its node"
        return self.node.name

    @property
    def life(self) -> int | None:
        """Which life of the node listens, None if it is down."""
        assert self.node is not None, "the world gives the port its node"
        return None if self.node.state == "dead" else self.node.life

    def told(self, wire: Wire, sender: str, line: bytes) -> Callable[[], None]:
        """Log that a line leaves; the answer logs that it has arrived."""
        log = self._log
        if log is None or not wire.through_links:
            return _nothing
        to, kind = (self.name, "request") if sender == CLIENT else (CLIENT, "reply")
        id_ = log.number()
        log.add(sender, "send", to=to, id=id_, kind=kind, text=_in_short(line))
        return lambda: log.add(to, "receive", src=sender, id=id_)

    def forget(self, wire: Wire) -> None:
        if wire in self.wires:
            self.wires.remove(wire)

    def close(self) -> None:
        """The process is gone."""
        self._open.clear()
        for wire in list(self.wires):
            wire.broken()


class Switchboard:
    """All ports; what the loop dials through."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.ports: dict[str, NodePort] = {}
        self.links: dict[Link, ClientLink] = {}
        self.crashed = 0

    async def connect(
        self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Raises ConnectionRefusedError; waits while the way is cut in silence."""
        up = self.links.get((CLIENT, host)) if port == CLIENT_PORT else None
        down = self.links.get((host, CLIENT)) if port == CLIENT_PORT else None
        node_port = self.ports[host]
        life = await self._accepted(node_port, up, down)
        if life is None:
            raise ConnectionRefusedError(f"{host} refuses the connection")
        protocol = factory()
        wire = Wire(self._loop, node_port, protocol, up, down)
        node_port.wires.append(wire)
        protocol.connection_made(wire)
        if life != node_port.life:  # it accepted, and died before its word was here
            wire.broken()
        return wire, protocol

    async def _accepted(
        self, port: NodePort, up: ClientLink | None, down: ClientLink | None
    ) -> int | None:
        """The life of the node that is there, if any. One way and back through the links."""
        if up is None or down is None:
            return port.life
        if up.rules.reset or down.rules.reset:
            return None
        there: asyncio.Future[None] = self._loop.create_future()
        up.carry(0, 0, lambda _: _settle(there))
        await there
        life = port.life
        back: asyncio.Future[None] = self._loop.create_future()
        down.carry(0, 0, lambda _: _settle(back))
        await back
        return life

    def reset(self, node: str) -> None:
        """The links of a node's clients reset their connections."""
        for wire in [w for w in self.ports[node].wires if w.through_links]:
            wire.cut()

    def open_wires(self) -> list[Wire]:
        """The connections of clients, in the order of nodes and of their opening."""
        return [w for port in self.ports.values() for w in port.wires if w.through_links]


def _in_short(line: bytes) -> str:
    try:
        return brief(_decode(line))
    except (ValueError, RecursionError):
        return brief(line.decode(errors="replace"))


def _nothing() -> None:
    """Where nothing is logged."""


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def address(node: str) -> Address:
    return (node, CLIENT_PORT)


def direct(node: str) -> Address:
    return (node, DIRECT_PORT)
