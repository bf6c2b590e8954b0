"""The command as a user runs it: a process of its own in an empty directory.

Nothing here waits for a guessed while: each wait is for something that can be seen, and bounded.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event
from typing import Any

import psutil

ANTIPAXOS = (str(Path(sys.executable).with_name("antipaxos")),)
LIMIT_S = 30.0
POLL_S = 0.005

PARTITION = {"fault": "partition", "topology": "leader-only"}


class Command:
    """A running command. `home` gets its working directory, temporary files and output apart."""

    def __init__(
        self,
        home: Path,
        *words: str,
        program: tuple[str, ...] = ANTIPAXOS,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self.cwd, self.elsewhere = home / "work", home / "elsewhere"
        for folder in (self.cwd, self.elsewhere):
            folder.mkdir(exist_ok=True)
        self._out, self._err = home / "out", home / "err"
        places = {"TMPDIR": str(self.elsewhere), "HOME": str(self.elsewhere)}
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*program, *words],
                cwd=self.cwd,
                env={**os.environ, **places},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                preexec_fn=prepare,
            )

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    @property
    def folder(self) -> Path:
        """Of the only run in the store."""
        (path,) = {p.parent.resolve() for p in self.cwd.glob("antipaxos-runs/*/*/plan.json")}
        return path

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for what can be seen while the command runs."""
        until(lambda: condition() or self.process.poll() is not None, what)
        assert self.process.poll() is None, f"ended before {what}:\n{self.out}\n{self.err}"

    def until_in_force(self, *kinds: str) -> None:
        """Until a fault of each of the kinds was seen in effect."""
        self.until(
            lambda: set(kinds) <= {o["f"] for o in self.journal() if in_effect(o)},
            f"{kinds} in effect",
        )

    def until_logged(self, words: str) -> None:
        self.until(lambda: any(words in log.read_text() for log in self._logs()), words)

    def _logs(self) -> list[Path]:
        return list(self.cwd.glob("antipaxos-runs/*/*/run.log"))

    def journal(self) -> list[dict[str, Any]]:
        """What is recorded so far, without a line that is being written."""
        lines = [
            line
            for file in self.cwd.glob("antipaxos-runs/latest/history.jsonl")
            for line in file.read_bytes().split(b"\n")[:-1]
        ]
        return [json.loads(line) for line in lines]

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> None:
        """As a terminal does: to the whole group of the command."""
        os.killpg(self.process.pid, number)

    def end(self) -> int:
        """Wait for the end; the exit code."""
        try:
            return self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end:\n{self.out}\n{self.err}") from None

    def left_over(self) -> list[str]:
        """Processes that work in the command's directory or below."""
        return [
            f"{p.pid} {p.info['cmdline']}"
            for p in psutil.process_iter(["cwd", "cmdline", "status"])
            if p.pid != self.process.pid
            and p.info["status"] != psutil.STATUS_ZOMBIE
            and (p.info["cwd"] or "").startswith(str(self.cwd))
        ]

    def nodes(self) -> list[psutil.Process]:
        entries = [
            json.loads(line)
            for file in self.cwd.glob("antipaxos-runs/latest/ledger.jsonl")
            for line in file.read_bytes().split(b"\n")[:-1]
        ]
        pids = [e["pid"] for e in entries if e["entry"] == "process" and e["name"] != "harness"]
        return [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]


def finished(home: Path, *words: str, **more: Any) -> tuple[int, str, str]:
    """Run a command to its end: exit code, standard output, standard error."""
    with Command(home, *words, **more) as command:
        return command.end(), command.out, command.err


def until(condition: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    for _ in range(round(limit_s / POLL_S)):
        if condition():
            return
        Event().wait(POLL_S)
    raise AssertionError(f"{what} did not come within {limit_s} s")


def in_effect(operation: Mapping[str, Any]) -> bool:
    return operation["process"] == "nemesis" and operation["value"].get("in_effect", False)


def schedule(
    folder: Path, duration_s: float, *steps: tuple[float, float, Mapping[str, Any]]
) -> str:
    """The path of a schedule file with these faults: start, stop (seconds), fault."""
    marks = []
    for number, (start_s, stop_s, fault) in enumerate(steps, 1):
        marks.append({"at_s": start_s, "id": number, "action": "start", "fault": fault})
        marks.append({"at_s": stop_s, "id": number, "action": "stop"})
    marks.sort(key=lambda mark: mark["at_s"])
    file = folder / "schedule.json"
    file.write_text(json.dumps({"duration_s": duration_s, "steps": marks}))
    return str(file)
