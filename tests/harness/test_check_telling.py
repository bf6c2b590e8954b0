"""`antipaxos check`: what it tells beside the verdict, and to whom."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from checkers.linearizability import engine
from checkers.verdict import Kind, Verdict
from harness import recheck
from harness.report import remedies
from tests.command import ANTIPAXOS
from tests.harness.conftest import Antipaxos
from tests.harness.test_check_command import history, line, long_history


@pytest.mark.skipif(not engine.available(), reason="there is no engine here")
def test_a_streamed_file_gets_the_notices_of_one_that_python_reads(
    antipaxos: Antipaxos, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a torn last line, and of processes with a name that look like clients."""
    named = [line(n, f"c{n % 5}", kind, "read") for n, kind in enumerate(["invoke", "ok"] * 5)]
    numbered = line(10, 0, "invoke", "read") + line(11, 0, "ok", "read")
    Path("h.jsonl").write_text("".join(named) + numbered + '{"index":12,"ti')
    read = antipaxos("h.jsonl", "--model", "register")
    monkeypatch.setattr(recheck, "STREAMED_FROM_BYTES", 0)
    monkeypatch.setattr(recheck, "read_history", None)
    streamed = antipaxos("h.jsonl", "--model", "register")
    assert read[0] == streamed[0] == 0
    assert read[2] == streamed[2]
    assert "The last line (13) is torn" in streamed[2]
    assert "Not judged: what `c0`, `c1`, `c2` and 2 more did" in streamed[2]


@pytest.mark.parametrize("streamed", [True, False])
def test_explain_gives_a_history_to_paste(
    antipaxos: Antipaxos, monkeypatch: pytest.MonkeyPatch, streamed: bool
) -> None:
    """Of 201 operations, a few that are INVALID alone."""
    Path("h.jsonl").write_text(long_history(wrong=True))
    if streamed:
        monkeypatch.setattr(recheck, "STREAMED_FROM_BYTES", 0)
    _, out, _ = antipaxos("h.jsonl", "--model", "register", "--explain")
    assert "These operations alone are INVALID" in out
    pasted = [text for text in out.splitlines() if text.startswith("{")]
    assert 0 < len(pasted) <= 8
    Path("pasted.jsonl").write_text("\n".join(pasted))
    assert 1 == antipaxos("pasted.jsonl", "--model", "register")[0]


def test_explain_says_why_there_is_no_history_to_paste(antipaxos: Antipaxos) -> None:
    """A log that is read late is made of every append before it."""
    lines: list[str] = []
    for n in range(200):
        value = list(range(n + 1)) if n < 199 else []
        lines.append(line(len(lines), 0, "invoke", "append", n))
        lines.append(line(len(lines), 0, "ok", "append"))
        lines.append(line(len(lines), 0, "invoke", "read"))
        lines.append(line(len(lines), 0, "ok", "read", value))
    Path("h.jsonl").write_text("".join(lines))
    code, out, _ = antipaxos("h.jsonl", "--model", "log", "--explain")
    assert 1 == code
    assert "No small history stands alone: the contradiction begins in a state that" in out


@pytest.mark.parametrize(
    ("limit", "helps"),
    [
        ("time", "--time-limit"),
        ("memory", "a larger --memory-limit"),
        ("configurations", "fewer operations at once"),
    ],
)
@pytest.mark.parametrize("built", [True, False])
def test_the_remedy_is_more_of_what_was_spent(
    monkeypatch: pytest.MonkeyPatch, limit: str, helps: str, built: bool
) -> None:
    """More time for a search that ran out of memory would be in vain; the engine is not."""
    monkeypatch.setattr(engine, "_WHY_NOT", "" if built else "it is not built")
    told = Verdict(
        checker="linearizable",
        kind=Kind.UNKNOWN,
        cause="budget",
        summary="Not decided.",
        evidence={"limit": limit},
    )
    for remedy in (remedies.of_budget(told, ())[-1], remedies.of_unconfirmed(told)):
        assert helps in remedy
        assert (limit == "time") == ("more time (" in remedy)
        assert (limit == "memory" and not built) == ("The engine takes far less memory" in remedy)


def test_a_reader_that_leaves_is_not_complained_about(tmp_path: Path) -> None:
    """As `head` does; the verdict is in the exit code."""
    (tmp_path / "h.jsonl").write_text(history(2))
    read, write = os.pipe()
    os.close(read)
    try:
        ended = subprocess.run(
            [*ANTIPAXOS, "check", "h.jsonl", "--model", "register"],
            cwd=tmp_path,
            stdout=write,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
    finally:
        os.close(write)
    assert (1, b"") == (ended.returncode, ended.stderr)
