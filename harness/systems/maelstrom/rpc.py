"""Requests and answers of one client, over a connection to the router of a maelstrom cluster.

Rules
1. One request at a time; `msg_id` counts them. An answer is known by its `in_reply_to`: one that
   comes after its time, or twice, is thrown away.
2. An answer that is none (no JSON, no body, an answer to what was never asked) is a mistake of the
   node, and called one.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

ANSWER_BYTES_MAX = 64 * 2**20
SHOWN_BYTES = 120


class NoAnswer(Exception):
    """The node wrote something that is no answer: the system under test is at fault."""


class _Message(msgspec.Struct):
    body: dict[str, Any]


_decode = msgspec.json.Decoder(_Message).decode
_encode = msgspec.json.Encoder().encode


class Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._asked = 0
        self._waiting: asyncio.Future[dict[str, Any]] | None = None

    @property
    def lost(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    async def ask(self, body: dict[str, Any], deadline: float) -> dict[str, Any]:
        """The body of the answer. Raises TimeoutError at `deadline` (of the loop's clock),
        ConnectionError if the connection is lost before the answer, NoAnswer."""
        assert self._transport is not None, "ask() comes after the connection was made"
        assert self._waiting is None, "a client performs one operation at a time"
        self._asked += 1
        future: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._waiting = future
        alarm = self._loop.call_at(deadline, self._fail, TimeoutError("no answer in time"))
        self._transport.write(_encode({"body": {**body, "msg_id": self._asked}}) + b"\n")
        try:
            return await future
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
        self._fail(ConnectionResetError(str(exc or "the node has ended")))

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        searched = len(buffer)
        buffer += data
        end = buffer.rfind(b"\n", searched) + 1
        if end:
            lines = bytes(buffer[:end]).split(b"\n")
            del buffer[:end]
            for line in lines:
                if line.strip():
                    self._receive(line)
        if len(buffer) > ANSWER_BYTES_MAX:
            self._give_up(f"an answer is longer than {ANSWER_BYTES_MAX} bytes")

    def _receive(self, line: bytes) -> None:
        try:
            body = _decode(line).body
        except (ValueError, RecursionError) as trouble:
            self._give_up(f"{line[:SHOWN_BYTES]!r} is no answer: {trouble}")
            return
        number = body.get("in_reply_to")
        if type(number) is not int or not 0 < number <= self._asked:
            self._give_up(f"{line[:SHOWN_BYTES]!r} is no answer: no msg_id was {number!r}")
            return
        if self._waiting is not None and number == self._asked and not self._waiting.done():
            self._waiting.set_result(body)

    def _give_up(self, why: str) -> None:
        self._fail(NoAnswer(why))
        self.close()

    def _fail(self, trouble: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(trouble)


async def connect(address: tuple[str, int], deadline: float) -> Connection:
    """Raises OSError, TimeoutError included. A connection that is had is one to a node that lives:
    the router takes none for a dead one."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout_at(deadline):
        _, connection = await loop.create_connection(Connection, *address)
    return connection
