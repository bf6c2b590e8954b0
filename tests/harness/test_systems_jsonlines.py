"""The client of newline-delimited JSON: which failures are definite, and which are not."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec import structs

from checkers.history import Error, Operation
from harness.contracts import Address, Completion, EnvironmentTrouble
from harness.systems import jsonlines
from harness.systems.command import CommandSystem
from harness.systems.jsonlines import JsonLinesClient, ask_once
from harness.systems.registry import system
from harness.systems.specification import Call, Dialect

DIALECT = Dialect(
    reads=frozenset(["get"]),
    errors={"busy": "fail", "moved": "info"},
    status="hello",
)
CALLS = {"read": Call("get"), "write": Call("put"), "list": Call("get", [])}
TIMEOUT_S = 0.2

Answer = Callable[[dict[str, Any]], bytes | None]
Act = Callable[[JsonLinesClient, "Server"], Awaitable[Any]]


class Server:
    """A node that answers each request by `answer`: bytes to send, None to hang up, b"" for
    silence. It says hello by itself."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.requests = answer, []
        self.asked = asyncio.Event()
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        while line := await reader.readline():
            request = json.loads(line)
            if request["f"] == "hello":
                writer.write(b'{"id": %d, "ok": {"ready": true}}\n' % request["id"])
                continue
            self.requests.append(request)
            self.asked.set()
            answer = self.answer(request)
            if answer is None:
                break
            writer.write(answer)
        writer.close()

    async def start(self) -> Address:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()

    async def stop(self) -> None:
        self.server.close()
        for writer in self.writers:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)
        await self.server.wait_closed()


def run(answer: Answer, act: Act) -> Any:
    """`act` with an open client of a server."""

    async def main() -> Any:
        server = Server(answer)
        address = await server.start()
        client = JsonLinesClient("n1", address, DIALECT, CALLS, TIMEOUT_S)
        try:
            await client.open()
            return await act(client, server)
        finally:
            await client.close()
            await server.stop()

    return asyncio.run(main())


def invoke(answer: Answer, f: str, value: Any = None) -> Completion:
    async def act(client: JsonLinesClient, _: Server) -> Completion:
        return await client.invoke(operation(f, value))

    return run(answer, act)


def operation(f: str, value: Any = None) -> Operation:
    return Operation(0, 0, 0, "invoke", f, value, key="r1")


def ok(result: Any) -> Answer:
    return lambda request: json.dumps({"id": request["id"], "ok": result}).encode() + b"\n"


def error(code: str) -> Answer:
    return lambda request: (
        json.dumps({"id": request["id"], "error": {"code": code, "text": "why"}}).encode() + b"\n"
    )


def test_an_operation_is_asked_by_the_systems_own_name() -> None:
    """Rule: calls are mapped, fields that are null are left out, results come back."""

    async def act(client: JsonLinesClient, server: Server) -> Any:
        operations = operation("write", 5), operation("read")
        results = [await client.invoke(o) for o in operations]
        return results, [{k: v for k, v in r.items() if k != "id"} for r in server.requests]

    results, requests = run(ok([1, "a"]), act)

    assert results == [Completion("ok", [1, "a"])] * 2
    assert requests == [{"f": "put", "key": "r1", "value": 5}, {"f": "get", "key": "r1"}]


def test_null_is_what_the_file_says_it_is() -> None:
    """Rule: a list that nobody has written is empty, where the file says so."""
    assert invoke(ok(None), "list") == Completion("ok", [])
    assert invoke(ok(None), "read") == Completion("ok", None)


@pytest.mark.parametrize(
    ("code", "write", "read"),
    [("busy", "fail", "fail"), ("moved", "info", "fail"), ("never-heard-of", "info", "fail")],
)
def test_an_error_means_what_the_table_says(code: str, write: str, read: str) -> None:
    """Rule 1: what is absent from the table is info; a read has no effect, so it fails."""
    assert invoke(error(code), "write", 1) == Completion(write, error=Error(code, "why"))
    assert invoke(error(code), "read") == Completion(read, error=Error(code, "why"))


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda _: b"", "timeout"),
        (lambda _: None, "connection-lost"),
        (lambda _: b"nonsense\n", "bad-answer"),
        (lambda _: b'{"id": 1, "error": "text"}\n', "bad-answer"),
        (lambda _: b"[" * 100_000 + b"\n", "bad-answer"),
        (lambda r: b'{"id": %d, "ok": 1}\n' % (r["id"] - 1), "timeout"),
        (lambda r: b'{"id": %d, "ok": 1}\n' % (r["id"] + 1), "bad-answer"),
        (lambda r: b'{"id": "%d", "ok": 1}\n' % r["id"], "bad-answer"),
        (lambda _: b'{"ok": 1}\n', "bad-answer"),
        (lambda r: b'{"id": %d, "result": 1}\n' % r["id"], "bad-answer"),
    ],
    ids=[
        *("silence", "hang-up", "no json", "odd error", "deep", "old id", "id never given"),
        *("id as text", "no id", "neither ok nor error"),
    ],
)
def test_without_a_good_answer_a_write_may_have_happened(answer: Answer, code: str) -> None:
    """Rule 1: a mutation without an answer is info; a read without one is a definite fail."""
    write, read = invoke(answer, "write", 1), invoke(answer, "read")

    assert (write.type, write.error.code) == ("info", code)
    assert (read.type, read.error.code) == ("fail", code)


