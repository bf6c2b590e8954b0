"""Messages between nodes: frames on one TCP connection per directed link.

Rules
1. A frame is a 4-byte big-endian length and a MessagePack `[src, message]`. A node sends only on
   connections that it dialled and only receives on those that it accepted.
2. Nothing waits for a peer: what cannot be sent is queued, and past QUEUE_BYTES_MAX the oldest
   frames are dropped. That is message loss, which Paxos allows; memory without bound is not.
3. Whatever arrives is checked before the machine sees it: a frame that is too long ends the
   connection (the stream cannot be followed any more), a bad or foreign one is dropped. Messages of
   a machine that names their type are decoded straight into it, which checks their shape too.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

Say = Callable[[str], None]

FRAME_BYTES_MAX = 16 * 2**20
QUEUE_BYTES_MAX = 8 * 2**20
CONNECTIONS_MAX = 64
BACKOFF_MIN_S, BACKOFF_MAX_S = 0.02, 0.3
CONNECT_TIMEOUT_S = 1.0
# In a silent partition TCP's retransmissions back off for minutes: long after it healed, nothing
# would come through. A connection without an acknowledgement for this long is dialled anew.
UNACKNOWLEDGED_MAX_MS = 2000

_encode = msgspec.msgpack.Encoder().encode


def frame(src: str, message: Any) -> bytes:
    payload = _encode((src, message))
    return len(payload).to_bytes(4, "big") + payload


class Link(asyncio.Protocol):
    """The outgoing half of a link to one peer; dials until it is stopped."""

    def __init__(self, peer: str, address: tuple[str, int], rng: Random, say: Say) -> None:
        self._peer, self._address = peer, address
        self._rng = rng
        self._say = say
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._dropping = False
        self._transport: asyncio.Transport | None = None
        self._writable = False
        self._lost = asyncio.Event()

    def send(self, content: bytes) -> None:
        """Take a frame for the next `flush`."""
        self._queue.append(content)
        self._queued_bytes += len(content)
        while self._queued_bytes > QUEUE_BYTES_MAX:
            self._queued_bytes -= len(self._queue.popleft())
            if not self._dropping:
                self._say(f"{self._peer} does not take messages: the oldest are being dropped")
            self._dropping = True

    def flush(self) -> None:
        """One write for everything queued, if the peer can be reached."""
        if self._transport is None or not self._writable or not self._queue:
            return
        content = self._queue[0] if len(self._queue) == 1 else b"".join(self._queue)
        self._queue.clear()
        self._queued_bytes = 0
        self._dropping = False
        self._transport.write(content)

    async def run(self) -> None:
        """Keep a connection until cancelled."""
        loop = asyncio.get_running_loop()
        backoff_s = BACKOFF_MIN_S
        try:
            while True:
                try:
                    async with asyncio.timeout(CONNECT_TIMEOUT_S):
                        await loop.create_connection(lambda: self, *self._address)
                except OSError:  # refused, unreachable, timed out: the peer may be down for long
                    pass
                else:
                    since = loop.time()
                    await self._lost.wait()
                    if loop.time() - since > BACKOFF_MAX_S:  # else it accepts and hangs up
                        backoff_s = BACKOFF_MIN_S
                await asyncio.sleep(backoff_s * self._rng.uniform(0.5, 1.5))
                backoff_s = min(2 * backoff_s, BACKOFF_MAX_S)
        finally:
            if self._transport is not None:
                self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        _limit_silence(transport)
        self._lost.clear()
        self._transport, self._writable = transport, True
        self._say(f"connected to {self._peer}")
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._say(f"lost the connection to {self._peer}: {exc or 'closed'}")
        self._transport, self._writable = None, False
        self._lost.set()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self.flush()


class Inbox:
    """The accepted connections. `deliver(src, message)` gets whole messages of known peers, each
    an instance of `messages` (see harness.machine, rule 5)."""

    def __init__(
        self,
        peers: frozenset[str],
        deliver: Callable[[str, Any], None],
        say: Say,
        messages: Any = Any,
    ) -> None:
        self.peers, self.deliver, self.say = peers, deliver, say
        self.decode = msgspec.msgpack.Decoder(tuple[str, messages]).decode
        self.connections: dict[Incoming, None] = {}  # in order of arrival

    def accept(self) -> Incoming:
        """A protocol for a new connection. At the limit the oldest one goes: it is more likely
        the leftover of a peer that lost power than one in use, and a live peer dials again."""
        if len(self.connections) >= CONNECTIONS_MAX:
            next(iter(self.connections)).abort("too many connections")
        return Incoming(self)

    def close(self) -> None:
        for connection in tuple(self.connections):
            connection.abort(None)


class Incoming(asyncio.Protocol):
    """The incoming half of a link."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._buffer = bytearray()
        self._complained = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._inbox.connections[self] = None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._inbox.connections.pop(self, None)

    def abort(self, reason: str | None) -> None:
        self._inbox.connections.pop(self, None)
        if reason is not None:
            self._inbox.say(f"peer port: closed a connection: {reason}")
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        at, size = 0, len(buffer)
        while size - at >= 4:
            length = int.from_bytes(buffer[at : at + 4], "big")
            if length > FRAME_BYTES_MAX:
                self.abort(f"a frame of {length} bytes, the limit is {FRAME_BYTES_MAX}")
                return
            end = at + 4 + length
            if end > size:
                break
            self._receive(buffer[at + 4 : end])
            at = end
        del buffer[:at]

    def _receive(self, payload: bytearray) -> None:
        try:
            src, message = self._inbox.decode(payload)
        except (ValueError, RecursionError) as trouble:  # not MessagePack, not a pair, too deep
            self._complain(f"no message: {trouble}")
            return
        if src in self._inbox.peers:
            self._inbox.deliver(src, message)
        else:
            self._complain(f"its sender {src[:40]!r} is no peer")

    def _complain(self, about: str) -> None:
        if not self._complained:  # once a connection, or noise fills the disk
            self._complained = True
            self._inbox.say(f"peer port: dropped a frame: {about}")


def _limit_silence(transport: asyncio.Transport) -> None:
    option = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux only
    if option is not None:
        transport.get_extra_info("socket").setsockopt(
            socket.IPPROTO_TCP, option, UNACKNOWLEDGED_MAX_MS
        )
