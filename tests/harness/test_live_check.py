"""The live check of a run: it stops at a violation with the cluster frozen, and never without."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import signal
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from checkers.history import HistoryError, Operation
from checkers.models import model
from checkers.stream import LiveCheck
from checkers.verdict import Kind, Verdict
from harness.store.folder import RunFolder
from harness.trial import TrialError, problems_of, read_trial
from harness.watch import BATCH, Watch
from nemesis.ledger import ProcessEntry, open_entries
from tests.command import ANTIPAXOS, PARTITION, Command, schedule, until
from tests.harness.fake_cluster import JumpingClock


def operations(count: int) -> list[Operation]:
    """Reads of nil, of a register that nobody writes."""
    return [Operation(n, n, 0, "invoke" if n % 2 == 0 else "ok", "read") for n in range(count)]


def stale(at: int) -> list[Operation]:
    """A read of what nobody wrote."""
    return [Operation(at, at, 0, "invoke", "read"), Operation(at + 1, at + 1, 0, "ok", "read", 7)]


def watched(recorded: list[Operation], more: list[Operation] = []) -> Verdict:  # noqa: B006
    """The violation in what is recorded, and in what is recorded later."""

    async def watch() -> Verdict:
        found = Watch(LiveCheck(model("register")), recorded, JumpingClock()).violation()
        task = asyncio.create_task(found)
        await asyncio.sleep(0)
        recorded.extend(more)
        async with asyncio.timeout(10):
            return await task

    return asyncio.run(watch())


def test_a_violation_is_found_in_what_is_recorded_meanwhile() -> None:
    """Whether it was there from the beginning or came later, beyond a batch."""
    start = operations(3 * BATCH)
    assert Kind.INVALID is watched(start + stale(len(start))).kind
    assert Kind.INVALID is watched(start, stale(len(start))).kind


def test_what_the_model_cannot_read_is_told() -> None:
    """To the one who waits."""
    wrong = [Operation(0, 0, 0, "invoke", "swap"), Operation(1, 1, 0, "ok", "swap")]
    with pytest.raises(HistoryError, match="swap"):
        watched(wrong)


@pytest.mark.parametrize("word", ["off", "note", "stop"])
def test_a_trial_says_what_a_live_check_does(word: str) -> None:
    """Unquoted in YAML, too, where `off` would be false."""
    assert {"live_check": word} == read_trial(f"live_check: {word}\n", "t.yaml", {})


def test_another_word_is_refused_with_the_valid_ones() -> None:
    """As every setting."""
    (sentence,) = problems_of({"live_check": "halt"}, {})["live_check"]
    assert "off, note, stop" in sentence
    with pytest.raises(TrialError, match="off, note, stop"):
        read_trial("live_check: true\n", "t.yaml", {})


QUICK = ("--nodes", "3", "--clients", "6", "--rate", "300", "--seed", "3")


def stored(command: Command) -> tuple[Verdict, list[str], list[dict[str, Any]]]:
    """Verdict, notices and what the nemesis did."""
    folder = RunFolder(command.folder)
    assert [] == open_entries(folder.ledger)
    verdict = msgspec.json.decode(folder.verdict.read_bytes(), type=Verdict)
    nemesis = [o for o in command.journal() if o["process"] == "nemesis"]
    return verdict, folder.read_notices(), nemesis


def test_a_run_stops_at_a_violation_with_every_node_paused(tmp_path: Path) -> None:
    """Long before its time is over: paused, seen to be, healed, judged as always."""
    cut = schedule(tmp_path, 60, (0.3, 59, PARTITION))
    words = ("--mutant", "local-reads", "--faults", cut, "--time-limit", "60", *QUICK)
    with Command(tmp_path, "run", *words, "--live-check", "stop") as command:
        assert 1 == command.end(), command.out + command.err
        verdict, notices, nemesis = stored(command)
        assert [] == command.left_over()
    assert Kind.INVALID is verdict.kind
    assert any("The live check stopped the run at" in notice for notice in notices)
    ends = [(o["f"], o["value"]["in_effect"]) for o in nemesis if "in_effect" in o["value"]]
    assert [("pause", True), ("resume", True)] == [e for e in ends if e[0] in ("pause", "resume")]
    assert ("heal", True) == ends[-1]
    pause = next(o["value"] for o in nemesis if "applied" in o["value"] and o["f"] == "pause")
    assert ["n1", "n2", "n3"] == pause["applied"]["nodes"]


LYING = """
name: lying
command: ["{python}", "-IS", "%s/bad_node.py", lying, "{ip.client}", "{port.client}"]
ports: {client: {framing: line}}
workloads: {register: {calls: {read: get, write: put, cas: cas}}}
client: {protocol: json-lines, status: status, reads: [get]}
"""


def test_a_violation_that_is_noted_ends_nothing(tmp_path: Path) -> None:
    """The run goes on to its end; its nodes answer every read with what nobody wrote."""
    system = tmp_path / "lying.yaml"
    system.write_text(LYING % Path(__file__).parent)
    words = ("--system", str(system), "--faults", "none", "--time-limit", "2", *QUICK)
    words = (*words, "--nodes", "1")
    with Command(tmp_path, "run", *words, "--live-check", "note") as command:
        assert 1 == command.end(), command.out + command.err
        _, notices, nemesis = stored(command)
    assert any("The live check saw a violation at" in notice for notice in notices)
    assert not any("The live check stopped" in notice for notice in notices)
    assert [] == [o for o in nemesis if o["f"] == "pause"]


def test_nothing_is_reported_of_a_right_system(tmp_path: Path) -> None:
    """The reference, under the same fault."""
    cut = schedule(tmp_path, 3, (0.3, 2, PARTITION))
    words = ("--faults", cut, "--time-limit", "3", *QUICK, "--live-check", "stop")
    with Command(tmp_path, "run", *words) as command:
        assert 0 == command.end(), command.out + command.err
        verdict, notices, _ = stored(command)
    assert (Kind.VALID, []) == (verdict.kind, notices)


class Terminal:
    """A pseudo-terminal for standard input and error of a command."""

    def __init__(self) -> None:
        self._ours, self.theirs = pty.openpty()
        os.set_blocking(self._ours, False)
        self._text = b""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._ours)
        os.close(self.theirs)

    def text(self) -> str:
        """All that was written so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._text += os.read(self._ours, 65536)
        return self._text.decode(errors="replace")

    def enter(self) -> None:
        os.write(self._ours, b"\n")


