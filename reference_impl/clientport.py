"""The port for clients: one JSON object a line, so that `nc` is a client.

Rules
1. Every line gets exactly one answer, an error with code `malformed` if it is no request; only a
   line past LINE_BYTES_MAX also ends the connection, since its end cannot be awaited.
2. What the machine is given can be carried by MessagePack and is no deeper than DEPTH_MAX: a value
   that could not be persisted must not get as far as a Persist.
3. Memory is bounded: by connections, by open requests of each, and a client that does not read its
   answers is not read from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

LINE_BYTES_MAX = 2**20
CONNECTIONS_MAX = 1000
OPEN_REQUESTS_MAX = 1000
DEPTH_MAX = 32

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode
_carry = msgspec.msgpack.Encoder().encode

Submit = Callable[[int, Mapping[str, Any]], None]


class ClientPort:
    """All client connections. `submit(id, request)` hands a request to the machine."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit
        self._next_id = 0
        self._open: dict[int, tuple[ClientConnection, Any]] = {}  # id -> connection, client's id
        self._dirty: dict[ClientConnection, None] = {}
        self.connections: set[ClientConnection] = set()

    def accept(self) -> ClientConnection:
        return ClientConnection(self)

    def submit(self, connection: ClientConnection, its_id: Any, request: dict[str, Any]) -> int:
        self._next_id += 1
        self._open[self._next_id] = (connection, its_id)
        self._submit(self._next_id, request)
        return self._next_id

    def reply(self, id: int, response: Mapping[str, Any]) -> None:  # noqa: A002 - as in Reply
        """Take an answer for the next `flush`; dropped if its client is gone."""
        entry = self._open.pop(id, None)
        if entry is None:
            return
        connection, its_id = entry
        connection.open_requests.discard(id)
        connection.answer({"id": its_id, **response})
        self._dirty[connection] = None

    def flush(self) -> None:
        for connection in self._dirty:
            connection.flush()
        self._dirty.clear()

    def forget(self, connection: ClientConnection) -> None:
        self.connections.discard(connection)
        for id in connection.open_requests:  # noqa: A001
            del self._open[id]

    def close(self) -> None:
        for connection in tuple(self.connections):
            connection.close()


class ClientConnection(asyncio.Protocol):
    def __init__(self, port: ClientPort) -> None:
        self._port = port
        self._buffer = bytearray()
        self._answers: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._ended = False
        self.open_requests: set[int] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._port.connections) >= CONNECTIONS_MAX:
            self._refuse(None, "overloaded", f"{CONNECTIONS_MAX} clients are connected already")
            transport.close()
        else:
            self._port.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._transport = None
        self._port.forget(self)

    def eof_received(self) -> bool:
        """`echo ... | nc` ends its half at once and waits: it gets its answers first."""
        self._ended = True
        return bool(self.open_requests)

    def pause_writing(self) -> None:
        assert self._transport is not None
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        searched = len(buffer)
        buffer += data
        end = buffer.rfind(b"\n", searched) + 1
        if end:
            lines = bytes(buffer[:end]).split(b"\n")
            del buffer[:end]
            for line in lines:
                if len(line) > LINE_BYTES_MAX:
                    self._refuse_long_line()
                    return
                if line.strip():
                    self._receive(line)
        if len(buffer) > LINE_BYTES_MAX:
            self._refuse_long_line()

    def _receive(self, line: bytes) -> None:
        try:
            request = _decode(line)
        except (ValueError, RecursionError) as trouble:
            self._refuse(None, "malformed", f"no JSON object on one line: {trouble}")
            return
        its_id = request.pop("id", None)
        wrong = _what_is_wrong(its_id, request, line)
        if wrong is not None:
            self._refuse(its_id if isinstance(its_id, str | int) else None, "malformed", wrong)
        elif len(self.open_requests) >= OPEN_REQUESTS_MAX:
            text = f"{OPEN_REQUESTS_MAX} requests of this connection are open; await answers first"
            self._refuse(its_id, "overloaded", text)
        else:
            self.open_requests.add(self._port.submit(self, its_id, request))

    def answer(self, response: Mapping[str, Any]) -> None:
        self._answers.append(_encode(response))

    def flush(self) -> None:
        if self._transport is not None and self._answers:
            self._answers.append(b"")
            self._transport.write(b"\n".join(self._answers))
            if self._ended and not self.open_requests:
                self._transport.close()
        self._answers.clear()

    def close(self) -> None:
        if self._transport is not None:
            self.flush()
            self._transport.close()

    def _refuse(self, its_id: Any, code: str, text: str) -> None:
        self.answer({"id": its_id, "error": {"code": code, "text": text}})
        self.flush()

    def _refuse_long_line(self) -> None:
        self._refuse(None, "malformed", f"a line is longer than {LINE_BYTES_MAX} bytes")
        self._buffer.clear()
        self.close()


def _what_is_wrong(its_id: Any, request: Mapping[str, Any], line: bytes) -> str | None:
    if isinstance(its_id, float | bool | list | dict):
        return "'id' must be an integer or a string"
    if not isinstance(request.get("f"), str):
        return '\'f\' must be a string that names the function, as in "f": "status"'
    # Counting brackets is cheap and at most too high: only lines full of them are walked.
    if line.count(b"[") + line.count(b"{") > DEPTH_MAX and _depth(request) > DEPTH_MAX:
        return f"values are nested deeper than {DEPTH_MAX}"
    try:
        _carry((its_id, request))
    except OverflowError:
        return "an integer is outside -2**63 .. 2**64-1"
    return None


def _depth(value: Any) -> int:
    """How deep containers are nested, walked level by level: a recursion could itself overflow."""
    depth, level = 0, [value]
    while level := [
        child
        for parent in level
        if isinstance(parent, dict | list)
        for child in (parent.values() if isinstance(parent, dict) else parent)
    ]:
        depth += 1
    return depth
