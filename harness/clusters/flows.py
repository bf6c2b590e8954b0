"""One connection through a link: two sockets of ours, and a flow of bytes each way between them.

Rules
1. A connection dialled by a to b carries bytes forward under the rules of link (a, b) and back
   under those of link (b, a). To open it, to end it and to break it are things that a link
   carries too, behind the bytes sent before.
2. Without faults, what was read is written at once, complete frames in one piece.
3. Memory is bounded: beyond QUEUE_MAX_BYTES waiting for a flow, or when the receiver does not
   take more, its source is no longer read; the sender then meets a full connection.
4. A connection that was broken on one side is broken (RST) on the other, never ended politely: a
   system may take an orderly end for "all was received".
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from random import Random
from typing import Protocol

from harness.clusters.framing import Splitter
from harness.clusters.shaping import Counts, Link
from harness.contracts import Address, Framing

QUEUE_MAX_BYTES = 256 * 1024
QUEUE_LOW_BYTES = QUEUE_MAX_BYTES // 4

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER, zero seconds: close sends RST


class Source(Protocol):
    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Sink(Protocol):
    def write(self, data: bytes) -> None: ...

    def finish(self) -> None: ...

    def abort(self) -> None: ...


class Flow:
    """One direction: from what a socket read, through a link, to where it is written."""

    def __init__(
        self,
        link: Link,
        framing: Framing,
        source: Source,
        sink: Sink,
        *,
        on_reset: Callable[[], None],
        counts: Counts | None = None,
        random: Random | None = None,
    ) -> None:
        self.counts = counts or link.counts
        self.random = random or link.random
        self.last_seq = -1
        self.latest_s = 0.0
        self._link = link
        self._splitter = Splitter(framing)
        self._source = source
        self._sink = sink
        self._on_reset = on_reset
        self._waiting_bytes = 0
        self._full = self._blocked = False

    def feed(self, data: bytes) -> None:
        link, splitter = self._link, self._splitter
        if link.rules.reset:
            self._on_reset()
            return
        if not splitter.framed:
            self._feed_chunk(data)
            return
        piece, ends = splitter.feed(data)
        if link.quiet:
            if ends:
                self.counts.forwarded += len(ends)
                self._sink.write(piece)
        elif ends:
            link.carry(self, [piece[a:b] for a, b in zip([0, *ends], ends, strict=False)])
        if not splitter.framed:
            self._feed_chunk(splitter.rest())

    def feed_end(self) -> None:
        """The source sent its last byte."""
        rest = self._splitter.rest()
        if rest:
            self._feed_chunk(rest)
        self._event(self._sink.finish)

    def feed_break(self) -> None:
        """The source is gone without a proper end."""
        self._event(self._sink.abort)

    def feed_opening(self, action: Callable[[], None]) -> None:
        self._event(action)

    def deliver(self, data: bytes) -> None:
        self._sink.write(data)

    def queued(self, change_bytes: int) -> None:
        self._waiting_bytes += change_bytes
        if not self._full and self._waiting_bytes > QUEUE_MAX_BYTES:
            self._full = True
            self._source.pause_reading()
        elif self._full and self._waiting_bytes <= QUEUE_LOW_BYTES:
            self._full = False
            if not self._blocked:
                self._source.resume_reading()

    def block(self, *, blocked: bool) -> None:
        """The receiver takes no more for now, or takes more again."""
        self._blocked = blocked
        if blocked:
            self._source.pause_reading()
        elif not self._full:
            self._source.resume_reading()

    def close(self) -> None:
        """Nobody is left to receive: what still waits is forgotten."""
        self._link.forget(self)

    def _feed_chunk(self, data: bytes) -> None:
        if not self._link.quiet:
            self._link.carry_chunk(self, data)
        elif data:
            self.counts.forwarded += 1
            self._sink.write(data)

    def _event(self, action: Callable[[], None]) -> None:
        if self._link.quiet:
            action()
        else:
            self._link.carry_event(self, action)


class End(asyncio.Protocol):
    """One of our two sockets of a connection. `outgoing` takes what is read from it, `incoming`
    is the flow that writes to it. Usable as a sink before it is connected."""

    outgoing: Flow
    incoming: Flow

    def __init__(self, on_lost: Callable[[], None], on_finished: Callable[[], None]) -> None:
        self.lost = False
        self.finished = False
        self._on_lost = on_lost
        self._on_finished = on_finished
        self._transport: asyncio.Transport | None = None
        self._early = bytearray()  # written before there was a connection to write to

    @property
    def joined(self) -> bool:
        """Has it got its socket?"""
        return self._transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self.lost:
            self.abort()
            return
        if self._early:
            early, self._early = bytes(self._early), bytearray()
            if len(early) > QUEUE_MAX_BYTES:
                self.incoming.block(blocked=False)
            transport.write(early)
        if self.finished:
            transport.write_eof()

    def data_received(self, data: bytes) -> None:
        self.outgoing.feed(data)

    def eof_received(self) -> bool:
        self.outgoing.feed_end()
        return True  # half-open: the other direction goes on until its own end

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.lost:
            self.lost = True
            self.incoming.close()
            if exc is not None:
                self.outgoing.feed_break()
        self._on_lost()

    def pause_writing(self) -> None:
        self.incoming.block(blocked=True)

    def resume_writing(self) -> None:
        self.incoming.block(blocked=False)

    def write(self, data: bytes) -> None:
        if self.lost or self.finished:
            return
        if self._transport is None:
            if len(self._early) <= QUEUE_MAX_BYTES < len(self._early) + len(data):
                self.incoming.block(blocked=True)
            self._early += data
        elif not self._transport.is_closing():
            self._transport.write(data)

    def finish(self) -> None:
        """No more will be written to this side."""
        if self.lost or self.finished:
            return
        self.finished = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write_eof()
        self._on_finished()

    def close(self) -> None:
        """Close once everything written is sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Reset this side now."""
        if self._transport is None:
            self.lost = True
            self._on_lost()
        elif not self._transport.is_closing():
            raw: socket.socket = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()

    def pause_reading(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()


class Connection:
    """An accepted connection and the one dialled for it. `run` is its life until it is joined;
    from then on its sockets call."""

    def __init__(
        self,
        accepted: socket.socket,
        links: tuple[Link, Link],
        framing: Framing,
        on_gone: Callable[[Connection], None],
    ) -> None:
        """`links`: forward and back."""
        self._accepted = accepted
        self.near = End(self._lost, self._finished)
        self.far = End(self._lost, self._finished)
        forward = Flow(links[0], framing, self.near, self.far, on_reset=self.abort)
        back = Flow(links[1], framing, self.far, self.near, on_reset=self.abort)
        self.near.outgoing = self.far.incoming = forward
        self.far.outgoing = self.near.incoming = back
        self._forward = forward
        self._on_gone = on_gone
        self._may_dial = asyncio.Event()

    async def run(self, target: Address) -> None:
        """Joins the accepted socket, and dials the node as soon as the link lets that through.

        Raises OSError if the node does not answer; the accepted connection is then reset.
        """
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(lambda: self.near, self._accepted)
            self._forward.feed_opening(self._may_dial.set)
            await self._may_dial.wait()
            if not (self.near.lost or self.far.lost):
                await loop.create_connection(lambda: self.far, *target)
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Reset both sides."""
        if not self.near.joined:
            self._accepted.close()  # no transport owns it yet
        self.far.abort()
        self.near.abort()

    def _finished(self) -> None:
        if self.near.finished and self.far.finished:
            self.near.close()
            self.far.close()

    def _lost(self) -> None:
        self._may_dial.set()  # there is nothing to wait for any more; `run` looks again
        if self.near.lost and self.far.lost:
            self._on_gone(self)
