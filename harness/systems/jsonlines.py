"""A client of newline-delimited JSON over TCP.

Request: `{"id": 1, "f": "put", "key": "r3", "value": 5}`, fields that are null left out. Answer:
`{"id": 1, "ok": RESULT}` or `{"id": 1, "error": {"code": "...", "text": "..."}}`.

Rules
1. What an error means is the system's table; what is absent from it is info. A call that has no
   effect (the system lists its `reads`) fails definitely, however it fails.
2. Nothing was sent, so `fail`: only where no connection could be had. A connection counts once the
   node has answered on it (its `status`, where it has one): something between, a proxy say, may
   accept for a node that is dead, and each request lost there would be info for ever.
3. After a time-out the answer may still come; it is known by its id and thrown away. So is a
   second answer to one request.
4. A command of unknown outcome is sent again where the system knows it again (`retries`): a
   client is a session and counts its commands, so a second copy is applied once. After a copy
   whose fate is unknown only the command's own answer is certain, `ok` or `compare-failed`: that a
   later copy found no leader says nothing of the first. Only clients of even processes do so: a
   system that knows commands by their sessions takes a frame that the network doubled for a copy,
   and what it does with it without them would never show.
5. An answer to what was never asked, or without `ok` and `error`, is a mistake of the node and
   called one, and not asked for again. Taken for silence or for null it would be blamed on the
   system's consistency.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from checkers.history import COMPARE_FAILED, Error, Operation
from harness.contracts import Address, Completion
from harness.systems.specification import Call, Dialect

ANSWER_BYTES_MAX = 64 * 2**20
LINE_SHOWN_BYTES = 80
ENDED = "client-ended"  # by whoever breaks clients: it does not come back to ask again
BAD_ANSWER = "bad-answer"  # the code of an answer that is none
# A worker that is refused tries again at once: without this pause it would fill the history with
# thousands of refusals a second.
REFUSED_PAUSE_S = 0.05


class _Request(msgspec.Struct, omit_defaults=True):
    id: int
    f: str
    key: Any = None
    value: Any = None
    session: str | None = None
    seq: int | None = None


class _Answer(msgspec.Struct):
    id: int
    ok: Any = msgspec.UNSET
    error: Error | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Answer).decode


class ProtocolError(Exception):
    """The node answered something that is no answer: the system under test is at fault."""


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._next_id = 0
        self._waiting: asyncio.Future[_Answer] | None = None
        self._waiting_id = 0

    @property
    def lost(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    async def ask(
        self,
        f: str,
        key: Any,
        value: Any,
        deadline: float,
        command: tuple[str, int] | None = None,
    ) -> _Answer:
        """`command`: session and seq, of what may be sent again. Raises TimeoutError at `deadline`
        (of the loop's clock), ConnectionError if the connection is lost before the answer,
        ProtocolError."""
        assert self._transport is not None, "ask() comes after the connection was made"
        assert self._waiting is None, "a client performs one operation at a time"
        self._next_id += 1
        self._waiting_id = self._next_id
        future: asyncio.Future[_Answer] = self._loop.create_future()
        self._waiting = future
        alarm = self._loop.call_at(deadline, self._expire)
        session, seq = (None, None) if command is None else command
        request = _Request(self._next_id, f, key, value, session, seq)
        self._transport.write(_encode(request) + b"\n")
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
        lost = ConnectionResetError(str(exc or "the node closed the connection"))
        self._fail(exc if isinstance(exc, ConnectionAbortedError) else lost)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        searched = len(buffer)
        buffer += data
        end = buffer.rfind(b"\n", searched) + 1
        if end:
            lines = bytes(buffer[:end]).split(b"\n")
            del buffer[:end]
            for line in lines:
                if line:
                    self._receive(line)
        if len(buffer) > ANSWER_BYTES_MAX:
            self._give_up(f"an answer is longer than {ANSWER_BYTES_MAX} bytes")

    def _receive(self, line: bytes) -> None:
        try:
            answer = _decode(line)
        except (ValueError, RecursionError) as trouble:
            self._give_up(f"{line[:LINE_SHOWN_BYTES]!r} is no answer: {trouble}")
            return
        wrong = ""
        if answer.ok is msgspec.UNSET and answer.error is None:
            wrong = "it has neither 'ok' nor 'error'"
        elif not 0 < answer.id <= self._next_id:
            wrong = f"no request had id {answer.id}"
        if wrong:
            self._give_up(f"{line[:LINE_SHOWN_BYTES]!r} is no answer: {wrong}")
            return
        future = self._waiting
        if future is not None and answer.id == self._waiting_id and not future.done():
            future.set_result(answer)

    def _give_up(self, why: str) -> None:
        self._fail(ProtocolError(why))
        self.close()

    def _expire(self) -> None:
        self._fail(TimeoutError("no answer in time"))

    def _fail(self, trouble: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(trouble)


class JsonLinesClient:
    """Implements harness.contracts.Client. `timeout_s` bounds an operation, and opening."""

    def __init__(
        self,
        node: str,
        address: Address,
        dialect: Dialect,
        calls: Mapping[str, Call],
        timeout_s: float,
    ) -> None:
        self._node, self._address, self._dialect, self._calls = node, address, dialect, calls
        self._timeout_s = timeout_s
        self._connection: Connection | None = None
        self._session = ""
        self._seq = 0

    async def open(self) -> None:
        """Raises OSError if the node cannot be reached or does not answer."""
        await self._connect(asyncio.get_running_loop().time() + self._timeout_s)

    async def invoke(self, operation: Operation) -> Completion:
        call = self._calls.get(operation.f)
        if call is None:
            known = ", ".join(self._calls)
            text = f"{operation.f!r} is none of the calls that the system's file has: {known}"
            await asyncio.sleep(REFUSED_PAUSE_S)
            return Completion("fail", error=Error("no-call", text))
        began = asyncio.get_running_loop().time()
        command = self._command(operation)
        attempts = 1
        if command is not None and call.f not in self._dialect.reads:
            attempts += self._dialect.retries
        doubt: Error | None = None
        for number in range(1, attempts + 1):
            deadline = began + self._timeout_s * number / attempts
            result = await self._attempt(call, operation, command, deadline)
            if result.type == "ok" or (result.type == "fail" and doubt is None):
                return result
            code = None if result.error is None else result.error.code
            if code in (COMPARE_FAILED, BAD_ANSWER, ENDED):
                # The answer of the command itself, whichever copy was applied; or a mistake of the
                # node, which the good answer to another copy would hide; or nobody is left to ask.
                return result
            if result.type == "info":
                doubt = result.error
        return Completion("info", error=doubt)

    def _command(self, operation: Operation) -> tuple[str, int] | None:
        """Session and seq: one session a client, which is named by its first operation. None for
        a client without."""
        odd = isinstance(operation.process, int) and operation.process % 2 == 1
        if not self._session and (odd or not self._dialect.retries):
            return None
        self._session = self._session or f"p{operation.process}.{operation.index}"
        self._seq += 1
        return self._session, self._seq

    async def _attempt(
        self,
        call: Call,
        operation: Operation,
        command: tuple[str, int] | None,
        deadline: float,
    ) -> Completion:
        connection = self._connection
        if connection is None or connection.lost:
            try:
                connection = await self._connect(deadline)
            except OSError as trouble:
                return Completion("fail", error=Error("unreachable", f"{self._node}: {trouble}"))
        try:
            answer = await connection.ask(call.f, operation.key, operation.value, deadline, command)
        except TimeoutError:
            return self._unsure(call, Error("timeout", f"no answer in {self._timeout_s:g} s"))
        except ConnectionAbortedError as trouble:
            return self._unsure(call, Error(ENDED, str(trouble)))
        except ConnectionError as trouble:
            return self._unsure(call, Error("connection-lost", str(trouble)))
        except ProtocolError as trouble:
            return self._unsure(call, Error(BAD_ANSWER, str(trouble)))
        if answer.error is not None:
            meaning = self._dialect.errors.get(answer.error.code, "info")
            outcome = "fail" if call.f in self._dialect.reads else meaning
            return Completion(outcome, error=answer.error)
        return Completion("ok", call.absent if answer.ok is None else answer.ok)

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _unsure(self, call: Call, error: Error) -> Completion:
        return Completion("fail" if call.f in self._dialect.reads else "info", error=error)

    async def _connect(self, deadline: float) -> Connection:
        await self.close()
        try:
            self._connection = await connect(self._address, self._dialect.status, deadline)
        except OSError:
            await asyncio.sleep(REFUSED_PAUSE_S)
            raise
        return self._connection


async def connect(address: Address, hello: str | None, deadline: float) -> Connection:
    """A connection on which the node has answered the call `hello`, if there is one. Raises
    OSError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout_at(deadline):
        _, connection = await loop.create_connection(Connection, *address)
    try:
        if hello is not None:
            await connection.ask(hello, None, None, deadline)
    except ProtocolError as trouble:
        raise OSError(f"it does not speak this protocol: {trouble}") from trouble
    except BaseException:
        connection.close()
        raise
    return connection


async def ask_once(address: Address, f: str, timeout_s: float) -> Any:
    """The result of one call on a connection of its own; None if there is none, or an error.

    Raises ProtocolError if what comes is no answer.
    """
    deadline = asyncio.get_running_loop().time() + timeout_s
    try:
        connection = await connect(address, None, deadline)
    except OSError:
        return None
    try:
        answer = await connection.ask(f, None, None, deadline)
    except OSError:
        return None
    finally:
        connection.close()
    return answer.ok if answer.error is None else None
