"""The same night on threads, on a cluster of Dask's in this machine, and on a real scheduler whose
worker is killed. Dask lives in processes of its own here: it warns about much that is not ours."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from harness.nightly.executors import Here, OnDask
from harness.nightly.records import RunRecord
from harness.trial import TrialError
from tests.harness.nightly import evil
from tests.harness.real import Program, free_ports, needs_module, programs

LIMIT_S = 60
ANTIPAXOS = (sys.executable, "-m", "harness.cli")
PLAN = """\
systems: evil.yaml
faults: none
nodes: 3
clusters: simulated
store: runs
settings: {time_limit_s: 1, rate: 30, recovery_s: 0.1, clients: 3}
stop: {runs: 60}
shrink_s: 0
budget: 60s
"""


def plan(folder: Path) -> Path:
    evil.written(folder)
    file = folder / "night.yaml"
    file.write_text(PLAN)
    return file


def outcomes(folder: Path) -> dict[int, tuple[str, str, int]]:
    """Of each seed: how its run ended."""
    told = json.loads((folder / "told.json").read_text())
    assert told["troubles"] == []
    assert sum(told["night"]["ends"].values()) == 60
    (night,) = (folder / "runs" / "nights").glob("2*Z")
    records = [
        msgspec.json.decode(line, type=RunRecord)
        for line in (night / "runs.jsonl").read_bytes().splitlines()
    ]
    return {r.seed: (r.end, r.fingerprint, r.operations) for r in records}


def started(folder: Path, *flags: str) -> subprocess.Popen[bytes]:
    with (folder / "told.json").open("wb") as out:
        return subprocess.Popen(
            [*ANTIPAXOS, "nightly", str(plan(folder)), "--json", *flags],
            stdout=out,
            stderr=subprocess.PIPE,
        )


def ended(night: subprocess.Popen[bytes]) -> None:
    _, told = night.communicate(timeout=LIMIT_S)
    assert night.returncode == 1, told.decode()


@pytest.fixture(scope="module")
def on_threads(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[str, str, int]]:
    folder = tmp_path_factory.mktemp("threads")
    ended(started(folder, "--workers", "2"))
    found = outcomes(folder)
    assert set(range(1, 61)) == set(found)
    return found


def test_a_cluster_of_dask_here_gives_the_same(
    tmp_path: Path, on_threads: dict[int, tuple[str, str, int]]
) -> None:
    """Seed by seed: who carries a run out changes nothing in it."""
    needs_module("distributed", "antipaxos[distributed]")
    ended(started(tmp_path, "--dask", "local", "--workers", "2"))
    assert on_threads == outcomes(tmp_path)


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, list[Program]]]:
    """A scheduler as people start one, with two workers; its address and those workers."""
    needs_module("distributed", "antipaxos[distributed]")
    (port,) = free_ports(1)
    address = f"tcp://127.0.0.1:{port}"
    dask = (sys.executable, "-m", "dask")
    with programs() as running:
        serve = (*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
        running.append(Program(serve, tmp_path / "scheduler.log"))
        for number in (1, 2):
            work = (*dask, "worker", address, "--nthreads", "1", "--no-dashboard")
            place = ("--local-directory", str(tmp_path / f"worker{number}"))
            running.append(Program((*work, *place), tmp_path / f"worker{number}.log"))
        yield address, running[1:]


def test_a_worker_that_is_killed_loses_nothing(
    tmp_path: Path,
    scheduler: tuple[str, list[Program]],
    on_threads: dict[int, tuple[str, str, int]],
) -> None:
    """Its process is killed by its id, with what it had in hand: each seed has its result, the same
    as without."""
    address, workers = scheduler
    night = started(tmp_path, "--dask", address)
    victim = _working(workers[0])
    os.kill(victim, signal.SIGKILL)
    ended(night)
    assert on_threads == outcomes(tmp_path)
    assert "signal 9" in workers[0].log.read_text()


def _working(worker: Program) -> int:
    """The process of a worker of Dask that has begun with a run: it has a child of ours."""
    assert worker._process is not None
    while True:
        for process in psutil.Process(worker._process.pid).children(recursive=True):
            try:
                if re.search(r"harness\.nightly\.child", " ".join(process.cmdline())):
                    parent: psutil.Process = process.parent()  # type: ignore[assignment]
                    return int(parent.pid)
            except psutil.NoSuchProcess:
                continue
        assert worker.alive


def test_without_dask_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """An extra that is not there is a sentence with the command."""

    def absent(_name: str) -> Any:
        return None

    monkeypatch.setattr("importlib.util.find_spec", absent)
    with pytest.raises(TrialError, match=r"pip install 'antipaxos\[distributed\]'"):
        OnDask("local")


def test_a_scheduler_that_does_not_answer_is_trouble() -> None:
    """With its address, and what to start."""
    needs_module("distributed", "antipaxos[distributed]")
    (port,) = free_ports(1)
    code = (
        "import sys\n"
        "from harness.contracts import EnvironmentTrouble\n"
        "from harness.nightly import executors\n"
        "executors.CONNECT_LIMIT_S = 1\n"
        "try:\n"
        f"    executors.OnDask('tcp://127.0.0.1:{port}')\n"
        "except EnvironmentTrouble as wrong:\n"
        "    print(wrong)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=LIMIT_S
    )
    assert f"no scheduler of Dask answers at tcp://127.0.0.1:{port}" in told.stdout


def test_threads_have_as_many_slots_as_asked_for() -> None:
    """Or as many as this process may use cores."""
    executor = Here(3)
    executor.close()
    executor.close()
    assert 3 == executor.slots
