"""The harness's side of the keeper: start nodes, signal them, learn that they ended.

Rules
1. A node is gone when the keeper says so, that is when it is reaped, and not before.
2. The keeper may die although we live. Then the nodes are killed from here, by group, each only if
   its pid still belongs to the process that was started; every later order raises.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psutil

from harness.contracts import EnvironmentTrouble

ANSWER_LIMIT_S = 10.0
OnProcess = Callable[[int, float, str], None]


class Life(msgspec.Struct):
    """One life of a node, from its start until it is reaped."""

    pid: int  # another one once the node has gone into the background of its host
    create_time: float  # seconds since the epoch, as psutil gives it: with the pid, an identity
    gone: asyncio.Event
    ending: str = ""  # how it ended, in words


# Isolated, without site: nothing but the standard library, in 20 ms.
PLAIN = (sys.executable, "-IS")
KEEPER = (*PLAIN, str(Path(__file__).with_name("keeper.py")))


class Supervisor:
    """Owns the keeper process. `on_process(pid, create_time, name)` hears of every start.

    `argv`: what runs the keeper. Where that puts it into a pid namespace of its own, the pids that
    it tells are looked up among its descendants.
    """

    def __init__(
        self,
        on_process: OnProcess | None,
        on_gone: Callable[[str, Life], None],
        argv: Sequence[str] = KEEPER,
    ) -> None:
        self._argv = argv
        self.lives: dict[str, Life] = {}  # the latest life of each node
        self.lost = ""  # why there is no keeper any more although nobody stopped it
        self._on_process = on_process
        self._on_gone = on_gone
        self._keeper: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._log: Path | None = None
        self._starts: dict[str, asyncio.Future[int]] = {}
        self._moves: dict[tuple[str, int], asyncio.Future[None]] = {}  # by node and signal
        self._stopping = False

    async def open(self, log: Path) -> None:
        """Starts the keeper; what it complains of goes to `log`."""
        self.lives, self.lost, self._stopping = {}, "", False
        self._log = log
        with log.open("ab") as errors:
            self._keeper = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        self._report(self._keeper.pid, "keeper")
        self._listening = asyncio.create_task(self._listen(self._keeper))

    async def start(
        self, name: str, argv: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path
    ) -> Life:
        """Raises EnvironmentTrouble if the program cannot be started."""
        started = asyncio.get_running_loop().create_future()
        self._starts[name] = started
        self._order(
            do="start", name=name, argv=argv, cwd=str(cwd), env={**os.environ, **env}, log=str(log)
        )
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                await started
        except TimeoutError:
            raise EnvironmentTrouble(
                f"the keeper did not start node {name} within {ANSWER_LIMIT_S} s: is the machine "
                "overloaded, or the keeper stopped?"
            ) from None
        finally:
            self._starts.pop(name, None)
        return self.lives[name]

    async def move(self, name: str, number: signal.Signals) -> None:
        """SIGSTOP or SIGCONT: returns once all processes of the node have obeyed, or it is gone.

        Who waits sets the limit: a process may hang in the kernel.
        """
        moved = asyncio.get_running_loop().create_future()
        self._moves[name, number] = moved
        try:
            self.signal(name, number)
            await moved
        finally:
            self._moves.pop((name, number), None)

    def signal(self, name: str, number: signal.Signals) -> None:
        self._order(do="signal", name=name, signal=int(number))

    async def close(self) -> None:
        """Ends the keeper, and with it whatever still runs; idempotent."""
        self._stopping = True
        keeper = self._keeper
        if keeper is None:
            return
        assert keeper.stdin is not None, "opened with a pipe"
        keeper.stdin.close()
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                await keeper.wait()
        except TimeoutError:  # it may have been stopped (SIGSTOP)
            keeper.kill()
            await keeper.wait()
        if self._listening is not None:
            await self._listening
        self._keeper = None

    def _order(self, **order: Any) -> None:
        if self.lost or self._keeper is None:
            raise EnvironmentTrouble(self.lost or "the cluster is not running: start it first")
        assert self._keeper.stdin is not None, "opened with a pipe"
        self._keeper.stdin.write(msgspec.json.encode(order) + b"\n")

    async def _listen(self, keeper: asyncio.subprocess.Process) -> None:
        assert keeper.stdout is not None, "opened with a pipe"
        while line := await keeper.stdout.readline():
            self._hear(msgspec.json.decode(line))
        status = await keeper.wait()
        if not self._stopping:
            self.lost = (
                f"the keeper of the node processes ended with status {status} though nobody ended "
                f"it; all its nodes were killed. {self._last_word()}"
            )
        self._end_orphans()

    def _last_word(self) -> str:
        """Of a keeper that ended by itself."""
        lines = []
        with contextlib.suppress(OSError):
            lines = self._log.read_text(errors="replace").split("\n") if self._log else []
        said = [line for line in lines if line.strip()]
        if not said:
            return "Was it killed by hand, or by the out-of-memory killer?"
        return f"It said: {said[-1]} ({self._log})"

    def _hear(self, event: dict[str, Any]) -> None:
        name = event["name"]
        if event["event"] == "started":
            pid = self._here(event["pid"])
            self.lives[name] = Life(pid, self._report(pid, name), asyncio.Event())
            self._answer(name, None)
        elif event["event"] == "moved":
            life = self.lives[name]
            life.pid = self._here(event["pid"])
            life.create_time = self._report(life.pid, name)
        elif event["event"] == "failed":
            self._answer(
                name,
                EnvironmentTrouble(
                    f"node {name} cannot be started: {event['text']}. Correct the command of its "
                    "system: the program must be on the PATH, or given by its whole path (beside "
                    "the system's file: {here}/...)."
                ),
            )
        elif event["event"] == "obeyed":
            self._moved(name, event["signal"])
        else:
            life, number = self.lives[name], event["signal"]
            life.ending = (
                f"exit status {event['status']}"
                if number is None
                else f"signal {number} ({signal.strsignal(number)})"
            )
            self._gone(name, life)

    def _gone(self, name: str, life: Life) -> None:
        life.gone.set()
        for number in (signal.SIGSTOP, signal.SIGCONT):
            self._moved(name, number)
        self._on_gone(name, life)

    def _moved(self, name: str, number: int) -> None:
        moved = self._moves.get((name, number))
        if moved is not None and not moved.done():
            moved.set_result(None)

    def _answer(self, name: str, trouble: EnvironmentTrouble | None) -> None:
        started = self._starts.get(name)
        if started is None or started.done():
            return
        if trouble is None:
            started.set_result(self.lives[name].pid)
        else:
            started.set_exception(trouble)

    def _here(self, pid: int) -> int:
        """The pid of a child of the keeper in our own pid namespace; 0 if it is gone already."""
        assert self._keeper is not None, "the keeper has just spoken"
        if self._argv is KEEPER:
            return pid
        for process in psutil.Process(self._keeper.pid).children(recursive=True):
            with contextlib.suppress(OSError, IndexError):
                status = Path(f"/proc/{process.pid}/status").read_text()
                # Ours, that in the host, and those in namespaces that the node itself has made.
                if status.partition("NSpid:")[2].splitlines()[0].split()[1] == str(pid):
                    return process.pid
        return 0

    def _report(self, pid: int, name: str) -> float:
        """The create time of a process that was just started; 0 if it is gone already."""
        create_time = 0.0
        with contextlib.suppress(psutil.NoSuchProcess):
            create_time = psutil.Process(pid).create_time()
        if self._on_process is not None:
            self._on_process(pid, create_time, name)
        return create_time

    def _end_orphans(self) -> None:
        """The keeper is gone; so shall be what it kept. Their parent is init now, which reaps."""
        for name in list(self._starts):
            self._answer(name, EnvironmentTrouble(self.lost or "the cluster was stopped"))
        for name, life in self.lives.items():
            if life.gone.is_set():
                continue
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
                if psutil.Process(life.pid).create_time() == life.create_time:
                    os.killpg(life.pid, signal.SIGKILL)
            life.ending = "the end of its keeper"
            self._gone(name, life)
