"""Work on many paths in processes of its own: one that dies takes only its path along.

Rules
1. A process takes one path after the other; what it answers comes back in the order of the paths.
2. A process that ends before it answers (the system ends what takes too much memory) is replaced,
   and its path gets the answer of `lost`.
3. An interruption ends all processes at once: they hold nothing that must be put in order.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

# Not fork: whoever calls may have threads.
_CONTEXT = multiprocessing.get_context("spawn")
_END_LIMIT_S = 1.0


def each(
    paths: Sequence[Path],
    work: Callable[[Path], T],
    lost: Callable[[Path, int | None], T],
    processes: int,
) -> Iterator[T]:
    """`work(path)` for each path, in the order of the paths; `work` must be picklable.

    `lost(path, exit code)`: the answer for a path whose process ended, negative for a signal.
    """
    todo = deque(enumerate(paths))
    done: dict[int, T] = {}
    workers = [_Worker(work) for _ in range(min(processes, len(paths)))]
    try:
        for worker in workers:
            worker.give(todo)
        for number in range(len(paths)):
            while number not in done:
                ready = wait([w.connection for w in workers if w.busy])
                for at, worker in enumerate(workers):
                    if worker.connection not in ready:
                        continue
                    try:
                        done[worker.number] = worker.connection.recv()
                    except (EOFError, OSError):
                        done[worker.number] = lost(worker.path, worker.end())
                        worker = workers[at] = _Worker(work)
                    worker.give(todo)
            yield done.pop(number)
    finally:
        for worker in workers:
            worker.end()


class _Worker(Generic[T]):
    """A process, and the path that it works on."""

    def __init__(self, work: Callable[[Path], T]) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self.busy = False
        self.number = -1
        self.path = Path()
        self._process: BaseProcess = _CONTEXT.Process(
            target=_serve, args=(theirs, work), daemon=True
        )
        self._process.start()
        theirs.close()

    def give(self, todo: deque[tuple[int, Path]]) -> None:
        self.busy = bool(todo)
        if todo:
            self.number, self.path = todo.popleft()
            with contextlib.suppress(OSError):  # it has ended: whoever waits for its answer sees it
                self.connection.send(self.path)

    def end(self) -> int | None:
        """Ends it, if it has not ended; its exit code."""
        self._process.terminate()
        self._process.join(_END_LIMIT_S)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        self.connection.close()
        return self._process.exitcode


def _serve(connection: Connection, work: Callable[[Path], T]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the one who asked
    with contextlib.suppress(EOFError, OSError):
        while True:
            connection.send(work(connection.recv()))
