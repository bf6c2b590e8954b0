"""How far a run is that goes on: what its folder says, read a piece at a time.

Rule: a history is read from where it was read last, and at most so much at once; a line that is not
yet whole waits for the next time.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from harness.contracts import EnvironmentTrouble
from harness.heal import goes_on
from harness.serve import opening
from harness.store.folder import RunFolder

PIECE_BYTES = 4 << 20
LEDGER_BYTES = 16 << 20
_LOG_BYTES = 1 << 14
PHASE_CHARS = 300


class _Line(msgspec.Struct):
    time: int
    type: str
    process: int | str


class Growth:
    """Counts of a history that grows; `time_s`: in the run, of the last line."""

    def __init__(self, path: Path) -> None:
        self.folder = RunFolder(path)
        self.counts = {"invoke": 0, "ok": 0, "fail": 0, "info": 0}
        self.time_s = 0.0
        self._at = 0
        self._decoder = msgspec.json.Decoder(_Line)

    def read(self) -> bool:
        """Read on; False where there was nothing new."""
        piece = b""
        with contextlib.suppress(OSError), opening.part(self.folder.history) as file:
            file.seek(self._at)
            piece = file.read(PIECE_BYTES)
        end = piece.rfind(b"\n") + 1
        self._at += end
        for line in piece[:end].splitlines():
            with contextlib.suppress(msgspec.MsgspecError):
                found = self._decoder.decode(line)
                self.time_s = max(self.time_s, found.time / 1e9)
                if found.process != "nemesis" and found.type in self.counts:
                    self.counts[found.type] += 1
        return end > 0

    def phase(self) -> str:
        """The last line of the run's log, without its time."""
        with contextlib.suppress(OSError), opening.part(self.folder.log) as file:
            size = file.seek(0, 2)
            file.seek(max(size - _LOG_BYTES, 0))
            lines = file.read().decode(errors="replace").splitlines()
            if lines:
                return lines[-1].partition(" INFO ")[2][:PHASE_CHARS] or lines[-1][:PHASE_CHARS]
        return ""

    def told(self) -> dict[str, object]:
        return {
            "operations": self.counts["invoke"],
            "ok": self.counts["ok"],
            "fail": self.counts["fail"],
            "info": self.counts["info"],
            "time_s": round(self.time_s, 1),
            "phase": self.phase(),
        }


def driven_by(path: Path) -> int | None:
    """The process that drives the run in a folder; None where none does, or none is known."""
    if (path / "verdict.json").is_file():
        return None
    try:
        with opening.part(path / "ledger.jsonl") as ledger:
            if os.fstat(ledger.fileno()).st_size > LEDGER_BYTES:
                return None
        return goes_on(path)
    except OSError:
        return None
    except EnvironmentTrouble:
        return None
