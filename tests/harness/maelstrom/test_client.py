"""Clients of Maelstrom nodes: what is asked for each operation, and what each answer means."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from checkers.history import COMPARE_FAILED, Error, Operation
from harness.contracts import Completion
from harness.systems.maelstrom.calls import CALLS
from harness.systems.maelstrom.client import BAD_ANSWER, MaelstromClient
from harness.systems.maelstrom.errors import REGISTRY, kind

TIMEOUT_S = 0.3

Body = dict[str, Any]
Answer = Callable[[Body], bytes | Body | None]


def asked(workload: str, f: str, value: Any, answer: Answer, key: Any = None) -> Completion:
    """One operation against a node that answers by `answer`: a body, bytes as they are, or None to
    hang up."""

    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await converse(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        over.set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            request = json.loads(line)["body"]
            said = answer(request)
            if said is None:
                return
            if isinstance(said, dict):
                body = {"in_reply_to": request["msg_id"], **said}
                said = json.dumps({"src": "n1", "dest": "c1", "body": body}).encode() + b"\n"
            writer.write(said)

    async def main() -> Completion:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        client = MaelstromClient("n1", server.sockets[0].getsockname(), CALLS[workload], TIMEOUT_S)
        try:
            await client.open()
            return await client.invoke(Operation(0, 0, 0, "invoke", f, value, key))
        finally:
            await client.close()
            await over.wait()
            server.close()
            await server.wait_closed()

    return asyncio.run(main())


RPCS = [
    ("echo", "echo", {"x": 1}, {"echo": {"x": 1}}, {"echo": {"x": 1}}, {"x": 1}),
    ("unique-ids", "generate", None, {}, {"id": "n1-7"}, "n1-7"),
    ("broadcast", "broadcast", 5, {"message": 5}, {}, 5),
    ("broadcast", "read", None, {}, {"messages": [5, 6]}, [5, 6]),
    ("g-set", "add", 5, {"element": 5}, {}, 5),
    ("g-set", "read", None, {}, {"value": [5]}, [5]),
    ("counter", "add", -3, {"delta": -3}, {}, -3),
    ("counter", "read", None, {}, {"value": 4}, 4),
    ("register", "read", None, {"key": "r1"}, {"value": 7}, 7),
    ("register", "write", 7, {"key": "r1", "value": 7}, {}, 7),
    ("register", "cas", [7, 8], {"key": "r1", "from": 7, "to": 8}, {}, [7, 8]),
    ("kafka", "send", ["k", 9], {"key": "k", "msg": 9}, {"offset": 3}, ["k", [3, 9]]),
    ("kafka", "poll", {"k": 2}, {"offsets": {"k": 2}}, {"msgs": {"k": [[2, 8]]}}, {"k": [[2, 8]]}),
    ("kafka", "commit_offsets", {"k": 2}, {"offsets": {"k": 2}}, {}, {"k": 2}),
    ("kafka", "list_committed_offsets", ["k"], {"keys": ["k"]}, {"offsets": {"k": 2}}, {"k": 2}),
    (
        "txn-list-append",
        "txn",
        [["append", "x", 1], ["r", "x", None], ["r", "y", None]],
        {"txn": [["append", "x", 1], ["r", "x", None], ["r", "y", None]]},
        {"txn": [["append", "x", 1], ["r", "x", [1]], ["r", "y", None]]},
        [["append", "x", 1], ["r", "x", [1]], ["r", "y", []]],
    ),
]


@pytest.mark.parametrize(("workload", "f", "value", "request_", "answer", "result"), RPCS)
def test_each_operation_is_its_rpc(
    workload: str, f: str, value: Any, request_: Body, answer: Body, result: Any
) -> None:
    """The body that is sent, and the value that is read out of the answer's."""
    sent: list[Body] = []

    def node(request: Body) -> Body:
        sent.append(request)
        return {"type": f"{f}_ok", **answer}

    key = "r1" if workload == "register" else None
    assert Completion("ok", result) == asked(workload, f, value, node, key)
    assert [{"type": f, "msg_id": 1, **request_}] == sent


def test_every_operation_has_been_tried() -> None:
    """Or the list above is not what it says."""
    tried = {(workload, f) for workload, f, *_ in RPCS}
    assert tried == {(workload, f) for workload, calls in CALLS.items() for f in calls}


DEFINITE = {1, 10, 11, 12, 14, 20, 21, 22, 30}


