"""Clients that are programs: how they are spoken to, and what is told of those that misbehave."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from checkers.history import Error, Operation
from harness.contracts import BrokenClient, Completion
from harness.systems import program
from harness.systems.program import ProgramClient, Speakers

PROGRAM = Path(__file__).with_name("client_program.py")
ADDRESS = ("127.0.0.1", 9)
TIMEOUT_S = 5.0


def client(mode: str, timeout_s: float = TIMEOUT_S, speakers: Speakers | None = None) -> Any:
    command = ["{python}", "-IS", str(PROGRAM), mode]
    texts = {"python": sys.executable, "here": "/nowhere"}
    return ProgramClient(
        command, "n2", ADDRESS, "register", timeout_s, texts, speakers or Speakers()
    )


def invoke(f: str, value: Any = None) -> Operation:
    return Operation(type="invoke", f=f, value=value, key="k", time=0, process=1, index=0)


async def played(
    of: ProgramClient, play: Callable[[ProgramClient], Awaitable[Any]], *, opened: bool = True
) -> Any:
    """What `play` gives, with the client closed and its process gone afterwards."""
    if opened:
        await of.open()
    process = of._process
    try:
        return await play(of)
    finally:
        await of.close()
        assert process is None or not psutil.pid_exists(process.pid)


async def two_reads(of: ProgramClient) -> list[Completion]:
    return [await of.invoke(invoke("read")) for _ in range(2)]


def trouble(mode: str, timeout_s: float = TIMEOUT_S) -> str:
    with pytest.raises(BrokenClient) as raised:
        asyncio.run(played(client(mode, timeout_s), two_reads))
    return str(raised.value)


def test_a_program_is_asked_and_answers() -> None:
    """Values, compare-failed and null go through as they are."""

    async def play(of: ProgramClient) -> list[Completion]:
        asked = [("read", None), ("write", 3), ("cas", [3, 4]), ("cas", [3, 5]), ("read", None)]
        return [await of.invoke(invoke(*one)) for one in asked]

    assert asyncio.run(played(client("good"), play)) == [
        Completion("ok", None),
        Completion("ok", None),
        Completion("ok", None),
        Completion("fail", None, Error("compare-failed")),
        Completion("ok", 4),
    ]


def test_a_program_is_told_where_it_is(tmp_path: Path) -> None:
    """By placeholders and by the environment, alike."""
    script = tmp_path / "tell.sh"
    script.write_text(
        'read line; echo "{\\"id\\": 1, \\"type\\": \\"ok\\", \\"value\\": \\"'
        '$* $ANTIPAXOS_NODE $ANTIPAXOS_ADDRESS $ANTIPAXOS_WORKLOAD $ANTIPAXOS_TIMEOUT_S\\"}"\n'
    )
    command = ["sh", "{here}/tell.sh", "{node}", "{ip}", "{port}", "{workload}", "{timeout_s}"]
    texts = {"python": sys.executable, "here": str(tmp_path)}
    told = ProgramClient(command, "n2", ADDRESS, "register", TIMEOUT_S, texts, Speakers())

    completion = asyncio.run(played(told, lambda of: of.invoke(invoke("read"))))

    assert completion.value == "n2 127.0.0.1 9 register 5 n2 127.0.0.1:9 register 5"


BROKEN = {
    "nonsense": "answered 'read' with 'what was the question?', which is no completion",
    "twice": "was asked operation 2 and answered 1: ",
    "wrong": "was asked operation 1 and answered 77: ",
    "once": "ended with status 4 without an answer to 'read', and no client has answered",
    "middle": "ended with status 3 without an answer to 'read', and no client has answered",
    "mute": "closed its standard output during 'read' and ran on",
}


@pytest.mark.parametrize("mode", BROKEN)
def test_a_program_that_breaks_the_protocol_is_told(mode: str) -> None:
    """By its node, its command, what was tried, what came, and its own last words."""
    sentence = trouble(mode)

    assert sentence.startswith(f"The client program for node n2, '{sys.executable} -IS {PROGRAM} ")
    assert BROKEN[mode] in sentence
    assert "says nothing about the system under test" in sentence
    assert sentence.endswith(f"\n  this client is {mode}")


def test_a_program_that_hangs_is_told() -> None:
    """It has its time once more, and then it is killed."""
    assert "did not answer 'read' within its 0.3 s (and as much of grace)" in trouble("hang", 0.3)


def test_a_program_that_never_ends_a_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it fills the memory."""
    monkeypatch.setattr(program, "LINE_BYTES_MAX", 1_000_000)

    assert "wrote 1,000,000 bytes without the end of a line" in trouble("endless")


def test_a_program_that_ends_later_leaves_its_operation_open() -> None:
    """Like any client that crashes: the operation may have happened."""
    first, second = asyncio.run(played(client("middle-1"), two_reads))

    assert first == Completion("ok", None)
    assert (second.type, second.error.code) == ("info", "client-ended")
    assert "ended with status 3 during 'read'" in second.error.text


def test_a_program_that_ends_at_once_is_open_where_others_spoke() -> None:
    """A node that is down may be why: only where none ever answered is the program to blame."""
    speakers = Speakers()
    asyncio.run(played(client("good", speakers=speakers), two_reads))

    completion = asyncio.run(
        played(client("once", speakers=speakers), lambda of: of.invoke(invoke("read")))
    )

    assert (completion.type, completion.error.code) == ("info", "client-ended")


def test_a_program_that_floods_its_errors_is_heard_in_part() -> None:
    """What is kept is little, and nothing blocks."""
    of = client("flood")

    assert [Completion("ok", None)] * 2 == asyncio.run(played(of, two_reads))
    assert len(of._complaints) <= program.COMPLAINTS_MAX
    assert max(map(len, of._complaints)) <= program.LINE_SHOWN


def test_a_program_that_is_not_there_is_told() -> None:
    """When it is opened, with what would be found."""
    texts = {"python": sys.executable, "here": "/nowhere"}
    of = ProgramClient(["{here}/none"], "n2", ADDRESS, "register", 1.0, texts, Speakers())

    with pytest.raises(BrokenClient, match=r"node n2 cannot be started: .*'/nowhere/none'"):
        asyncio.run(of.open())


def test_what_a_program_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    """Its children are in its group."""
    script = tmp_path / "leave.sh"
    script.write_text('sleep 600 & echo \'{"id": 1, "type": "ok", "value": \'$!\'}\'; cat\n')
    of = ProgramClient(["sh", str(script)], "n2", ADDRESS, "register", TIMEOUT_S, {}, Speakers())

    completion = asyncio.run(played(of, lambda of: of.invoke(invoke("read"))))

    left = psutil.Process(completion.value) if psutil.pid_exists(completion.value) else None
    assert left is None or left.status() == psutil.STATUS_ZOMBIE or left.wait(2) is None
