"""Where clients come in: a port on loopback for each node.

A connection is one client of one node, and gets a name of its own (c1, c2, ...). It writes JSON
lines with a `body`; `src` and `dest` are filled in here, so that nobody speaks for another. What it
reads are whole messages, as nodes sent them.

Rules
1. A port is open while its node is up and its link is not reset; otherwise it refuses, so that a
   client whose connect failed knows that nothing was sent.
2. When a node ends, its clients are cut off (RST), as they would be from a host that died; behind
   a silent cut they do not hear of it before it heals.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import msgspec

from harness.clusters.maelstrom.router import LINE_MAX_BYTES, Guest, Router
from harness.clusters.ports import Port
from harness.contracts import Address

WAITING_MAX_BYTES = 64 * 1024 * 1024  # for a client that does not read
ACCEPTS_PER_TURN = 32
MALFORMED = 12


class _Line(msgspec.Struct):
    body: msgspec.Raw


_decode = msgspec.json.Decoder(_Line).decode


class Door:
    """The port of one node. `is_open` is asked whenever something has changed."""

    def __init__(
        self, node: str, port: Port, router: Router, is_open: Callable[[str], bool]
    ) -> None:
        self._node, self._port, self._router = node, port, router
        self._is_open = is_open
        self._listener: socket.socket | None = None
        self._ends: set[_End] = set()
        self._joining: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def address(self) -> Address:
        return self._port.address

    def refresh(self) -> None:
        """The node, or the faults of its link to clients, have changed."""
        if self._is_open(self._node):
            self._open()
        else:
            self._shut()

    def cut_off(self) -> None:
        """The node has ended, which its clients hear as the last thing that its link carries."""
        for end in list(self._ends):
            end.hang_up()

    def reset(self) -> None:
        for end in list(self._ends):
            end.abort()

    def joined(self, end: _End) -> None:
        self._ends.add(end)
        self._empty.clear()
        if not self._is_open(self._node):  # it closed while this one was on its way
            end.abort()

    def left(self, end: _End) -> None:
        self._ends.discard(end)
        if not self._ends:
            self._empty.set()

    async def close(self) -> None:
        self._shut()
        self._port.release()
        for task in list(self._joining):
            task.cancel()
        await asyncio.gather(*self._joining, return_exceptions=True)
        self.reset()
        await self._empty.wait()

    def _open(self) -> None:
        if self._listener is None:
            self._listener = self._port.listen()
            if self._listener is not None:
                asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _shut(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener = None
            self._port.hold()

    def _accept(self) -> None:
        assert self._listener is not None, "a shut door has no reader"
        for _ in range(ACCEPTS_PER_TURN):
            try:
                accepted, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:  # no file is left to open: refuse until the next refresh
                self._shut()
                return
            accepted.settimeout(0)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = asyncio.get_running_loop().create_task(self._join(accepted))
            self._joining.add(task)
            task.add_done_callback(self._joining.discard)

    async def _join(self, accepted: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: _End(self._node, self._router, self), accepted
            )
        except BaseException:
            accepted.close()
            raise


class _End(asyncio.Protocol):
    """Our end of a client's connection."""

    def __init__(self, node: str, router: Router, door: Door) -> None:
        self._node, self._router, self._door = node, router, door
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._guest: Guest = self._router.welcome(self._node, self._take)
        head = {"src": self._guest.name, "dest": self._node}
        self._head = msgspec.json.encode(head)[:-1] + b',"body":'
        self._door.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._router.dismiss(self._guest)
        self._door.left(self)

    def data_received(self, data: bytes) -> None:
        *lines, self._tail = (self._tail + data).split(b"\n")
        for line in lines:
            self._send(line)
        if len(self._tail) > LINE_MAX_BYTES:
            self._refuse(f"a line is longer than {LINE_MAX_BYTES} bytes")
            self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def hang_up(self) -> None:
        """Abort, behind all that the node sent it."""
        way = self._router.way_back(self._node, self._guest)
        if way.link.quiet:
            self._router.flush()
            self.abort()
        else:
            way.link.carry_event(way, self.abort)

    def _send(self, line: bytes) -> None:
        try:
            body = bytes(_decode(line).body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
            if line.strip():
                self._refuse(f"a line must be a JSON object with a 'body': {wrong}")
            return
        if body[:1] != b"{":
            self._refuse("the body of a message must be a JSON object")
            return
        self._guest.way.send(self._head + body + b"}")

    def _refuse(self, text: str) -> None:
        body = {"type": "error", "code": MALFORMED, "text": text}
        message = {"src": self._node, "dest": self._guest.name, "body": body}
        self._transport.write(msgspec.json.encode(message) + b"\n")

    def _take(self, data: bytes) -> None:
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > WAITING_MAX_BYTES:
            self._transport.abort()