def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    """Rule 3: after a time-out on a read the client goes on; the old answer is thrown away."""
    held: list[bytes] = []

    def answer(request: dict[str, Any]) -> bytes:
        if not held:
            held.append(b'{"id": %d, "ok": "old"}\n' % request["id"])
            return b""
        return held[0] + b'{"id": %d, "ok": "new"}\n' % request["id"]

    async def act(client: JsonLinesClient, _: Server) -> list[Completion]:
        return [await client.invoke(operation("read")) for _ in range(2)]

    first, second = run(answer, act)

    assert first.error.code == "timeout"
    assert second == Completion("ok", "new")


def test_a_second_answer_is_not_taken_for_the_next_one() -> None:
    """Rule 3: what was answered once is answered."""

    async def act(client: JsonLinesClient, _: Server) -> list[Completion]:
        return [await client.invoke(operation("read")) for _ in range(3)]

    def answer(request: dict[str, Any]) -> bytes:
        first, second = ({"id": request["id"], "ok": [request["id"], n]} for n in (1, 2))
        return b"%s\n%s\n" % (json.dumps(first).encode(), json.dumps(second).encode())

    hello = 1  # the id of the request on which the connection was made
    assert run(answer, act) == [Completion("ok", [hello + n, 1]) for n in (1, 2, 3)]


def test_answers_in_pieces_are_put_together() -> None:
    """Rule: TCP may cut an answer anywhere."""

    async def act(client: JsonLinesClient, server: Server) -> Completion:
        pending = asyncio.create_task(client.invoke(operation("read")))
        await server.asked.wait()
        for byte in ok("x" * 50)(server.requests[0]):
            server.writers[0].write(bytes([byte]))
            await asyncio.sleep(0)
        return await pending

    assert run(lambda _: b"", act) == Completion("ok", "x" * 50)


def test_a_connection_lost_while_idle_is_made_anew() -> None:
    """Rule 2: nothing was sent on the lost one, so the operation goes out on a new one."""

    async def act(client: JsonLinesClient, server: Server) -> Completion:
        server.writers[0].close()
        while not client._connection.lost:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        return await client.invoke(operation("write", 1))

    assert run(ok("done"), act) == Completion("ok", "done")


def test_a_refused_connection_is_a_definite_fail() -> None:
    """Rule 2: a write that found nobody did not happen; `open` raises."""

    async def main() -> Completion:
        server = Server(ok(1))
        address = await server.start()
        await server.stop()
        client = JsonLinesClient("n1", address, DIALECT, CALLS, TIMEOUT_S)
        with pytest.raises(ConnectionRefusedError):
            await client.open()
        return await client.invoke(operation("write", 1))

    completion = asyncio.run(main())

    assert (completion.type, completion.error.code) == ("fail", "unreachable")


@pytest.mark.parametrize("behaviour", ["accepts and hangs up", "accepts and is silent"])
def test_a_connection_that_only_something_between_accepted_is_none(behaviour: str) -> None:
    """Rule 2: a proxy accepts for a dead node. Until the node itself has answered no operation
    is sent, and so each one fails definitely."""

    async def main() -> Completion:
        accepted = []

        def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.append(writer)
            if "hangs up" in behaviour:
                writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        client = JsonLinesClient("n1", address, DIALECT, CALLS, TIMEOUT_S)
        completion = await client.invoke(operation("write", 1))
        for writer in accepted:
            writer.close()
        server.close()
        await server.wait_closed()
        return completion

    completion = asyncio.run(main())

    assert (completion.type, completion.error.code) == ("fail", "unreachable")