@pytest.mark.parametrize("code", [*REGISTRY, 99, 1000, -1])
def test_errors_are_definite_as_registered(code: int) -> None:
    """A write: fail where nothing happened for sure, else info; also for codes nobody knows."""
    refuse = {"type": "error", "code": code, "text": "no"}
    found = asked("register", "write", 1, lambda _: refuse, key="r1")
    assert ("fail" if code in DEFINITE else "info") == found.type
    assert Error(kind(code).name, "no") == found.error


def test_a_missing_key_is_null_only_where_there_are_keys() -> None:
    """A set without keys that its node cannot find in a store is not the empty set: elements that
    it has would be called lost."""
    refuse = {"type": "error", "code": 20}
    assert Completion("ok", None) == asked("register", "read", None, lambda _: refuse, key="r1")
    for workload in ("g-set", "broadcast", "counter"):
        assert "fail" == asked(workload, "read", None, lambda _: refuse).type


@pytest.mark.parametrize("code", [0, 13, 99])
def test_what_changes_nothing_fails_definitely(code: int) -> None:
    """However it fails; and so does a transaction that only reads."""
    refuse = {"type": "error", "code": code}
    assert "fail" == asked("register", "read", None, lambda _: refuse, key="r1").type
    reads, writes = [["r", "x", None]], [["append", "x", 1]]
    assert "fail" == asked("txn-list-append", "txn", reads, lambda _: refuse).type
    assert "info" == asked("txn-list-append", "txn", writes, lambda _: refuse).type


@pytest.mark.parametrize(
    ("code", "expected", "meaning"),
    [
        (22, 5, COMPARE_FAILED),
        (22, None, COMPARE_FAILED),
        (20, 5, COMPARE_FAILED),
        (20, None, "key-does-not-exist"),  # the state may well be null, as was expected
        (11, 5, "temporarily-unavailable"),
    ],
)
def test_a_cas_that_did_not_match_is_evidence(code: int, expected: Any, meaning: str) -> None:
    """Of the state; and nothing else is."""
    refuse = {"type": "error", "code": code}
    found = asked("register", "cas", [expected, 6], lambda _: refuse, key="r1")
    assert ("fail", Error(meaning)) == (found.type, found.error)


def test_a_key_that_is_not_there_reads_null() -> None:
    """It was never written."""
    refuse = {"type": "error", "code": 20, "text": "no such key"}
    assert Completion("ok", None) == asked("register", "read", None, lambda _: refuse, key="r1")


@pytest.mark.parametrize(
    "answer",
    [
        b"what?\n",
        b'{"src": "n1", "dest": "c1", "body": {"in_reply_to": 7}}\n',
        b'{"src": "n1", "dest": "c1", "body": {"type": "write_ok"}}\n',
        {"type": "read_ok"},
        {"type": "error", "code": "busy"},
    ],
)
def test_answers_that_are_none_are_the_nodes_mistake(answer: bytes | Body) -> None:
    """Told as such; what was asked may have happened."""
    found = asked("register", "write", 1, lambda _: answer, key="r1")
    assert found.error is not None
    assert ("info", BAD_ANSWER) == (found.type, found.error.code)


@pytest.mark.parametrize(
    ("workload", "f", "value", "answer"),
    [
        ("g-set", "read", None, {"value": {"a": 1}}),
        ("g-set", "read", None, {"elements": [1]}),
        ("counter", "read", None, {"value": True}),
        ("kafka", "send", ["k", 1], {"offset": "3"}),
        ("txn-list-append", "txn", [["r", "x", None]], {"txn": []}),
        ("txn-list-append", "txn", [["r", "x", None]], {"txn": [["r", "y", []]]}),
        ("txn-list-append", "txn", [["r", "x", None]], {"txn": [["r", "x", 5]]}),
    ],
)
def test_answers_of_the_wrong_shape_are_mistakes(
    workload: str, f: str, value: Any, answer: Body
) -> None:
    """A value of the wrong kind must not be judged as if the system had meant it."""
    found = asked(workload, f, value, lambda _: {"type": f"{f}_ok", **answer})
    assert found.error is not None
    assert BAD_ANSWER == found.error.code


def test_silence_and_a_broken_connection_are_in_doubt() -> None:
    """For what changes something; what the time limit says."""
    silent = asked("register", "write", 1, lambda _: b"", key="r1")
    assert ("info", "timeout") == (silent.type, silent.error and silent.error.code)
    broken = asked("register", "write", 1, lambda _: None, key="r1")
    assert ("info", "connection-lost") == (broken.type, broken.error and broken.error.code)


def test_a_counter_with_keys_is_refused() -> None:
    """The protocol's counter is one: adding all keys up would blame the system."""
    found = asked("counter", "add", 1, lambda _: {"type": "add_ok"}, key="s1")
    assert ("fail", "no-call") == (found.type, found.error and found.error.code)
