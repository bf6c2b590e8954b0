"""`antipaxos check` on what is too hard: it ends within its limits, and by Ctrl-C at once."""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest

from checkers.linearizability import engine
from tests.command import Command, finished, until

MANY = 100_000
BUILT = pytest.mark.skipif(not engine.available(), reason="there is no engine here")


def lines(operations: Sequence[tuple[int, str, str, Any]]) -> str:
    """Each operation (process, type, f, value) as a line."""
    names = ("process", "type", "f", "value")
    numbered = enumerate(dict(zip(names, o, strict=True)) for o in operations)
    return "".join(json.dumps({"index": at, "time": at, **told}) + "\n" for at, told in numbered)


def sums(rounds: int) -> str:
    """Which of sixteen numbers add up to that? Asked again and again: long, and little to hold."""
    random, total = Random(1), 0
    said: list[tuple[int, str, str, Any]] = []
    for _ in range(rounds):
        numbers = [random.randrange(10**9) for _ in range(16)]
        said += [(p, "invoke", "add", n) for p, n in enumerate(numbers)]
        seen = total + sum(random.sample(numbers, 8))
        said += [(16, "invoke", "read", None), (16, "ok", "read", seen)]
        said += [(p, "ok", "add", None) for p, _ in enumerate(numbers)]
        total += sum(numbers)
    return lines(said)


def at_once(calls: Sequence[tuple[str, Any, Any]]) -> str:
    """All of them, (f, input, output), invoked before the first returns."""
    invoked = [(p, "invoke", f, value) for p, (f, value, _) in enumerate(calls)]
    return lines([*invoked, *((p, "ok", f, seen) for p, (f, _, seen) in enumerate(calls))])


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The directory in which commands run."""
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


@pytest.mark.parametrize("search", [pytest.param("on", marks=BUILT), "off"])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interruption_ends_within_a_second(
    work: Path, monkeypatch: pytest.MonkeyPatch, jobs: str, search: str
) -> None:
    """With 255, a sentence, and no process left; by Ctrl-C in the middle of a search."""
    monkeypatch.setenv(engine.VARIABLE, search)
    for name in ("a.jsonl", "b.jsonl"):
        (work / name).write_text(sums(1000))
    words = ("check", "a.jsonl", "b.jsonl", "--model", "counter", "--time-limit", "100")
    with Command(work.parent, *words, "--jobs", jobs) as command:
        me = psutil.Process(command.process.pid)
        command.until(lambda: sum(map(_cpu_s, [me, *me.children()])) > 2.5, "the search")
        command.interrupt(signal.SIGINT)
        until(lambda: command.process.poll() is not None, "the end", 1.0)
        assert 255 == command.end()
        assert "interrupted" in command.err
        assert "Traceback" not in command.err
        until(lambda: not command.left_over(), "the end of every process", 1.0)


def _cpu_s(process: psutil.Process) -> float:
    try:
        return sum(process.cpu_times()[:2])
    except psutil.NoSuchProcess:
        return 0.0


@pytest.mark.parametrize("search", [pytest.param("on", marks=BUILT), "off"])
def test_a_search_that_takes_too_long_says_how_far_it_came(
    work: Path, monkeypatch: pytest.MonkeyPatch, search: str
) -> None:
    """UNKNOWN, by the time that it was given."""
    monkeypatch.setenv(engine.VARIABLE, search)
    (work / "h.jsonl").write_text(sums(200))
    code, out, err = finished(
        work.parent, "check", "h.jsonl", "--model", "counter", "--time-limit", "0.5"
    )
    assert (2, "") == (code, err)
    assert "takes more than 0.5 s" in out
    assert "were explained" in out


@BUILT
@pytest.mark.parametrize(
    ("model", "calls"),
    [
        ("register", [("write", n, None) for n in range(MANY)]),
        ("cas-register", [("cas", [n % 5, (n + 1) % 5], None) for n in range(MANY)]),
        ("log", [("append", n, None) for n in range(MANY - 1)] + [("read", None, [7, 5])]),
        (
            "fifo-queue",
            [("enqueue", n % 9, None) for n in range(MANY)],
        ),
        ("counter", [("add", n, None) for n in range(MANY - 1)] + [("read", None, 77)]),
    ],
    ids=["register", "cas-register", "log", "fifo-queue", "counter"],
)
def test_a_hundred_thousand_at_once_end_within_the_limits(
    work: Path, model: str, calls: Sequence[tuple[str, Any, Any]]
) -> None:
    """Decided, or UNKNOWN by budget; not by the system for want of memory."""
    (work / "h.jsonl").write_text(at_once(calls))
    words = ("check", "h.jsonl", "--model", model, "--time-limit", "2", "--memory-limit", "300M")
    code, out, err = finished(work.parent, *words, prepare=_bound_memory)
    assert code in (0, 1, 2), out + err
    assert "Traceback" not in out + err
    assert "bug" not in out + err


def _bound_memory() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (1_000_000_000, 1_000_000_000))
