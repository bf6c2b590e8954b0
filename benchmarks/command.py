"""The command as its users run it: a process of its own, timed, and what it leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil

from checkers.verdict import Verdict
from harness.clock import NS_PER_S, monotonic_ns
from harness.store.folder import RunFolder

ANTIPAXOS = str(Path(sys.executable).with_name("antipaxos"))
NAMES = {0: "VALID", 1: "INVALID", 2: "UNKNOWN", 254: "bad input", 255: "TROUBLE"}
GRACE_S = 120.0  # beyond the load, for everything else: a run that takes longer hangs


class Ran(msgspec.Struct, frozen=True):
    """One run that has ended. `leftovers`: sentences, none where all is clean."""

    code: int
    took_s: float
    folder: RunFolder | None
    said: str
    leftovers: Sequence[str]

    @property
    def outcome(self) -> str:
        return NAMES.get(self.code, f"exit code {self.code}")

    def verdict(self) -> Verdict | None:
        if self.folder is None or not self.folder.verdict.exists():
            return None
        return msgspec.json.decode(self.folder.verdict.read_bytes(), type=Verdict)

    def operations(self) -> int:
        """Operations of clients that ended, whichever way."""
        if self.folder is None or not self.folder.history.exists():
            return 0
        lines = map(json.loads, self.folder.history.read_bytes().splitlines())
        return sum(o["type"] != "invoke" and o["process"] != "nemesis" for o in lines)


def run(place: Path, words: Sequence[str], time_limit_s: float) -> Ran:
    """One `antipaxos run` in an empty folder below `place`."""
    home = Path(tempfile.mkdtemp(dir=place))
    began_ns = monotonic_ns()
    with subprocess.Popen(
        [ANTIPAXOS, "run", *words, "--time-limit", f"{time_limit_s:g}"],
        cwd=home,
        env=_environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=time_limit_s + GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
        took_s = (monotonic_ns() - began_ns) / NS_PER_S
    left = [*_processes(home), *_files(home)]
    latest = home / "antipaxos-runs" / "latest"
    folder = RunFolder(latest) if latest.exists() else None
    return Ran(process.returncode, took_s, folder, said, left)


@contextmanager
def place(keep: Path | None) -> Iterator[Path]:
    """Where the runs go: `keep`, or a folder that is gone afterwards."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="antipaxos-") as folder:
        yield Path(folder).resolve()


def _environment(home: Path) -> dict[str, str]:
    temporary = home / "tmp"
    temporary.mkdir()
    return {**os.environ, "TMPDIR": str(temporary), "HOME": str(temporary)}


def _processes(home: Path) -> Iterator[str]:
    """Processes of the run that still live, with the ports on which they listen."""
    for process in psutil.process_iter(["cwd", "cmdline"]):
        if (process.info["cwd"] or "").startswith(str(home)):
            yield f"process {process.pid} {' '.join(process.info['cmdline'] or ())[:80]}"
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    yield f"port {connection.laddr.port}"


def _files(home: Path) -> Iterator[str]:
    for path in (*home.iterdir(), *(home / "tmp").iterdir()):
        if path.name not in ("antipaxos-runs", "tmp"):
            yield f"file {path.relative_to(home)}"
