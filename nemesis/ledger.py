"""The undo ledger: what must be undone, on disk before it is done.

Rules
1. An entry is durable (fsync) before the fault it describes is applied, or as soon as the process
   it names exists. So whatever a killed harness leaves behind is in its ledger.
2. An entry is open until a `done` line names its number. Undoing is idempotent, so an entry that
   was undone without its `done` reaching the disk is merely undone again.
3. One JSON object a line. A torn last line is a write that a crash cut short, whose fault was
   never applied: it is dropped when read and cut off when the ledger is opened again. Damage
   anywhere else is an error: it might hide something that must be undone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol

import msgspec

from nemesis.faults import Fault, Undo, inverse


class FaultEntry(msgspec.Struct, frozen=True, tag="fault", tag_field="entry"):
    """A fault about to be applied, and what undoes it."""

    number: int
    fault: Fault
    undo: Undo


class ProcessEntry(msgspec.Struct, frozen=True, tag="process", tag_field="entry"):
    """A process that the run started; undone by killing it. A process id is used again by the
    system, so `created_s` (seconds since 1970, as psutil tells) says which process is meant."""

    number: int
    pid: int
    created_s: float
    name: str


class Done(msgspec.Struct, frozen=True, tag="done", tag_field="entry"):
    """The entry of this number was undone."""

    number: int


Entry = FaultEntry | ProcessEntry
_LINE = msgspec.json.Decoder(FaultEntry | ProcessEntry | Done)


class Entries(Protocol):
    """What is told of faults before they are applied, and when they are undone."""

    def fault(self, id: int, fault: Fault) -> int:  # noqa: A002
        """An entry's number."""
        ...

    def done(self, number: int) -> None: ...


class NoEntries:
    """For a world that ends with its process: nothing of it is left to undo."""

    def fault(self, id: int, fault: Fault) -> int:  # noqa: A002, ARG002
        return 0

    def done(self, number: int) -> None: ...


class LedgerError(ValueError):
    """A ledger is damaged before its end; its message names the file and the line."""


class Ledger:
    """Appends to a ledger; entries of an earlier use of the file stay. Threads may share it.

    Raises LedgerError if the file is damaged, OSError if it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        whole = _whole_lines(path.read_bytes()) if path.exists() else b""
        self._next = 1 + max((e.number for e in _parse(whole, path)), default=0)
        self._file: BinaryIO = path.open("ab")
        self._file.truncate(len(whole))
        self._lock = threading.Lock()

    def fault(self, id: int, fault: Fault) -> int:  # noqa: A002 - the ledger's word
        """Note a concrete fault before it is applied under `id`; the number is for `done`."""
        return self._append(lambda number: FaultEntry(number, fault, inverse(fault, id)))

    def process(self, pid: int, created_s: float, name: str) -> int:
        """Note a process that was started; the number is for `done`."""
        return self._append(lambda number: ProcessEntry(number, pid, created_s, name))

    def done(self, number: int) -> None:
        """The entry was undone (or the process has ended)."""
        with self._lock:
            self._write(Done(number))

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _append(self, make: Callable[[int], Entry]) -> int:
        with self._lock:
            number = self._next
            self._next += 1
            self._write(make(number))
        return number

    def _write(self, line: Entry | Done) -> None:
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def open_entries(path: Path) -> list[Entry]:
    """What is not undone yet, newest first: the order in which to undo it.

    Empty if there is no ledger. Raises LedgerError if it is damaged before its last line.
    """
    if not path.exists():
        return []
    lines = _parse(_whole_lines(path.read_bytes()), path)
    done = {line.number for line in lines if isinstance(line, Done)}
    still = [e for e in lines if not isinstance(e, Done) and e.number not in done]
    return still[::-1]


def _whole_lines(data: bytes) -> bytes:
    return data[: data.rfind(b"\n") + 1]


def _parse(data: bytes, path: Path) -> Sequence[Entry | Done]:
    entries = []
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            entries.append(_LINE.decode(line))
        except msgspec.MsgspecError as error:
            raise LedgerError(
                f"{path}, line {number}: {error}. The ledger is damaged; look at the processes it "
                "names and end them by hand, then remove the line."
            ) from None
    return entries
