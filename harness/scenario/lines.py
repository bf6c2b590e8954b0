"""The lines that nodes write while a scenario is played: their logs, and the traces of those that
trace.

Rules
1. Lines are asked for from a mark on: what was written before it is not seen. A mark is where each
   file ends, by the name of the file.
2. A line counts once its end is written. What is no UTF-8 is read with its bad bytes replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

Mark = Mapping[str, int]

READ_MAX = 4_000_000  # bytes of one file that are looked at at once


class Lines(Protocol):
    async def mark(self) -> Mark:
        """Where all lines end now."""
        ...

    async def since(self, mark: Mark, node: str) -> Sequence[str]:
        """The lines that the node has written since then, in order for each file."""
        ...


@runtime_checkable
class Written(Protocol):
    """What a cluster may offer whose nodes do not write into the folder of the run."""

    def lines(self) -> Lines: ...


class FileLines:
    """Of nodes that write to files in `nodes`, the folder of a run's nodes."""

    def __init__(self, nodes: Path) -> None:
        self._nodes = nodes

    async def mark(self) -> Mark:
        return {str(f): f.stat().st_size for n in self._nodes.glob("*/") for f in _files(n)}

    async def since(self, mark: Mark, node: str) -> Sequence[str]:
        found: list[str] = []
        for file in _files(self._nodes / node):
            with file.open("rb") as content:
                content.seek(mark.get(str(file), 0))
                whole, end, _ = content.read(READ_MAX).rpartition(b"\n")
                found += (whole + end).decode(errors="replace").splitlines()
        return found


def _files(folder: Path) -> list[Path]:
    return [file for name in ("log", "trace.jsonl") if (file := folder / name).is_file()]


class _Line(msgspec.Struct):
    node: str


class TraceLines:
    """Of simulated nodes: a machine has no log, but what it traces. `lines`: of all nodes, which
    only grow."""

    def __init__(self, lines: Callable[[], Sequence[bytes]]) -> None:
        self._lines = lines
        self._decoder = msgspec.json.Decoder(_Line)

    async def mark(self) -> Mark:
        return {"": len(self._lines())}

    async def since(self, mark: Mark, node: str) -> Sequence[str]:
        lines = self._lines()[mark[""] :]
        return [line.decode() for line in lines if self._decoder.decode(line).node == node]
