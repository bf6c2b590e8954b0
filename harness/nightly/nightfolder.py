"""The folder of one night while it goes on: records added one by one, whole files replaced.

Rules
1. A part of a store is written once and never again: a kill tears only what was not yet promised.
   Small parts are joined now and then; the joined part is there before they go, and since a record
   that is found twice counts once, every instant between can be read.
2. What a background flush met is raised by the next call: nobody goes on without knowing.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import msgspec

from harness.contracts import EnvironmentTrouble
from harness.nightly.records import Night, RunRecord
from harness.nightly.storage import Folder, Storage

FLUSH_S = 5.0  # between parts: what a killed night may lose of its summaries in a store
RECORDS_MAX = 500  # of a part that waits
JOINED = 50  # parts that become one
_ENCODER = msgspec.json.Encoder()


class NightFolder:
    """Made by Archive.begin. `name`: of the night, as in its records. All methods raise
    EnvironmentTrouble where the place refuses; `close` is idempotent and frees the lock."""

    def __init__(self, storage: Storage, name: str, path: str, lock: int | None = None) -> None:
        self.name = name
        self._storage, self._path, self._lock = storage, path, lock
        self._runs: _AppendedRuns | _RunsInParts
        if isinstance(storage, Folder):
            self._runs = _AppendedRuns(storage.root / path / "runs.jsonl")
        else:
            self._runs = _RunsInParts(storage, path)

    def append(self, record: RunRecord) -> None:
        self._runs.append(_ENCODER.encode(record) + b"\n")

    def flush(self) -> None:
        """All records so far are where they can be read."""
        self._runs.flush()

    def write(self, name: str, content: bytes) -> None:
        """Replace a file of the night, as 'summary.md' or 'stacks/12.txt'."""
        self._storage.write(f"{self._path}/{name}", content)

    def write_night(self, night: Night) -> None:
        content = msgspec.json.format(msgspec.json.encode(night), indent=2)
        self.write("night.json", content)

    def records(self) -> list[RunRecord]:
        """All that were appended, in the order of their ids."""
        self.flush()
        return decoded(self._storage, self._path)[0]

    def close(self) -> None:
        try:
            self._runs.close()
        finally:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None


def decoded(storage: Storage, path: str) -> tuple[list[RunRecord], int]:
    """The records of a night, each once, and how many lines had to be dropped."""
    lines = b""
    for _ in range(JOINED):
        names = [n for n in storage.names(path) if n.startswith("runs") and n.endswith(".jsonl")]
        parts = [storage.read(f"{path}/{name}", lambda _content: True) for name in names]
        lines = b"\n".join(part for part in parts if part is not None)
        if None not in parts:  # else one was joined meanwhile: its records are in another now
            break
    records: list[RunRecord] = []
    dropped = 0
    for line in dict.fromkeys(filter(None, lines.split(b"\n"))):
        try:
            records.append(msgspec.json.decode(line, type=RunRecord))
        except msgspec.MsgspecError:
            dropped += 1
    return sorted(records, key=lambda record: record.id), dropped


class _AppendedRuns:
    """In a file: each line is handed to the operating system at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._length = 0  # whole lines only
        self._broken = ""

    def append(self, line: bytes) -> None:
        if self._broken:
            raise EnvironmentTrouble(self._broken)
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
                self._file = os.open(self._path, flags, 0o644)
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as wrong:
            self._cut_back()
            self._broken = (
                f"{self._path} cannot be written: {wrong.strerror}. The records up to here are "
                "kept; make room, and the next night goes on after them."
            )
            raise EnvironmentTrouble(self._broken) from wrong
        self._length += len(line)

    def _cut_back(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # readers drop a torn line anyhow
                os.ftruncate(self._file, self._length)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        if self._file is None:
            return
        file, self._file = self._file, None
        self._broken = self._broken or f"{self._path} is closed"
        try:
            os.fsync(file)
        except OSError as wrong:
            raise EnvironmentTrouble(f"{self._path} cannot be written: {wrong.strerror}") from wrong
        finally:
            os.close(file)


class _RunsInParts:
    """In a store that knows whole files only. Parts are written by a timer's thread, at most
    FLUSH_S after their first record, so that a slow store does not hold up the night."""

    def __init__(self, storage: Storage, path: str) -> None:
        self._storage, self._path = storage, path
        self._lock = threading.Lock()  # of all below
        self._waiting: list[bytes] = []
        self._loose: dict[str, bytes] = {}  # parts that were not joined yet
        self._number = 0
        self._timer: threading.Timer | None = None
        self._failed: EnvironmentTrouble | None = None
        self._closed = False

    def append(self, line: bytes) -> None:
        with self._lock:
            self._raise_failed()
            self._waiting.append(line)
            if len(self._waiting) >= RECORDS_MAX:
                self._write()
            elif self._timer is None:
                self._timer = threading.Timer(FLUSH_S, self._on_time)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        with self._lock:
            self._raise_failed()
            self._write()

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                self._failed = None  # it was raised; the store may have got better since
                self._write()
                self._join()
            finally:
                timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            timer.join()

    def _raise_failed(self) -> None:
        if self._failed is not None:
            raise self._failed

    def _on_time(self) -> None:
        with self._lock:
            self._timer = None
            if self._closed:
                return
            with contextlib.suppress(EnvironmentTrouble):  # the next call raises it
                self._write()

    def _write(self) -> None:
        """One part of all that waits. Where the store refuses it waits on, for `close` to try."""
        if not self._waiting:
            return
        name, part = f"runs-{self._number + 1:05d}.jsonl", b"".join(self._waiting)
        try:
            self._storage.write(f"{self._path}/{name}", part)
            self._number += 1
            self._waiting = []
            self._loose[name] = part
            if len(self._loose) >= JOINED:
                self._join()
        except EnvironmentTrouble as wrong:
            self._failed = wrong
            raise

    def _join(self) -> None:
        if len(self._loose) < 2:
            return
        first, last = min(self._loose), max(self._loose)
        name = f"{first.removesuffix('.jsonl')}-{last.removeprefix('runs-')}"
        self._storage.write(f"{self._path}/{name}", b"".join(self._loose.values()))
        loose, self._loose = self._loose, {}
        for part in loose:
            self._storage.remove_tree(f"{self._path}/{part}")
