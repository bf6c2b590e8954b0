"""The trace of one node: protocol events as JSON lines, for checkers.

Rules
1. An event is in the file (the kernel has it: SIGKILL does not lose it) before any message that
   follows it leaves the node; an event that follows a Persist is written after the sync.
2. A line cut short by the end of an earlier life is dropped when the file is opened again: its
   event was followed by nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


class TraceFile:
    """`clock_ns`: CLOCK_MONOTONIC in nanoseconds. Raises OSError where the file cannot be
    written."""

    def __init__(self, path: Path, node: str, clock_ns: Callable[[], int]) -> None:
        self._node = node
        self._clock_ns = clock_ns
        self._lines: list[bytes] = []
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        whole = path.read_bytes().rfind(b"\n") + 1
        os.ftruncate(self._file, whole)
        os.lseek(self._file, whole, os.SEEK_SET)

    def add(self, event: str, fields: Mapping[str, Any]) -> None:
        """Take an event, stamped now, for the next `flush`."""
        line = {"time": self._clock_ns(), "node": self._node, "event": event, **fields}
        self._lines.append(_encode(line))

    def flush(self) -> None:
        if not self._lines:
            return
        self._lines.append(b"")
        rest = memoryview(b"\n".join(self._lines))
        self._lines.clear()
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def close(self) -> None:
        os.close(self._file)


class NoTrace:
    """Stands in where no trace was asked for."""

    def add(self, event: str, fields: Mapping[str, Any]) -> None:
        pass

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass
