"""Commands of unknown outcome, sent again in their session."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from checkers.history import COMPARE_FAILED, Operation
from harness.contracts import Completion
from harness.systems.jsonlines import JsonLinesClient
from harness.systems.specification import Call, Dialect
from tests.harness.test_systems_jsonlines import Answer, Server, error, ok

DIALECT = Dialect(
    reads=frozenset(["get"]),
    errors={"no-leader": "fail", COMPARE_FAILED: "fail"},
    status="hello",
    retries=1,
)
CALLS = {"read": Call("get"), "write": Call("put")}


def invoked(
    answers: Sequence[Answer], f: str = "write", process: int = 4
) -> tuple[Completion, list[dict[str, Any]]]:
    """How an operation ends where the node answers its copies so, and the copies."""

    async def main() -> tuple[Completion, list[dict[str, Any]]]:
        left = list(answers)
        server = Server(lambda request: left.pop(0)(request))
        client = JsonLinesClient("n1", await server.start(), DIALECT, CALLS, 2.0)
        try:
            await client.open()
            done = await client.invoke(Operation(17, 0, process, "invoke", f, 5, key="r1"))
            return done, server.requests
        finally:
            await client.close()
            await server.stop()

    return asyncio.run(main())


def hang_up(_request: dict[str, Any]) -> None:
    """The connection is lost: nobody knows whether the command was taken."""


def test_a_doubtful_command_is_sent_again_as_the_same_one() -> None:
    """Rule 4: both copies bear one session and one seq."""
    done, copies = invoked([hang_up, ok("done")])
    assert Completion("ok", "done") == done
    assert [("p4.17", 1)] * 2 == [(copy["session"], copy["seq"]) for copy in copies]


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (error("no-leader"), "info"),  # of the first copy that says nothing
        (error(COMPARE_FAILED), "fail"),  # the command's own answer
        (error("whatever"), "info"),
        (hang_up, "info"),
    ],
    ids=["no-leader", "compare-failed", "unknown", "lost"],
)
def test_after_a_doubtful_copy_only_the_commands_own_answer_is_certain(
    second: Answer, expected: str
) -> None:
    """Rule 4: a wrong `fail` would be blamed on the system as a phantom write."""
    assert expected == invoked([hang_up, second])[0].type


def test_half_of_the_clients_have_no_session() -> None:
    """Rule 4: a client of an odd process neither names a session nor sends a command again."""
    done, copies = invoked([hang_up, ok("done")], process=5)
    assert "info" == done.type
    assert [None] == [copy.get("session") for copy in copies]


def test_a_certain_failure_is_final() -> None:
    """Nothing happened, and nothing is sent again."""
    done, copies = invoked([error("no-leader")])
    assert ("fail", 1) == (done.type, len(copies))


def test_reads_are_not_sent_again() -> None:
    """Their failures are certain: they have no effect."""
    done, copies = invoked([hang_up], "read")
    assert ("fail", 1) == (done.type, len(copies))
