"""Runs that the page started: a child process each, watched until it ends.

Rules
1. A child is a command of ours (`replay` or `run`) with arguments that we make; nothing of a
   request is part of it but which stored run is meant.
2. There are few at once, and of each a bounded number of lines is kept, each of bounded length.
3. A child that is cancelled gets SIGINT, as by Ctrl-C, and undoes its faults; a second one ends it
   at once. All end when the server ends, and die with it if it is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import signal
import sys
from collections import deque
from collections.abc import Sequence
from itertools import count, islice

import msgspec

from harness.clock import NS_PER_S, folder_time, monotonic_ns, utc_now
from harness.lifeline import dies_with_us

AT_ONCE = 2
KEPT = 50  # launches that have ended
LINES_MAX = 2_000
LINE_CHARS = 2_000
_END_S = 5.0


class TooMany(RuntimeError):
    """As many go on as may."""


class Launch:
    """`lines` are numbered from 0; `first` is the number of the first that is kept. `runs`: those
    that it was seen to drive, each LABEL/NAME, oldest first."""

    def __init__(self, number: int, kind: str, label: str, name: str, argv: Sequence[str]) -> None:
        self.number, self.kind, self.label, self.name = number, kind, label, name
        self.argv = list(argv)
        self.began_ns = monotonic_ns()
        self.started = folder_time(utc_now())
        self.ended_ns: int | None = None
        self.exit_code: int | None = None
        self.cancelled = False
        self.first = 0
        self.lines: deque[str] = deque()
        self.runs: list[str] = []
        self.changed = asyncio.Condition()
        self.process: asyncio.subprocess.Process | None = None

    @property
    def seconds(self) -> float:
        return ((self.ended_ns or monotonic_ns()) - self.began_ns) / NS_PER_S

    @property
    def goes_on(self) -> bool:
        return self.ended_ns is None

    @property
    def outcome(self) -> str:
        """A word for people."""
        if self.exit_code is None:
            return "goes on"
        if self.cancelled:
            return "cancelled"
        words = {0: "valid", 1: "invalid", 2: "unknown", 254: "bad input", 255: "trouble"}
        return words.get(self.exit_code, f"ended by signal {-self.exit_code}")

    async def say(self, line: str) -> None:
        async with self.changed:
            self.lines.append(line[:LINE_CHARS] + ("…" if len(line) > LINE_CHARS else ""))
            if len(self.lines) > LINES_MAX:
                self.lines.popleft()
                self.first += 1
            self.changed.notify_all()

    def since(self, number: int) -> list[tuple[int, str]]:
        """The lines from a number on, as far as they are kept."""
        start = max(number, self.first)
        kept = islice(self.lines, start - self.first, None)
        return list(enumerate(kept, start))


class Told(msgspec.Struct, frozen=True):
    """A launch for programs."""

    id: int
    kind: str
    run: str
    command: str
    outcome: str
    exit_code: int | None
    seconds: float
    runs: Sequence[str]


def told(launch: Launch) -> Told:
    run = f"{launch.label}/{launch.name}"
    command = shlex.join(launch.argv)
    return Told(
        launch.number, launch.kind, run, command, launch.outcome, launch.exit_code,
        round(launch.seconds, 3), launch.runs,
    )  # fmt: skip


class Launches:
    """All of them, newest last. Belongs to one event loop."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self.at_once = at_once
        self.all: dict[int, Launch] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._numbers = count(1)

    def going(self) -> list[Launch]:
        return [launch for launch in self.all.values() if launch.goes_on]

    def start(self, kind: str, label: str, name: str, argv: Sequence[str]) -> Launch:
        """`argv`: of the command `antipaxos`. Raises TooMany."""
        if len(self.going()) >= self.at_once:
            raise TooMany(
                f"{self.at_once} runs that were started here go on, which is as many as may. Wait "
                "for one, or cancel it."
            )
        launch = Launch(next(self._numbers), kind, label, name, ["antipaxos", *argv])
        self.all[launch.number] = launch
        ended = [number for number, old in self.all.items() if not old.goes_on]
        for number in ended[: max(len(ended) - KEPT, 0)]:
            del self.all[number]
            self._tasks.pop(number, None)
        self._tasks[launch.number] = asyncio.create_task(self._drive(launch))
        return launch

    def cancel(self, launch: Launch) -> None:
        """SIGINT, as by Ctrl-C; again, and it ends at once."""
        launch.cancelled = True
        if launch.process is not None and launch.goes_on:
            with contextlib.suppress(ProcessLookupError):
                launch.process.send_signal(signal.SIGINT)

    async def end(self) -> None:
        """Cancel all and wait; whoever takes too long is killed."""
        for launch in self.going():
            self.cancel(launch)
        tasks = [task for task in self._tasks.values() if not task.done()]
        if tasks:
            await asyncio.wait(tasks, timeout=_END_S)
        for launch in self.going():
            if launch.process is not None:
                with contextlib.suppress(ProcessLookupError):
                    launch.process.kill()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _drive(self, launch: Launch) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "harness.cli", *launch.argv[1:]),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in our terminal reaches it through us, once
                preexec_fn=dies_with_us(),
            )
            launch.process = process
            if launch.cancelled:
                self.cancel(launch)
            assert process.stdout is not None, "it has a pipe"
            await _follow(launch, process.stdout)
            launch.exit_code = await process.wait()
        except OSError as wrong:
            await launch.say(f"it could not be started: {wrong}")
            launch.exit_code = 255
        finally:
            launch.ended_ns = monotonic_ns()
            async with launch.changed:
                launch.changed.notify_all()


async def _follow(launch: Launch, stdout: asyncio.StreamReader) -> None:
    """Lines as they come; one without an end is cut, so that it cannot fill the memory."""
    rest = b""
    while chunk := await stdout.read(1 << 16):
        *lines, rest = (rest + chunk).replace(b"\r\n", b"\n").split(b"\n")
        for line in lines:
            await launch.say(line.decode(errors="replace"))
        rest = rest[: LINE_CHARS * 4]
    if rest:
        await launch.say(rest.decode(errors="replace"))
