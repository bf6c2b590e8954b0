"""Responses of HTTP/1.1 as they arrive, however TCP cuts them, and what is none."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from harness.systems.etcd import http
from harness.systems.etcd.http import Connection, ProtocolError, Response

FIXED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncontent-length: 11\r\n\r\nhello world"
)
CHUNKED = (
    b"HTTP/1.1 400 Bad Request\r\nTrailer: Grpc-X\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"6;ext=1\r\nhello \r\n5\r\nworld\r\n0\r\nGrpc-X: y\r\n\r\n"
)
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status", "body", "keep"),
    [
        (FIXED, 200, b"hello world", True),
        (CHUNKED, 400, b"hello world", True),
        (EMPTY, 200, b"", False),
    ],
    ids=["length", "chunks", "empty"],
)
@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
def test_a_response_arrives_in_whatever_pieces(
    sent: bytes, status: int, body: bytes, keep: bool, size: int
) -> None:
    """Rule: it is complete with its last byte and not before, trailers included."""
    response = Response()
    pieces = [sent[i : i + size] for i in range(0, len(sent), size)]
    for piece in pieces[:-1]:
        response.feed(piece)
        assert not response.complete
    response.feed(pieces[-1])

    assert (True, status, body, keep) == (
        response.complete,
        response.status,
        bytes(response.body),
        response.keep,
    )


def test_what_a_stream_sent_so_far_is_there() -> None:
    """Rule: an answer without an end is read as it comes."""
    response = Response()
    response.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\nde")

    assert (b"abcde", False) == (bytes(response.body), response.complete)


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n", "no HTTP/1.1 response"),
        (b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n", "does not say its length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "does not say its length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "no size of a chunk"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
            "longer than it says",
        ),
        (FIXED + b"more", "answers nothing"),
        (b"x" * (http.HEAD_BYTES_MAX + 1), "a head is longer than"),
    ],
    ids=["other", "no length", "negative", "no size", "long chunk", "two answers", "no end"],
)
def test_what_is_no_response_is_called_so(sent: bytes, says: str) -> None:
    """Rule 1: taken for an empty answer it would be blamed on somebody's consistency."""
    with pytest.raises(ProtocolError, match=says):
        Response().feed(sent)


def test_a_body_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 3: a server does not get to fill our memory."""
    monkeypatch.setattr(http, "BODY_BYTES_MAX", 1000)
    response = Response()

    with pytest.raises(ProtocolError, match="longer than 1000 bytes"):
        response.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 1001)


def served(answer: bytes, act: Callable[[Connection], Awaitable[Any]]) -> Any:
    """`act` with a connection to a server that answers every request so; b"" hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            await reader.readexactly(int(head.rpartition(b"Content-Length: ")[2]))
            if not answer:
                break
            writer.write(answer)
        writer.close()

    async def main() -> Any:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        loop = asyncio.get_running_loop()
        try:
            connection = await Connection.open(server.sockets[0].getsockname(), loop.time() + 5)
            try:
                return await act(connection)
            finally:
                connection.close()
        finally:
            server.close()
            await server.wait_closed()
            while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - the server's, which end
                await asyncio.sleep(0)

    return asyncio.run(main())


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def _ask(connection: Connection, limit_s: float = 5.0) -> tuple[int, bytes]:
    deadline = asyncio.get_running_loop().time() + limit_s
    return await connection.request(b"POST", b"/x", b"{}", deadline)


def test_a_connection_carries_one_request_after_the_other() -> None:
    """Rule: keep-alive, whatever the kind of the answer."""

    async def twice(connection: Connection) -> list[tuple[int, bytes]]:
        return [await _ask(connection), await _ask(connection)]

    assert [(400, b"hello world")] * 2 == served(CHUNKED, twice)


@pytest.mark.parametrize(
    ("answer", "raised"),
    [(b"", ConnectionError), (b"nonsense\r\n\r\n", ProtocolError), (FIXED[:-1], TimeoutError)],
    ids=["hangs up", "nonsense", "incomplete"],
)
def test_a_connection_that_failed_is_not_used_again(answer: bytes, raised: type[Exception]) -> None:
    """Rule 2: a late answer would be taken for the next one."""

    async def fail(connection: Connection) -> bool:
        with pytest.raises(raised):
            await _ask(connection, 0.1)
        return connection.lost

    assert served(answer, fail) is True


def test_a_server_that_says_close_is_believed() -> None:
    """Rule: the answer counts, the connection does not."""

    async def once(connection: Connection) -> tuple[tuple[int, bytes], bool]:
        return await _ask(connection), connection.lost

    assert ((200, b""), True) == served(EMPTY, once)
