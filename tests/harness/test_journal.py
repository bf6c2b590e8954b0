"""The journal: what is written stays, whatever ends the harness."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import msgspec
import pytest

from checkers.history import Error, History, Operation
from harness.contracts import EnvironmentTrouble
from harness.store.journal import Journal, NotJsonError


def read(path: Path) -> list[Operation]:
    return [msgspec.json.decode(line, type=Operation) for line in path.read_bytes().splitlines()]


def append(journal: Journal, process: int, value: object = None) -> Operation:
    now = len(journal.operations)
    return journal.append(now, process, "invoke", "write", value, "k", "n1")


def test_file_and_memory_hold_the_same(tmp_path: Path) -> None:
    """Indices are the journal's; every field comes back as it was written."""
    journal = Journal(tmp_path / "history.jsonl")
    journal.append(5, 0, "invoke", "cas", [1, 2], "r1", "n1")
    error = Error("timeout", "nothing in 1 s")
    journal.append(7, 0, "info", "cas", None, "r1", "n1", error)
    journal.append(9, "nemesis", "info", "kill", {"id": 1}, None, None)
    journal.flush()
    journal.close()
    assert read(tmp_path / "history.jsonl") == journal.operations
    assert [o.index for o in journal.operations] == [0, 1, 2]
    assert journal.operations[1] == Operation(1, 7, 0, "info", "cas", None, "r1", "n1", error)


def test_nothing_is_on_file_or_in_memory_before_the_flush(tmp_path: Path) -> None:
    """`operations` holds exactly what the file holds."""
    journal = Journal(tmp_path / "h")
    append(journal, 0)
    assert (journal.operations, (tmp_path / "h").read_bytes()) == ([], b"")
    journal.flush()
    assert journal.operations == read(tmp_path / "h")
    append(journal, 1)
    journal.close()
    assert [o.process for o in read(tmp_path / "h")] == [0, 1]
    journal.close()


def test_a_history_is_never_overwritten(tmp_path: Path) -> None:
    """A second journal at the same path is refused, and so is a folder that is not there."""
    Journal(tmp_path / "h").close()
    with pytest.raises(EnvironmentTrouble, match="exists already"):
        Journal(tmp_path / "h")
    with pytest.raises(EnvironmentTrouble, match="cannot be created"):
        Journal(tmp_path / "no" / "h")


def test_a_full_disk_is_told_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file ends with the last whole flush, and the journal takes nothing more."""
    journal = Journal(tmp_path / "h")
    append(journal, 0)
    journal.flush()
    before = (tmp_path / "h").read_bytes()
    real = os.write

    def full(file: int, data: bytes) -> int:
        if len(data) > 10:
            return real(file, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    append(journal, 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(EnvironmentTrouble, match="No space left on device"):
            journal.flush()
    assert (tmp_path / "h").read_bytes() == before
    append(journal, 2)
    with pytest.raises(EnvironmentTrouble, match="No space left on device"):
        journal.flush()
    journal.close()
    assert read(tmp_path / "h") == journal.operations
    assert [o.process for o in journal.operations] == [0]


def test_short_writes_are_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that takes a part is followed by one of the rest."""
    journal = Journal(tmp_path / "h")
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:7]))
    for process in range(5):
        append(journal, process)
    journal.close()
    assert [o.process for o in read(tmp_path / "h")] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("value", [object(), {1j}, "\ud800"])
def test_a_value_that_is_not_json_is_named_and_left_out(tmp_path: Path, value: object) -> None:
    """The other lines are written as they are; an ok without its value is of unknown outcome."""
    journal = Journal(tmp_path / "h")
    append(journal, 0, 1)
    append(journal, 1, 2)
    journal.append(3, 0, "ok", "write", value, "k", "n1")
    with pytest.raises(NotJsonError, match=r"operation 2 \(ok 'write' of process 0 at n1\)"):
        journal.flush()
    journal.close()
    written = read(tmp_path / "h")
    assert written == journal.operations
    assert [(o.type, o.value) for o in written] == [("invoke", 1), ("invoke", 2), ("info", None)]
    assert len(History(written).calls()) == 2


WRITER = """
import sys
from pathlib import Path
from harness.store.journal import Journal
journal = Journal(Path(sys.argv[1]))
n = 0
while True:
    for process in range(10):
        journal.append(n, process + 10 * n, "invoke", "write", "x" * 50, "k", "n1")
    journal.flush()
    n += 1
    if n == 3:
        print("going", flush=True)
"""


def test_a_killed_harness_leaves_a_history(tmp_path: Path) -> None:
    """SIGKILL at random instants: every line but the last is whole, and indices have no hole."""
    random = Random(1)
    for round_ in range(5):
        path = tmp_path / f"h{round_}"
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            target = path.stat().st_size + random.randrange(100_000)
            while path.stat().st_size < target:
                assert writer.poll() is None
            writer.send_signal(signal.SIGKILL)
        lines = path.read_bytes().split(b"\n")
        operations = [msgspec.json.decode(line, type=Operation) for line in lines[:-1]]
        assert [o.index for o in operations] == list(range(len(operations)))
        assert len(operations) >= 30