@pytest.mark.parametrize("how", ["Enter", "Ctrl-C"])
def test_on_a_terminal_it_waits_until_somebody_has_looked(tmp_path: Path, how: str) -> None:
    """Frozen as long, and told how to look; then Enter or Ctrl-C heals and judges."""
    words = ("--mutant", "local-reads", "--time-limit", "60", *QUICK, "--live-check", "stop")
    cut = schedule(tmp_path, 60, (0.3, 59, PARTITION))
    (tmp_path / "work").mkdir()
    with Terminal() as terminal, (tmp_path / "out").open("wb") as out:
        with subprocess.Popen(
            [*ANTIPAXOS, "run", *words, "--faults", cut],
            cwd=tmp_path / "work",
            stdin=terminal.theirs,
            stdout=out,
            stderr=terminal.theirs,
            start_new_session=True,
        ) as process:
            try:
                until(lambda: "Enter or Ctrl-C" in terminal.text(), "the freeze")
                (ledger,) = (tmp_path / "work").glob("antipaxos-runs/*/2*/ledger.jsonl")
                pids = [
                    entry.pid
                    for entry in open_entries(ledger)
                    if isinstance(entry, ProcessEntry) and entry.name in ("n1", "n2", "n3")
                ]
                assert [psutil.STATUS_STOPPED] * 3 == [psutil.Process(p).status() for p in pids]
                assert all(f"is process {pid}" in terminal.text() for pid in pids)
                if how == "Enter":
                    terminal.enter()
                else:
                    process.send_signal(signal.SIGINT)
                until(lambda: bool(terminal.text()) and process.poll() is not None, "the end")
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        assert 1 == process.returncode
        assert not any(psutil.pid_exists(pid) for pid in pids)
