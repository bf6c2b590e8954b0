"""The keeper: nothing that it started outlives it or its input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import psutil
import pytest

from harness.clusters import keeper as keeper_module

LIMIT_S = 8.0
POLL_S = 0.005
# A process of three threads and five more, none of which ever rests.
RESTLESS = """
import os, threading
for _ in range(5):
    if not os.fork():
        break
for _ in range(2):
    threading.Thread(target=lambda: [None for _ in iter(int, 1)]).start()
while True:
    pass
"""
PARENT = "import subprocess, time; subprocess.Popen(['sleep', '600']); time.sleep(600)"


class Keeper:
    """A keeper process, spoken to as the harness does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", keeper_module.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def order(self, **order: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()

    def event(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        event: dict[str, Any] = json.loads(self.process.stdout.readline())
        return event

    def start(self, name: str, *argv: str) -> int:
        log = str(self.folder / f"{name}.log")
        env = dict(os.environ)
        self.order(do="start", name=name, argv=argv, cwd=str(self.folder), env=env, log=log)
        event = self.event()
        assert (event["event"], event["name"]) == ("started", name)
        pid: int = event["pid"]
        return pid

    def start_parent(self, name: str) -> tuple[int, int]:
        """A node with a child: the pids of both."""
        pid = self.start(name, sys.executable, "-c", PARENT)
        until(lambda: bool(psutil.Process(pid).children()))
        return pid, psutil.Process(pid).children()[0].pid


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    keeper = Keeper(tmp_path)
    assert keeper.process.stdin is not None
    assert keeper.process.stdout is not None
    with keeper.process.stdin, keeper.process.stdout:
        yield keeper
        keeper.process.kill()
        keeper.process.wait(LIMIT_S)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(condition: Any) -> None:
    """Waits for another process's doing, bounded."""
    for _ in range(int(LIMIT_S / POLL_S)):
        if condition():
            return
        Event().wait(POLL_S)
    raise AssertionError(f"not within {LIMIT_S} s")


def await_end(*pids: int) -> None:
    until(lambda: not any(alive(pid) for pid in pids))


def test_the_end_of_input_ends_all(keeper: Keeper) -> None:
    """Nodes, their children, and stopped ones: all gone when the harness is."""
    running, child = keeper.start_parent("n1")
    stopped, stopped_child = keeper.start_parent("n2")
    keeper.order(do="signal", name="n2", signal=int(signal.SIGSTOP))
    until(lambda: psutil.Process(stopped_child).status() == psutil.STATUS_STOPPED)
    assert keeper.process.stdin is not None
    keeper.process.stdin.close()
    assert keeper.process.wait(LIMIT_S) == 0
    await_end(running, child, stopped, stopped_child)


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_nodes_die_with_the_keeper(keeper: Keeper) -> None:
    """SIGKILL of the keeper takes its nodes along, stopped ones included."""
    running, stopped = keeper.start("n1", "sleep", "600"), keeper.start("n2", "sleep", "600")
    keeper.order(do="signal", name="n2", signal=int(signal.SIGSTOP))
    until(lambda: psutil.Process(stopped).status() == psutil.STATUS_STOPPED)
    keeper.process.kill()
    keeper.process.wait(LIMIT_S)
    await_end(running, stopped)


def test_sigterm_ends_all_and_sigint_nothing(keeper: Keeper) -> None:
    """A Ctrl-C that reaches the keeper is for the harness to answer; SIGTERM is meant for it."""
    pid = keeper.start("n1", "sleep", "600")
    keeper.process.send_signal(signal.SIGINT)
    second = keeper.start("n2", "sleep", "600")  # it still serves
    assert alive(pid)
    keeper.process.send_signal(signal.SIGTERM)
    assert keeper.process.wait(LIMIT_S) == 0
    await_end(pid, second)


def test_exits_are_told_as_they_were(keeper: Keeper) -> None:
    """Status or signal, and only when the node is reaped and its group empty."""
    keeper.start("n1", "sh", "-c", "exit 3")
    assert keeper.event() == {"event": "exited", "name": "n1", "status": 3, "signal": None}
    pid, child = keeper.start_parent("n2")
    keeper.order(do="signal", name="n2", signal=int(signal.SIGKILL))
    assert keeper.event() == {"event": "exited", "name": "n2", "status": None, "signal": 9}
    assert not psutil.pid_exists(pid)
    assert not alive(child)


def test_a_node_that_leaves_children_behind_takes_them_along(keeper: Keeper) -> None:
    """The ports of a node are free when it is reported gone, whoever of its group held them."""
    keeper.start("n1", "sh", "-c", "sleep 600 & echo $!")
    assert keeper.event() == {"event": "exited", "name": "n1", "status": 0, "signal": None}
    assert not alive(int((keeper.folder / "n1.log").read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody can look at a group")
def test_a_stop_is_told_when_all_have_stopped(keeper: Keeper) -> None:
    """All threads of all processes of the node; the going on, when all were told to."""
    pid = keeper.start("n1", sys.executable, "-c", RESTLESS)
    try:
        until(lambda: len(threads_of_group(pid)) == 18)
        for _ in range(20):
            keeper.order(do="signal", name="n1", signal=int(signal.SIGSTOP))
            assert keeper.event() == {"event": "obeyed", "name": "n1", "signal": signal.SIGSTOP}
            assert threads_of_group(pid) == ["T"] * 18
            keeper.order(do="signal", name="n1", signal=int(signal.SIGCONT))
            assert keeper.event() == {"event": "obeyed", "name": "n1", "signal": signal.SIGCONT}
            assert "T" not in threads_of_group(pid)
    finally:  # children do not die with the keeper, only with their group
        keeper.order(do="signal", name="n1", signal=int(signal.SIGKILL))
    assert keeper.event()["event"] == "exited"


def threads_of_group(group: int) -> list[str]:
    """Their states, as proc(5) has them."""
    leader = psutil.Process(group)
    tasks = (
        task
        for process in (leader, *leader.children())
        for task in Path(f"/proc/{process.pid}/task").iterdir()
    )
    return [(task / "stat").read_text().rpartition(")")[2].split()[0] for task in tasks]


def test_a_program_that_cannot_start_is_told(keeper: Keeper) -> None:
    """With the reason, and the keeper goes on."""
    keeper.order(do="start", name="n1", argv=["/no/such"], cwd="/", env={}, log="/dev/null")
    event = keeper.event()
    assert (event["event"], event["name"]) == ("failed", "n1")
    assert "No such file" in event["text"]
    assert alive(keeper.start("n1", "sleep", "600"))


def test_the_log_is_appended(keeper: Keeper) -> None:
    """A second life writes behind the first, both streams."""
    for word in ("one", "two"):
        keeper.start("n1", "sh", "-c", f"echo {word}; echo {word} >&2")
        assert keeper.event()["status"] == 0
    assert (keeper.folder / "n1.log").read_text() == "one\none\ntwo\ntwo\n"


def test_nodes_get_signals_as_usual(keeper: Keeper) -> None:
    """What the keeper does with its signals is not inherited: SIGINT and SIGTERM still end one."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        keeper.start("n1", "sleep", "600")
        keeper.order(do="signal", name="n1", signal=int(number))
        assert keeper.event()["signal"] == number
