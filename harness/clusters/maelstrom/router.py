"""The router: every message between nodes, clients and services goes through it.

Rules
1. What a node writes is taken in bulk: split at newlines, of each line only `src` and `dest` are
   read, and the line goes on as it was written. All that one turn of the loop has for a
   destination leaves in one write.
2. A message goes along the link of the node that wrote it, whatever `src` it claims. It may claim
   a client's, as a node does that passes a request on; then another node answers that client.
3. The first line that a life of a node gets is its init, from c0, which is the harness: along no
   link and through no weather, so that no fault keeps a node from learning its name. Clients are
   let in once it has answered (and, where the workload has a topology, has answered that).
4. What a node does against the protocol is dropped, counted and told (see mistakes), and never
   stops anybody else.

Sources: Maelstrom's doc/protocol.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from harness.clusters.maelstrom.mistakes import Mistakes
from harness.clusters.maelstrom.pipes import WAITING_MAX_BYTES, Pipes
from harness.clusters.maelstrom.services import Service
from harness.clusters.maelstrom.ways import Mailbox, Way, Weather
from harness.clusters.shaping import Link
from nemesis import faults
from nemesis.faults import CLIENT

HARNESS = "c0"
INIT_ID, TOPOLOGY_ID = 1, 2
LINE_MAX_BYTES = 16 * 1024 * 1024

# down: no life, or none that was begun; asked: init is under way; told: topology is; refused: it
# answered one of them with an error.
Stage = Literal["down", "asked", "told", "up", "refused"]


class _Body(msgspec.Struct, gc=False):
    """Any JSON object: what is in it is for whoever it is sent to."""


class _Head(msgspec.Struct, gc=False):
    src: str
    dest: str
    body: _Body


class _Said(msgspec.Struct):
    type: Any = None
    in_reply_to: Any = None
    code: Any = None
    text: Any = None


class _ToHarness(msgspec.Struct):
    body: _Said


class _ToService(msgspec.Struct):
    src: str
    body: dict[str, Any]


_head = msgspec.json.Decoder(_Head).decode
_to_harness = msgspec.json.Decoder(_ToHarness).decode
_to_service = msgspec.json.Decoder(_ToService).decode
_encode = msgspec.json.Encoder().encode
_NO_MESSAGE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Seat:
    """A node's place at the router, over all its lives."""

    def __init__(self, name: str, box: Mailbox) -> None:
        self.name, self.box = name, box
        self.ways: dict[str, Way] = {}  # by `dest`
        self.tail = b""
        self.skipping = False  # the rest of a line that was too long
        self.stage: Stage = "down"
        self.settled = asyncio.Event()  # up, or refused
        self.refusal = ""
        self.began_s = 0.0  # this life, on the loop's clock
        self.pipes: Pipes | None = None


class Guest(msgspec.Struct, eq=False):
    """A client: one connection to one node."""

    name: str
    box: Mailbox
    way: Way  # to its node


