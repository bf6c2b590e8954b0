"""Nights of a system that is a function in a file, here and on workers of Dask."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

from harness.nightly.archive import Archive
from harness.nightly.records import RunRecord
from tests.harness.real import needs_module

LIMIT_S = 60
RAFT = Path(__file__).parents[3] / "examples" / "own-raft" / "raft.py"
PLAN = """\
systems: [raft.py:build]
workloads: register
faults: partitions
store: runs
workers: 1
settings: {time_limit_s: 2, clients: 2}
"""


def started(folder: Path, *flags: str, more: str = "") -> subprocess.Popen[str]:
    """From another directory than the plan's, beside which the system is."""
    shutil.copy(RAFT, folder)
    (folder / "night.yaml").write_text(PLAN + more)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "nightly", str(folder / "night.yaml"), *flags],
        cwd=elsewhere,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def records(folder: Path) -> list[RunRecord]:
    archive = Archive(str(folder / "runs"))
    last = archive.last_night()
    return [] if last is None else archive.records(last.name)


def test_a_function_in_a_file_has_nights(tmp_path: Path) -> None:
    """`raft.py:build` beside the plan, as the docs have it: simulated, and its runs are judged."""
    night = started(tmp_path, more="stop: {runs: 4}\n")
    out, told = night.communicate(timeout=LIMIT_S)
    assert 4 == len(records(tmp_path)), told
    assert {"valid", "idle"} >= {record.end for record in records(tmp_path)}, out
    assert {"simulated"} == {record.cluster for record in records(tmp_path)}
    assert "raft" in records(tmp_path)[0].cell


def test_on_dask_it_ends_soon(tmp_path: Path) -> None:
    """Workers find the file where it is. At SIGTERM what they have at hand goes back unbegun: what
    was run is on record, and the next night goes on after it."""
    needs_module("distributed", "antipaxos[distributed]")
    night = started(tmp_path, "--dask", "local")
    while not records(tmp_path):
        assert night.poll() is None, night.communicate()
    night.send_signal(signal.SIGTERM)
    _, told = night.communicate(timeout=LIMIT_S)
    ran = records(tmp_path)
    assert {"valid", "idle"} >= {record.end for record in ran}, told
    last = Archive(str(tmp_path / "runs")).last_night()
    assert last is not None
    assert "it was ended by SIGTERM" == last.stopped
    (cell,) = last.cells
    assert len(ran) == cell.runs
    assert cell.next_seed == max(record.seed for record in ran) + 1