def test_an_operation_without_a_call_is_the_files_mistake() -> None:
    """Rule: nothing was sent, so it is a definite fail; the error names what the file has."""
    text = "'cas' is none of the calls that the system's file has: read, write, list"
    assert invoke(ok(1), "cas", [1, 2]) == Completion("fail", error=Error("no-call", text))


def test_cancelling_leaves_nothing_behind() -> None:
    """Rule: a worker may be cancelled in the middle; the client can be used or closed after it."""

    async def act(client: JsonLinesClient, server: Server) -> Completion:
        pending = asyncio.create_task(client.invoke(operation("write", 1)))
        await server.asked.wait()
        pending.cancel()
        await asyncio.gather(pending, return_exceptions=True)
        server.answer = ok("after")
        return await client.invoke(operation("read"))

    assert run(lambda _: b"", act) == Completion("ok", "after")


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule: the system under test does not get to fill the harness's memory."""
    monkeypatch.setattr(jsonlines, "ANSWER_BYTES_MAX", 1000)

    assert invoke(lambda _: b"x" * 2000, "write", 1).error.code == "bad-answer"


def test_readiness_and_leaders_are_asked_from_the_nodes() -> None:
    """Rule: a node that is silent, gone or refuses is not ready. One whose answer will never do is
    the mistake of its author, shown to him. None of them leads."""
    answers = {
        "n1": b'{"id": 1, "ok": {"ready": true, "leading": true}}\n',
        "n2": b'{"id": 1, "ok": {"ready": true, "leading": false}}\n',
        "n3": b'{"id": 1, "ok": {"ready": false, "leading": 1}}\n',
        "n4": b'{"id": 1, "error": {"code": "starting"}}\n',
        "n5": b"",
        "n6": None,
        "n7": b'{"id": 1, "ok": {"ready": 1}}\n',
        "n8": b'{"id": 1, "ok": "yes"}\n',
        "n9": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    }
    paxos = system("paxos")
    assert isinstance(paxos, CommandSystem)

    async def main() -> tuple[list[Any], tuple[str, ...]]:
        nodes = {name: Server(lambda _, a=answer: a) for name, answer in answers.items()}
        addresses = {name: await node.start() for name, node in nodes.items()}
        asked = (paxos.ready(n, a) for n, a in addresses.items())
        ready = await asyncio.gather(*asked, return_exceptions=True)
        leaders = await paxos.leaders(addresses)
        assert await ask_once(addresses["n1"], "status", 1.0) == {"ready": True, "leading": True}
        for node in nodes.values():
            await node.stop()
        assert await paxos.ready("n1", addresses["n1"]) is False
        return ready, leaders

    ready, leaders = asyncio.run(main())

    assert leaders == ("n1",)
    assert ready[:6] == [True, True] + [False] * 4
    assert [type(trouble) for trouble in ready[6:]] == [EnvironmentTrouble] * 3
    assert "n7 answered 'status' with {'ready': 1}; expected an object" in str(ready[6])
    assert "n8 answered 'status' with 'yes'; expected an object" in str(ready[7])
    assert "against the client protocol" in str(ready[8])
    assert "HTTP/1.1 400" in str(ready[8])


def in_turn(*answers: Answer) -> Answer:
    left = list(answers)
    return lambda request: left.pop(0)(request)


@pytest.mark.parametrize(
    ("second", "outcome", "code"),
    [
        (ok(None), "ok", None),
        (error("compare-failed"), "fail", "compare-failed"),
        (error("busy"), "info", "connection-lost"),
        (error("moved"), "info", "moved"),
    ],
    ids=["ok", "compared", "a definite error", "an indefinite one"],
)
def test_what_the_second_copy_of_a_command_proves(
    second: Answer, outcome: str, code: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 4: after a copy of unknown fate only the command's own answer is certain. That a later
    copy was turned away says nothing of the first."""
    errors = {**DIALECT.errors, "compare-failed": "fail"}
    monkeypatch.setitem(globals(), "DIALECT", structs.replace(DIALECT, errors=errors, retries=1))

    done = invoke(in_turn(lambda _: None, second), "write", 1)

    assert (outcome, code) == (done.type, done.error and done.error.code)


def test_a_bad_answer_is_not_hidden_by_a_good_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 5: a mistake of the node is told, and not made good by sending the command again."""
    monkeypatch.setitem(globals(), "DIALECT", structs.replace(DIALECT, retries=1))

    done = invoke(in_turn(lambda _: b"nonsense\n", ok(None)), "write", 1)

    assert ("info", "bad-answer") == (done.type, done.error and done.error.code)