class Router:
    """Must be made in a running loop. `on_stage(node)` hears that a node came up or went down."""

    def __init__(
        self,
        nodes: Sequence[str],
        links: Mapping[faults.Link, Link],
        *,
        new_link: Callable[[str, str], Link],
        services: Mapping[str, Service],
        weather: Weather | None,
        neighbours: Mapping[str, Sequence[str]] | None,
        on_stage: Callable[[str], None],
    ) -> None:
        """`new_link` makes a link that no fault acts on; `neighbours`: None for no topology."""
        self.mistakes = Mistakes()
        self._loop = asyncio.get_running_loop()
        self._links, self._new_link = links, new_link
        self._nodes, self._weather, self._neighbours = tuple(nodes), weather, neighbours
        self._on_stage = on_stage
        self._full: list[Mailbox] = []  # to be flushed at the end of this turn
        self._feeding = False
        self._guests: dict[str, Guest] = {}
        self._guests_seen = 0
        self._seats = {name: Seat(name, Mailbox(self._to_flush)) for name in nodes}
        for seat in self._seats.values():
            self._lay_ways(seat, services)

    def seat(self, node: str) -> Seat:
        return self._seats[node]

    def begin(self, node: str, pipes: Pipes) -> None:
        """A life of the node begins behind these pipes."""
        self.end(node)
        seat = self._seats[node]
        seat.pipes, seat.box.take = pipes, pipes.write
        seat.stage, seat.began_s = "asked", self._loop.time()
        seat.settled.clear()
        self._ask(seat, INIT_ID, type="init", node_id=node, node_ids=self._nodes)

    def end(self, node: str) -> None:
        """Its life is over; what it wrote last is still carried."""
        seat = self._seats[node]
        if seat.pipes is not None:
            seat.pipes.close()
        seat.pipes = seat.box.take = None
        seat.box.lines.clear()
        seat.tail, seat.skipping, seat.stage, seat.refusal = b"", False, "down", ""
        seat.settled.clear()
        self._on_stage(node)

    def age_s(self, node: str) -> float:
        """Of its life."""
        return self._loop.time() - self._seats[node].began_s

    def deaf(self, node: str) -> None:
        """It does not read, and what was sent to it just now is dropped."""
        self.mistakes.note(node, "deaf", b"", limit=WAITING_MAX_BYTES)

    def feed(self, node: str, data: bytes) -> None:
        """What the node has just written."""
        seat = self._seats[node]
        lines = self._split(seat, data)
        name, ways = seat.name, seat.ways
        self._feeding = True
        try:
            for line in lines:
                try:
                    head = _head(line)
                except _NO_MESSAGE as wrong:
                    if line.strip():
                        self.mistakes.note(name, "no message", line, str(wrong))
                    continue
                way = ways.get(head.dest)
                if way is None or head.src != name:
                    self._unusual(seat, head, line)
                else:
                    way.send(line)
        finally:
            self._feeding = False
            self.flush()

    def welcome(self, node: str, take: Callable[[bytes], None]) -> Guest:
        """A new client of the node; `take` gets what is sent to it."""
        self._guests_seen += 1
        box = Mailbox(self._to_flush)
        box.take = take
        way = Way(self._links[CLIENT, node], self._seats[node].box)
        guest = Guest(f"c{self._guests_seen}", box, way)
        self._guests[guest.name] = guest
        return guest

    def dismiss(self, guest: Guest) -> None:
        """The client is gone, and nothing more is carried to or from it."""
        self._guests.pop(guest.name, None)
        guest.box.take = None
        guest.way.link.forget(guest.way)
        for seat in self._seats.values():
            way = seat.ways.pop(guest.name, None)
            if way is not None:
                way.link.forget(way)

    def way_back(self, node: str, guest: Guest) -> Way:
        """From a node to a client, whether it is its own client or one of another node."""
        seat = self._seats[node]
        way = seat.ways.get(guest.name)
        if way is None:
            way = seat.ways[guest.name] = Way(self._links[node, CLIENT], guest.box)
        return way

    def close(self) -> None:
        for node in self._nodes:
            self.end(node)

    def _lay_ways(self, seat: Seat, services: Mapping[str, Service]) -> None:
        for other in self._nodes:
            alone = other == seat.name  # to itself it needs no network
            link = self._new_link(other, other) if alone else self._links[seat.name, other]
            weather = None if alone else self._weather
            seat.ways[other] = Way(link, self._seats[other].box, weather)
        for name, service in services.items():
            back = Way(self._new_link(name, seat.name), seat.box, self._weather)
            box = Mailbox(self._to_flush)
            box.take = _Served(name, service, back, self.mistakes, seat.name)
            seat.ways[name] = Way(self._new_link(seat.name, name), box, self._weather)

    def _split(self, seat: Seat, data: bytes) -> list[bytes]:
        if seat.tail:
            data = seat.tail + data
        lines = data.split(b"\n")
        seat.tail = lines.pop()
        if seat.skipping and lines:
            seat.skipping = False
            del lines[0]
        if len(seat.tail) > LINE_MAX_BYTES or seat.skipping:
            if not seat.skipping:
                self.mistakes.note(seat.name, "too long", seat.tail, limit=LINE_MAX_BYTES)
            seat.tail, seat.skipping = b"", True
        return lines

    def _unusual(self, seat: Seat, head: _Head, line: bytes) -> None:
        """Not from the node itself, or to somebody whom it has not written to before."""
        if head.src != seat.name and not self._was_a_guest(head.src):
            self.mistakes.note(seat.name, "wrong source", line)
        elif head.dest in seat.ways:
            seat.ways[head.dest].send(line)
        elif head.dest in self._guests:
            self.way_back(seat.name, self._guests[head.dest]).send(line)
        elif head.dest == HARNESS:
            self._heard(seat, line)
        elif not self._was_a_guest(head.dest):
            self.mistakes.note(seat.name, "nobody", line)

    def _was_a_guest(self, name: str) -> bool:
        """A client, perhaps gone by now: what comes late for it is nobody's mistake."""
        number = name[1:]
        return name[:1] == "c" and number.isdecimal() and 0 < int(number) <= self._guests_seen

    def _heard(self, seat: Seat, line: bytes) -> None:
        """An answer to the harness: init_ok, topology_ok, or an error instead."""
        try:
            said = _to_harness(line).body
        except _NO_MESSAGE as wrong:  # a text in it that is not UTF-8, say
            self.mistakes.note(seat.name, "no message", line, str(wrong))
            return
        asked = {"asked": (INIT_ID, "init_ok"), "told": (TOPOLOGY_ID, "topology_ok")}
        number, wanted = asked.get(seat.stage, (None, None))
        if number is None or said.in_reply_to != number or said.type not in (wanted, "error"):
            self.mistakes.note(seat.name, "unasked", line)
        elif said.type == "error":
            request = "init" if number == INIT_ID else "topology"
            seat.refusal = f"it answered {request} with error {said.code!r}: {said.text!r:.200}"
            seat.stage = "refused"
            seat.settled.set()
        elif number == INIT_ID and self._neighbours is not None:
            seat.stage = "told"
            self._ask(seat, TOPOLOGY_ID, type="topology", topology=self._neighbours)
        else:
            seat.stage = "up"
            seat.settled.set()
            self._on_stage(seat.name)

    def _ask(self, seat: Seat, number: int, **body: Any) -> None:
        body["msg_id"] = number
        seat.box.post(_encode({"src": HARNESS, "dest": seat.name, "body": body}))

    def _to_flush(self, box: Mailbox) -> None:
        if not self._full and not self._feeding:
            self._loop.call_soon(self.flush)
        self._full.append(box)

    def flush(self) -> None:
        """All that waits for its destination leaves now."""
        # A service answers while its mail is flushed, so the list grows.
        self._feeding = True
        for box in self._full:
            box.flush()
        self._full.clear()
        self._feeding = False


class _Served:
    """Takes the mail of a service that comes from one node."""

    def __init__(
        self, name: str, service: Service, back: Way, mistakes: Mistakes, node: str
    ) -> None:
        self._name, self._service, self._back = name, service, back
        self._mistakes, self._node = mistakes, node

    def __call__(self, data: bytes) -> None:
        for line in data.split(b"\n")[:-1]:
            try:
                message = _to_service(line)
            except _NO_MESSAGE as wrong:  # the head was right; what is in the body is not
                self._mistakes.note(self._node, "no message", line, str(wrong))
                continue
            answer = self._service.answer(message.src, message.body)
            answer["in_reply_to"] = message.body.get("msg_id")
            self._back.send(_encode({"src": self._name, "dest": message.src, "body": answer}))
