"""Where the machine or a system fails the harness: a clear sentence, 254 or 255, nothing lost."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.store.folder import RunFolder
from nemesis.ledger import open_entries
from tests.command import PARTITION, Command, finished, schedule, until

SYSTEM = """\
name: mine
command: {command}
ports: {{client: {{framing: line}}}}
workloads:
  register: {{calls: {{read: get, write: put, cas: cas}}}}
client: {{protocol: json-lines}}
"""
QUICK = ("--faults", "none", "--time-limit", "0.5", "--nodes", "3", "--recovery", "0")


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ('[sh, -c, "echo the configuration is missing; exit 3"]', "the configuration is missing"),
        ("[no-such-program]", "No such file or directory: 'no-such-program'"),
    ],
    ids=["ends at start", "is not there"],
)
def test_a_node_that_cannot_be_started_is_told_with_its_last_words(
    tmp_path: Path, command: str, says: str
) -> None:
    """The environment is at fault: no verdict, 255, and the log of the run is named."""
    file = tmp_path / "mine.yaml"
    file.write_text(SYSTEM.format(command=command))
    with Command(tmp_path, "run", "--system", str(file), "--nodes", "1") as run:
        assert 255 == run.end()
        assert says in run.err
        assert "run.log" in run.err
        assert ("", False) == (run.out, "Traceback" in run.err)
        assert [] == open_entries(RunFolder(run.folder).ledger)
        assert [] == run.left_over()


def limited_files() -> None:
    """In the child: no file grows beyond 100 kB, as if its disk were full there."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_a_file_that_may_not_grow_ends_the_run_in_order(tmp_path: Path) -> None:
    """What was recorded until then is kept and judged; 255 says that it was not the whole run."""
    faults = schedule(tmp_path, 600, (0.1, 600, PARTITION))
    words = ("run", "--faults", faults, "--time-limit", "600", "--rate", "0")
    with Command(tmp_path, *words, prepare=limited_files) as run:
        assert 255 == run.end()
        assert_ended_by_a_full_disk(run, "File too large")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB that is ours alone."""
    disk = tmp_path / "work"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root of Linux may mount a small disk")
    tried = subprocess.run(mount, capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        assert "CI" not in os.environ, tried.stderr
        pytest.skip(f"no small disk can be mounted here: {tried.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_ends_the_run_in_order(small_disk: Path) -> None:
    """The nodes share it and may die of it, which is no verdict on them."""
    with Command(small_disk.parent, "run", "--time-limit", "600", "--rate", "0") as run:
        code = run.end()
        assert 255 == code, run.out + run.err
        assert_ended_by_a_full_disk(run, "No space left on device")


def assert_ended_by_a_full_disk(run: Command, why: str) -> None:
    assert f"history.jsonl cannot be written: {why}" in run.err
    assert "Traceback" not in run.err
    assert "linearizable" in run.out
    assert "INVALID" not in run.out
    until(lambda: not run.left_over(), "the end of every process")
    later = run.cwd.parent / "later"
    later.mkdir()
    assert finished(later, "check", str(run.folder))[0] in (0, 2)


def test_a_report_that_cannot_be_drawn_changes_no_verdict(tmp_path: Path) -> None:
    """The verdict is out and on disk before; what went wrong is told."""
    with Command(tmp_path, "run", *QUICK) as run:
        run.until(lambda: any(run.cwd.glob("antipaxos-runs/*/*/plan.json")), "the folder")
        (run.folder / "report.html").mkdir()
        assert 0 == run.end()
        assert "VALID" == run.out.split()[0]
        assert "the report could not be drawn: " in run.err
        assert "report      " not in run.out
        folder = run.folder
    (tmp_path / "later").mkdir()
    code, _, err = finished(tmp_path / "later", "report", str(folder))
    assert (255, True) == (code, "report.html cannot be written" in err)


def test_a_store_that_cannot_be_written_starts_nothing(tmp_path: Path) -> None:
    """A file stands where the store should be."""
    (tmp_path / "file").write_text("")
    with Command(tmp_path, "run", "--store", str(tmp_path / "file")) as run:
        assert 255 == run.end()
        assert "The run folder cannot be written: Not a directory" in run.err
        assert [] == list(run.cwd.iterdir())


def test_too_few_open_files_are_told_before_anything_starts(tmp_path: Path) -> None:
    """In the middle of a run they would look like faults of the network."""

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80))

    with Command(tmp_path, "run", prepare=few) as run:
        assert 255 == run.end()
        assert "80 files may be open at once" in run.err
        assert [] == list(run.cwd.iterdir())


@pytest.mark.parametrize("stream", [1, 2], ids=["output", "errors"])
def test_a_reader_that_leaves_changes_no_exit_code(tmp_path: Path, stream: int) -> None:
    """A broken pipe must not look like INVALID, which is exit code 1."""

    def leave() -> None:
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, stream)

    with Command(tmp_path, "run", *QUICK, prepare=leave) as run:
        assert 0 == run.end()
