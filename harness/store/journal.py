"""The journal: history.jsonl as it is written, while the run goes on.

Rules
1. What is flushed has left this process: a SIGKILL of the harness at any later instant loses none
   of it. The loop flushes invocations before it sends them, so whatever reached a node is on file.
2. A flush writes whole lines in one call where it can. A kill in the middle of that call leaves at
   most a torn last line, which readers drop.
3. If the disk refuses, the file is cut back to its last whole flush, and the journal says so by
   EnvironmentTrouble. It then takes nothing more: a hole in a history would make it a lie.
4. `operations` holds exactly what the file holds.
5. fsync happens at close. It guards against a crash of the machine, which ends the nodes as well.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, Literal

import msgspec

from checkers.history import Error, Operation
from harness.contracts import EnvironmentTrouble

# What msgspec raises for a value that JSON cannot carry: a type, a number, a string, a cycle.
_UNWRITABLE = (TypeError, ValueError, OverflowError, RecursionError)


class NotJsonError(Exception):
    """`operation` has a value that JSON cannot carry; whoever made the value is at fault."""

    def __init__(self, operation: Operation, wrong: Exception) -> None:
        o = operation
        super().__init__(
            f"operation {o.index} ({o.type} {o.f!r} of process {o.process} at {o.node}) has a "
            f"value that is not JSON: {wrong}"
        )
        self.operation = operation


class Journal:
    """The history of one run, appended to `path`, which must not exist yet.

    Raises EnvironmentTrouble where the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.operations: list[Operation] = []
        self._waiting: list[Operation] = []
        self._encoder = msgspec.json.Encoder()
        self._length = 0  # of the file, in bytes: whole flushes only
        self._broken: str | None = None
        try:
            self._file: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            raise EnvironmentTrouble(
                f"the history {path} exists already, and no run overwrites another. Remove it, or "
                "give the run a folder of its own."
            ) from None
        except OSError as wrong:
            raise EnvironmentTrouble(
                f"the history {path} cannot be created: {wrong.strerror}. Choose a folder that "
                "can be written."
            ) from wrong

    def append(
        self,
        time_ns: int,
        process: int | str,
        kind: Literal["invoke", "ok", "fail", "info"],
        f: str,
        value: Any,
        key: Any,
        node: str | None,
        error: Error | None = None,
    ) -> Operation:
        """The operation under its index, to be written by the next flush."""
        index = len(self.operations) + len(self._waiting)
        operation = Operation(index, time_ns, process, kind, f, value, key, node, error)
        self._waiting.append(operation)
        return operation

    def flush(self) -> None:
        """Hand everything appended to the operating system.

        Raises EnvironmentTrouble where the disk refuses. Raises NotJsonError where a value is not
        JSON: its line is written without the value, and all other lines as they are.
        """
        waiting = self._waiting
        if not waiting:
            return
        self._waiting = []
        try:
            lines = self._encoder.encode_lines(waiting)
        except _UNWRITABLE:
            kept, complaint = self._writable(waiting)
            self._write(self._encoder.encode_lines(kept), kept)
            raise complaint from None
        self._write(lines, waiting)

    def close(self) -> None:
        """Flush, put everything on the disk itself, and close; idempotent."""
        if self._file is None:
            return
        try:
            if self._broken is None:
                self.flush()
            os.fsync(self._file)
        except OSError as wrong:
            raise self._trouble(wrong) from wrong
        finally:
            os.close(self._file)
            self._file = None

    def _write(self, lines: bytes, operations: list[Operation]) -> None:
        if self._file is None or self._broken is not None:
            raise EnvironmentTrouble(self._broken or f"the history {self.path} is closed")
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as wrong:
            with contextlib.suppress(OSError):  # a torn last line is dropped by readers anyhow
                os.ftruncate(self._file, self._length)
            trouble = self._trouble(wrong)
            self._broken = str(trouble)
            raise trouble from wrong
        self._length += len(lines)
        self.operations += operations

    def _trouble(self, wrong: OSError) -> EnvironmentTrouble:
        return EnvironmentTrouble(
            f"the history {self.path} cannot be written: {wrong.strerror}. Its "
            f"{len(self.operations)} operations up to here are kept and can be checked; make room, "
            "or choose another folder, and run again."
        )

    def _writable(self, operations: list[Operation]) -> tuple[list[Operation], NotJsonError]:
        """Without the values that JSON cannot carry, and the complaint about the first of them."""
        kept: list[Operation] = []
        complaints: list[NotJsonError] = []
        for o in operations:
            try:
                self._encoder.encode(o)
                kept.append(o)
            except _UNWRITABLE as wrong:
                complaints.append(NotJsonError(o, wrong))
                kept.append(_without_value(o))
        return kept, complaints[0]


class MemoryJournal:
    """A journal that is kept in memory and lost with the process: for runs that can be repeated."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def append(
        self,
        time_ns: int,
        process: int | str,
        kind: Literal["invoke", "ok", "fail", "info"],
        f: str,
        value: Any,
        key: Any,
        node: str | None,
        error: Error | None = None,
    ) -> Operation:
        """As Journal.append; nothing is left for a flush."""
        index = len(self.operations)
        operation = Operation(index, time_ns, process, kind, f, value, key, node, error)
        self.operations.append(operation)
        return operation

    def flush(self) -> None: ...

    def close(self) -> None: ...


def _without_value(o: Operation) -> Operation:
    """An ok whose value is lost is of unknown outcome: nobody can say what the client was told."""
    kind = "info" if o.type == "ok" else o.type
    error = Error("not-json", "the value was not JSON and is left out")
    return Operation(o.index, o.time, o.process, kind, o.f, None, None, o.node, error)
