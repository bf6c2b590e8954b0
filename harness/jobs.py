"""Work on many items in processes of its own: one that dies takes only its item along.

Rules
1. A process takes one item after the other; what it answers comes back in the order of the items.
2. A process that ends before it answers (the system ends what takes too much memory) is replaced,
   and its item gets the answer of `lost`.
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
from typing import Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")

# Not fork: whoever calls may have threads.
_CONTEXT = multiprocessing.get_context("spawn")
_END_LIMIT_S = 1.0


def each(
    items: Sequence[S],
    work: Callable[[S], T],
    lost: Callable[[S, int | None], T],
    processes: int,
) -> Iterator[T]:
    """`work(item)` for each item, in their order; `work` and items must be picklable.

    `lost(item, exit code)`: the answer for an item whose process ended, negative for a signal.
    """
    todo = deque(enumerate(items))
    done: dict[int, T] = {}
    workers: list[_Worker[S, T]] = [_Worker(work) for _ in range(min(processes, len(items)))]
    try:
        for worker in workers:
            worker.give(todo)
        for number in range(len(items)):
            while number not in done:
                ready = wait([w.connection for w in workers if w.busy])
                for at, worker in enumerate(workers):
                    if worker.connection not in ready:
                        continue
                    try:
                        done[worker.number] = worker.connection.recv()
                    except (EOFError, OSError):
                        done[worker.number] = lost(worker.item, worker.end())
                        worker = workers[at] = _Worker(work)
                    worker.give(todo)
            yield done.pop(number)
    finally:
        for worker in workers:
            worker.end()


class _Worker(Generic[S, T]):
    """A process, and the item that it works on."""

    item: S  # once it was given one

    def __init__(self, work: Callable[[S], T]) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self.busy = False
        self.number = -1
        self._process: BaseProcess = _CONTEXT.Process(
            target=_serve, args=(theirs, work), daemon=True
        )
        # Held back until the child ignores it: a Ctrl-C that met it in its imports would have it
        # end with a traceback. Ours comes as soon as the child is on its way.
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
        theirs.close()

    def give(self, todo: deque[tuple[int, S]]) -> None:
        self.busy = bool(todo)
        if todo:
            self.number, self.item = todo.popleft()
            with contextlib.suppress(OSError):  # it has ended: whoever waits for its answer sees it
                self.connection.send(self.item)

    def end(self) -> int | None:
        """Ends it, if it has not ended; its exit code."""
        self._process.terminate()
        self._process.join(_END_LIMIT_S)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        self.connection.close()
        return self._process.exitcode


def _serve(connection: Connection, work: Callable[[S], T]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the one who asked
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    with contextlib.suppress(EOFError, OSError):
        while True:
            connection.send(work(connection.recv()))
