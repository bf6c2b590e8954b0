"""A run in a world of its own, at a terminal: its keyboard is the world's, and comes back."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector

import pytest

from harness.clock import monotonic_ns
from harness.clusters.namespaces import world
from tests.command import ANTIPAXOS, PARTITION, in_effect, schedule

LIMIT_S = 40.0
CTRL_C, CTRL_Z, ENTER = b"\x03", b"\x1a", b"\n"


@pytest.fixture(autouse=True)
def _worlds() -> None:
    reason = world.obstacle()
    if reason is not None:
        assert os.environ.get("CI") != "true", f"in CI this must run: {reason}"
        pytest.skip(reason)


class Terminal:
    """A command that leads a session at a terminal, as a shell would start it."""

    def __init__(self, cwd: Path, *words: str) -> None:
        self.shown = b""
        self.cwd = cwd
        self._status: int | None = None
        self.pid, self._keyboard = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execv(ANTIPAXOS[0], [*ANTIPAXOS, *words])

    def press(self, keys: bytes) -> None:
        os.write(self._keyboard, keys)

    def until(self, words: bytes) -> None:
        self.watch(lambda: words in self.shown, repr(words))

    def end(self) -> int:
        """Its exit code."""
        self.watch(lambda: self._ended, "the end")
        assert self._status is not None
        return os.waitstatus_to_exitcode(self._status)

    @property
    def _ended(self) -> bool:
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = status if pid else None
        return self._status is not None

    def watch(self, done: Callable[[], bool], what: str) -> None:
        latest_ns = monotonic_ns() + round(LIMIT_S * 1e9)
        with DefaultSelector() as selector:
            selector.register(self._keyboard, EVENT_READ)
            while not done():
                assert monotonic_ns() < latest_ns, f"{what} did not come:\n{self.shown.decode()}"
                if selector.select(0.05):
                    try:
                        self.shown += os.read(self._keyboard, 65536)
                    except OSError:  # nobody has it open any more
                        selector.unregister(self._keyboard)

    def close(self) -> None:
        if self._status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._keyboard)


@contextlib.contextmanager
def at_terminal(home: Path, *words: str) -> Iterator[Terminal]:
    cwd = home / "work"
    cwd.mkdir()
    terminal = Terminal(cwd, "run", "--cluster", "namespaces", "--nodes", "3", *words)
    try:
        yield terminal
    finally:
        terminal.close()


def until_cut(terminal: Terminal) -> None:
    def cut() -> bool:
        lines = [
            line
            for file in terminal.cwd.glob("antipaxos-runs/latest/history.jsonl")
            for line in file.read_bytes().split(b"\n")[:-1]
        ]
        return any(in_effect(json.loads(line)) for line in lines)

    terminal.watch(cut, "a partition")


def test_ctrl_c_ends_a_run_in_order_and_comes_once(tmp_path: Path) -> None:
    """The whole group of the world hears it; only the run inside acts. Ctrl-Z stops nothing."""
    cut = schedule(tmp_path, 600, (0.2, 600, PARTITION))
    with at_terminal(tmp_path, "--faults", cut, "--time-limit", "600") as terminal:
        until_cut(terminal)
        terminal.press(CTRL_Z)
        terminal.press(CTRL_C)
        code = terminal.end()
        shown = terminal.shown.decode()
    assert code in (0, 2), shown
    assert "SIGINT: healing" in shown
    assert "Interrupted by SIGINT" in shown
    assert "Traceback" not in shown
    assert "refused to configure" not in shown


def test_a_second_ctrl_c_leaves_at_once(tmp_path: Path) -> None:
    """And says where what was recorded is."""
    cut = schedule(tmp_path, 600, (0.2, 600, PARTITION))
    with at_terminal(tmp_path, "--faults", cut, "--time-limit", "600") as terminal:
        until_cut(terminal)
        terminal.press(CTRL_C)
        terminal.until(b"SIGINT: healing")
        terminal.press(CTRL_C)
        assert 255 == terminal.end()
        shown = terminal.shown.decode()
    assert "'antipaxos check" in shown.replace("\r\n", " ")
    assert "Traceback" not in shown


def test_ctrl_c_before_there_is_a_world_is_not_lost(tmp_path: Path) -> None:
    """It is kept until the run inside listens."""
    with at_terminal(tmp_path, "--time-limit", "600") as terminal:
        children = Path(f"/proc/{terminal.pid}/task/{terminal.pid}/children")
        terminal.watch(lambda: bool(children.read_text()), "a child")
        terminal.press(CTRL_C)
        assert terminal.end() in (0, 2, 255), terminal.shown.decode()
        assert b"SIGINT" in terminal.shown or b"interrupted" in terminal.shown
        assert b"Traceback" not in terminal.shown


def test_enter_ends_the_look_at_a_frozen_cluster(tmp_path: Path) -> None:
    """The keyboard is the world's while it lasts."""
    cut = schedule(tmp_path, 60, (0.3, 59, PARTITION))
    words = ("--mutant", "local-reads", "--faults", cut, "--time-limit", "60")
    with at_terminal(tmp_path, *words, "--live-check", "stop") as terminal:
        terminal.until(b"frozen, every node paused")
        terminal.press(ENTER)
        assert 1 == terminal.end(), terminal.shown.decode()
