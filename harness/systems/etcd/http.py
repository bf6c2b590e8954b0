"""HTTP/1.1 as a client of one server needs it: a connection that is kept, one request at a time.

Rules
1. What is no HTTP/1.1 response, or one without a length, is a ProtocolError: taken for silence or
   for an empty answer, it would be blamed on the consistency of whoever sent it.
2. An answer belongs to the request before it only as long as none was given up. A connection on
   which a request timed out, or was cancelled, is closed: HTTP/1.1 has no numbers by which a late
   answer could be told from the next one.
3. A server does not get to fill our memory: heads and bodies have a limit.

Why not a library: a request to etcd took 0.34 ms of the processor with aiohttp 3.14, 1.3 ms with
httpx 0.28, 0.19 ms with http.client, and 0.09 ms with this. All clients of a run share a processor
with the nodes; a harness slower than the loop of a bare client would measure itself.

Sources: RFC 9112, HTTP/1.1 (sections 6 and 7: lengths of bodies, chunks, trailers).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from harness.contracts import Address

HEAD_BYTES_MAX = 64 * 2**10
BODY_BYTES_MAX = 64 * 2**20
SHOWN_BYTES = 80

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[ \t]*close[ \t]*\r\n", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]*)?")


class ProtocolError(Exception):
    """The server sent what is no answer: the system under test is at fault."""


class Response:
    """One response while it arrives. `status` is 0 until the head is there."""

    def __init__(self) -> None:
        self.status = 0
        self.body = bytearray()
        self.complete = False
        self.keep = True  # may the connection be used again?
        self._buffer = bytearray()
        self._expect: Callable[[], bool] = self._head
        self._left = 0  # bytes of the body, or of the chunk, that are still to come

    def feed(self, data: bytes) -> None:
        """Take what arrived. Raises ProtocolError (rules 1 and 3)."""
        if self.complete:
            raise ProtocolError(f"{data[:SHOWN_BYTES]!r} comes after the end of an answer")
        self._buffer += data
        while not self.complete and self._expect():
            pass
        if self.complete and self._buffer:
            raise ProtocolError(f"{bytes(self._buffer[:SHOWN_BYTES])!r} answers nothing")
        if len(self.body) > BODY_BYTES_MAX:
            raise ProtocolError(f"an answer is longer than {BODY_BYTES_MAX} bytes")

    # Each of these takes its part from the buffer; False: it is not there as a whole.

    def _head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n") + 4
        if end < 4:
            self._bound()
            return False
        head = bytes(self._buffer[:end])
        del self._buffer[:end]
        status = _STATUS.match(head)
        if status is None:
            raise ProtocolError(f"{head[:SHOWN_BYTES]!r} is no HTTP/1.1 response")
        self.status = int(status[1])
        self.keep = _CLOSE.search(head) is None
        length = _LENGTH.search(head)
        if _CHUNKED.search(head) is not None:
            self._expect = self._chunk_size
        elif length is not None:
            self._left = int(length[1])
            self._expect = self._fixed
        else:
            raise ProtocolError(f"a response with status {self.status} does not say its length")
        return True

    def _fixed(self) -> bool:
        self._take()
        self.complete = self._left == 0
        return False

    def _chunk_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        size = _CHUNK_SIZE.fullmatch(line)
        if size is None:
            raise ProtocolError(f"{line[:SHOWN_BYTES]!r} is no size of a chunk")
        self._left = int(size[1], 16)
        self._expect = self._chunk if self._left else self._trailer
        return True

    def _chunk(self) -> bool:
        self._take()
        if self._left or len(self._buffer) < 2:
            return False
        if self._line() != b"":
            raise ProtocolError("a chunk is longer than it says")
        self._expect = self._chunk_size
        return True

    def _trailer(self) -> bool:
        line = self._line()
        self.complete = line == b""
        return line is not None

    def _take(self) -> None:
        part = self._buffer[: self._left]
        self.body += part
        del self._buffer[: self._left]
        self._left -= len(part)

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            self._bound()
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _bound(self) -> None:
        if len(self._buffer) > HEAD_BYTES_MAX:
            raise ProtocolError(f"a line or a head is longer than {HEAD_BYTES_MAX} bytes")


class Connection(asyncio.Protocol):
    """One request at a time. asyncio sets TCP_NODELAY on its sockets."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._host = b""
        self._response: Response | None = None
        self._waiting: asyncio.Future[None] | None = None  # for anything to happen
        self._trouble: Exception | None = None

    @classmethod
    async def open(cls, address: Address, deadline: float) -> Connection:
        """Raises OSError; its subclass TimeoutError at `deadline`, of the loop's clock."""
        async with asyncio.timeout_at(deadline):
            _, connection = await asyncio.get_running_loop().create_connection(cls, *address)
        connection._host = f"{address[0]}:{address[1]}".encode()
        return connection

    @property
    def lost(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    async def request(
        self, method: bytes, path: bytes, body: bytes, deadline: float
    ) -> tuple[int, bytes]:
        """Status and body. Raises TimeoutError at `deadline`, ConnectionError if the connection is
        lost before the answer, ProtocolError; it is closed then."""
        response = self.send(method, path, body)
        try:
            while not response.complete:
                await self.more(deadline)
        except BaseException:
            self.close()  # rule 2
            raise
        self._response = None
        if not response.keep:
            self.close()
        return response.status, bytes(response.body)

    def send(self, method: bytes, path: bytes, body: bytes) -> Response:
        """A request; its response fills while `more` is awaited. For answers without an end."""
        assert self._response is None, "a connection carries one request at a time"
        self._response = response = Response()
        if self._transport is not None:
            self._transport.write(
                b"%b %b HTTP/1.1\r\nHost: %b\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (method, path, self._host, len(body), body)
            )
        return response

    async def more(self, deadline: float) -> None:
        """Wait until something of the response arrived. Raises as `request` does."""
        if self._trouble is not None:
            raise self._trouble
        if self.lost:
            raise ConnectionResetError("the connection is closed")
        self._waiting = waiting = self._loop.create_future()
        alarm = self._loop.call_at(deadline, self._wake, TimeoutError("no answer in time"))
        try:
            await waiting
        finally:
            alarm.cancel()
            self._waiting = None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._trouble is None:
            aborted = isinstance(exc, ConnectionAbortedError)
            reason = str(exc or "the server closed the connection")
            self._trouble = exc if aborted else ConnectionResetError(reason)
        self._wake(self._trouble)

    def data_received(self, data: bytes) -> None:
        try:
            if self._response is None:
                raise ProtocolError(f"{data[:SHOWN_BYTES]!r} answers nothing")
            self._response.feed(data)
        except ProtocolError as wrong:
            self._trouble = wrong
            self.close()
        self._wake(self._trouble)

    def _wake(self, trouble: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            if trouble is None:
                self._waiting.set_result(None)
            else:
                self._waiting.set_exception(trouble)
