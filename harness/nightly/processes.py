"""A child process for runs, as its parent sees it: ask, wait for so long, see how it ended.

Rules
1. Children are started by command and not by fork: whoever asks may have threads, and Dask's
   workers may not have processes of the multiprocessing kind.
2. What a child prints, and the stacks it writes when it hangs or dies, go to a file that lasts as
   long as the child: its end is told for each task.
3. One that ends while runs on real machines last has their faults undone from the ledger.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from multiprocessing.connection import Connection

import msgspec

from harness.clock import NS_PER_S, monotonic_ns
from harness.nightly.child import Order
from harness.nightly.tasks import Answer, Came, Kept, Task

HANG_GRACE_S = 5.0  # for the child to write its stacks and end by itself
ORDERLY_END_S = 45.0  # for a run on real machines to undo its faults, stop its nodes and judge
CHILD = "harness.nightly.child"
TOLD_MAX = 64_000  # bytes of what a child said
_alive: set[Child] = set()
_lock = threading.Lock()


class Died(msgspec.Struct, frozen=True):
    """A child that ended in the middle of a task. `code`: negative for a signal. `told`: the end of
    what it wrote. `answer`: of a run that was ended in order, past its time limit."""

    hung: bool
    code: int | None
    told: str
    answer: Answer | None = None


class EndedByUs(Exception):
    """The night is over: nothing is said about the run."""


class Child:
    """A process that takes one task at a time. For one thread."""

    def __init__(self) -> None:
        read_order, write_order = os.pipe()
        read_answer, write_answer = os.pipe()
        self._log = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed in end()
        try:
            self._process = subprocess.Popen(
                # -P: not what lies around here; our own path instead.
                [sys.executable, "-P", "-m", CHILD, str(read_order), str(write_answer)],
                pass_fds=(read_order, write_answer),
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
                start_new_session=True,  # a terminal's Ctrl-C is not for it
            )
        finally:
            os.close(read_order)
            os.close(write_answer)
        self._orders = Connection(write_order, readable=False)
        self._answers = Connection(read_answer, writable=False)
        self.done = 0
        self.ended_by_us = False
        with _lock:
            _alive.add(self)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def usable(self) -> bool:
        return self._process.poll() is None

    def ask(self, task: Task, limit_s: float, *, orderly: bool) -> Answer | Died:
        """Hand it a task and wait. `orderly`: past `limit_s` it gets time to put things in order.
        Raises EndedByUs where the night ended meanwhile."""
        began_ns = monotonic_ns()
        self._log.seek(0)
        self._log.truncate()
        answer: Answer | None = None
        try:
            self._orders.send_bytes(msgspec.msgpack.encode(Order(task, limit_s)))
            if self._answers.poll(limit_s + HANG_GRACE_S):
                answer = _decoded(self._answers.recv_bytes())
                self.done += 1
                if not self.ended_by_us:
                    return answer
            elif orderly:
                self._process.send_signal(signal.SIGTERM)
                if self._answers.poll(ORDERLY_END_S):
                    answer = _decoded(self._answers.recv_bytes())
        except (EOFError, OSError):
            pass  # it ended: told below
        if self.ended_by_us:
            self.end()
            raise EndedByUs
        hung = (monotonic_ns() - began_ns) / NS_PER_S >= limit_s
        told = self._told
        return Died(hung, self.end(), told, answer)

    @property
    def _told(self) -> str:
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - TOLD_MAX))
        return self._log.read().decode(errors="replace")

    def ask_to_end(self) -> None:
        """From any thread."""
        self.ended_by_us = True
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def end(self, within_s: float = 1.0) -> int | None:
        """Ends it, if it has not ended; its exit code."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with _lock:
            _alive.discard(self)
        self._orders.close()
        self._answers.close()
        self._log.close()
        return self._process.returncode


def _decoded(content: bytes) -> Answer:
    answer: Answer = msgspec.msgpack.decode(content, type=Came | Kept)
    return answer


def end_all() -> None:
    """Ask all children of this process to end, working or idle: what they worked on raises
    EndedByUs. One that is started meanwhile is not met."""
    with _lock:
        children = list(_alive)
    for child in children:
        child.ask_to_end()


def put_away() -> None:
    """End the children of this process, once no thread asks one of them any more."""
    with _lock:
        children = list(_alive)
    for child in children:
        child.end()


def working() -> list[int]:
    """The process ids of the children of this process."""
    with _lock:
        return [child.pid for child in _alive]
