"""Healing: ends what a dead run left behind, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness.contracts import EnvironmentTrouble
from harness.heal import HARNESS, goes_on, heal, stored_runs
from nemesis.ledger import Ledger


@pytest.fixture
def sleeper() -> Iterator[psutil.Process]:
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield psutil.Process(process.pid)
        process.kill()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "paxos-register" / "run"
    path.mkdir(parents=True)
    return path


def enter(folder: Path, pid: int, created_s: float, name: str) -> None:
    with Ledger(folder / "ledger.jsonl") as ledger:
        ledger.process(pid, created_s, name)


def test_a_leftover_is_ended_even_if_it_is_stopped(
    folder: Path, sleeper: psutil.Process, tmp_path: Path
) -> None:
    """SIGKILL reaches a stopped process too; the second healing finds nothing to do."""
    enter(folder, sleeper.pid, sleeper.create_time(), "n1")
    os.kill(sleeper.pid, signal.SIGSTOP)
    (sentence,) = heal(stored_runs(tmp_path))
    assert f"ended process {sleeper.pid} (n1)" in sentence
    assert sleeper.status() == psutil.STATUS_ZOMBIE if sleeper.is_running() else True
    assert [] == heal(stored_runs(tmp_path))


def test_a_process_that_took_over_the_number_is_left_alone(
    folder: Path, sleeper: psutil.Process
) -> None:
    """Process ids are used again; the time of creation tells whose it is."""
    enter(folder, sleeper.pid, sleeper.create_time() - 60, "n1")
    assert [] == heal([folder])
    assert sleeper.is_running()


def test_a_run_that_goes_on_is_left_alone(folder: Path, sleeper: psutil.Process) -> None:
    """Its harness lives: what it started is its own."""
    me = psutil.Process()
    enter(folder, me.pid, me.create_time(), HARNESS)
    enter(folder, sleeper.pid, sleeper.create_time(), "n1")
    assert [] == heal([folder])
    assert sleeper.is_running()


def test_a_damaged_ledger_is_told_and_kept(folder: Path) -> None:
    """Damage might hide something that must be undone, so it is never passed over."""
    ledger = folder / "ledger.jsonl"
    ledger.write_text('nonsense\n{"entry":"done","number":1}\n')
    with pytest.raises(EnvironmentTrouble, match="ledger cannot be read"):
        heal([folder])
    assert ledger.read_text().startswith("nonsense")


def test_one_damaged_ledger_keeps_nothing_else_from_being_healed(
    folder: Path, sleeper: psutil.Process
) -> None:
    """The others are worked off first; then comes the complaint, with what was done."""
    damaged = folder.with_name("damaged")
    damaged.mkdir()
    (damaged / "ledger.jsonl").write_text("nonsense\n\n")
    enter(folder, sleeper.pid, sleeper.create_time(), "n1")
    with pytest.raises(EnvironmentTrouble, match=f"ended process {sleeper.pid}"):
        heal([damaged, folder])
    assert [] == heal([folder])


def test_a_harness_that_nobody_reaped_is_dead(folder: Path, sleeper: psutil.Process) -> None:
    """A zombie drives nothing: what its run left is ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as harness:
        created_s = psutil.Process(harness.pid).create_time()
        os.waitid(os.P_PID, harness.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays
        enter(folder, harness.pid, created_s, HARNESS)
        enter(folder, sleeper.pid, sleeper.create_time(), "n1")
        assert goes_on(folder) is None
        (sentence,) = heal([folder])
        assert f"ended process {sleeper.pid} (n1)" in sentence


def test_the_children_of_a_node_are_ended_with_it(folder: Path) -> None:
    """A node is a process group, as its keeper started it."""
    parent = (
        "import subprocess as s; p = s.Popen(['sleep', '600']); print(p.pid, flush=True); p.wait()"
    )
    command = [sys.executable, "-c", parent]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as node:
        assert node.stdout is not None
        child = psutil.Process(int(node.stdout.readline()))
        enter(folder, node.pid, psutil.Process(node.pid).create_time(), "n1")
        heal([folder])
        psutil.wait_procs([child], timeout=5)
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_run_that_goes_on_is_told_from_one_that_is_over(folder: Path) -> None:
    """By the process of its harness."""
    me = psutil.Process()
    assert goes_on(folder) is None
    enter(folder, me.pid, me.create_time(), HARNESS)
    assert me.pid == goes_on(folder)


def test_a_run_is_found_once(folder: Path, tmp_path: Path) -> None:
    """The links to the newest run do not make more runs of it."""
    enter(folder, 1, 0.0, "n1")
    (folder.parent / "latest").symlink_to(folder.name)
    (tmp_path / "latest").symlink_to(folder)
    assert [folder] == stored_runs(tmp_path)
