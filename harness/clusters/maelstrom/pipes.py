"""Standard input and output of one life of a node, as named pipes.

The keeper starts nodes and stays the parent of all of them: what it gives a node for its standard
streams is opened by name. So the node is still ended with the harness whatever happens, with the
children it may have, which a pipe from the harness itself could not do.

Rules
1. Every life has pipes of its own. What an earlier life wrote and nobody read, or was sent and did
   not read, is gone with it.
2. Both pipes have an end of ours at the other side, too: opening them never blocks, neither here
   nor in the node, and a node that closes a stream or dies breaks nothing here.
3. A write never waits. What the node does not take is kept up to WAITING_MAX_BYTES; beyond that,
   it is dropped whole, and that is told.
4. Once the node has spoken it has opened both pipes, and their names are removed: a run folder
   holds files.

Sources: fifo(7), fcntl(2) (F_SETPIPE_SZ).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

PIPE_BYTES = 1024 * 1024  # the most that Linux gives a user by default
READ_BYTES = 1024 * 1024
WAITING_MAX_BYTES = 64 * 1024 * 1024

_SET_SIZE = getattr(fcntl, "F_SETPIPE_SZ", None)  # Linux only


class Pipes:
    """`on_data` takes what the node writes, as it comes; `on_deaf` hears of each dropped write."""

    def __init__(
        self, home: Path, on_data: Callable[[bytes], None], on_deaf: Callable[[], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_data, self._on_deaf = on_data, on_deaf
        self._names = (home / "stdin", home / "stdout")
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._named = self._open = True
        for name in self._names:
            name.unlink(missing_ok=True)
            os.mkfifo(name, 0o600)
        stdin, stdout = self._names
        # The order matters: a pipe opens for writing only where somebody has it open for reading.
        self._stdin_held = os.open(stdin, os.O_RDONLY | os.O_NONBLOCK)
        self._stdin = os.open(stdin, os.O_WRONLY | os.O_NONBLOCK)
        self._stdout = os.open(stdout, os.O_RDONLY | os.O_NONBLOCK)
        self._stdout_held = os.open(stdout, os.O_WRONLY | os.O_NONBLOCK)
        for pipe in (self._stdin, self._stdout):
            _widen(pipe)
        self._loop.add_reader(self._stdout, self._readable)

    def write(self, data: bytes) -> None:
        """Whole lines."""
        if not self._open:
            return
        if self._waiting:
            if self._waiting_bytes + len(data) > WAITING_MAX_BYTES:
                self._on_deaf()
                return
            self._keep(data)
            return
        rest = self._written(data)
        if rest:
            self._keep(rest)
            self._loop.add_writer(self._stdin, self._writable)

    def close(self) -> None:
        """The node has ended: take the last that it wrote, and let go. Idempotent."""
        if not self._open:
            return
        while self._readable():
            pass
        self._open = False
        self._loop.remove_reader(self._stdout)
        self._loop.remove_writer(self._stdin)
        self._waiting.clear()
        for pipe in (self._stdin, self._stdin_held, self._stdout, self._stdout_held):
            os.close(pipe)
        self._remove_names()

    def _readable(self) -> bool:
        """False if there was nothing."""
        try:
            data = os.read(self._stdout, READ_BYTES)
        except BlockingIOError:
            return False
        if data:
            if self._named:
                self._remove_names()
            self._on_data(data)
        return bool(data)

    def _writable(self) -> None:
        while self._waiting:
            data = self._waiting.popleft()
            rest = self._written(data)
            self._waiting_bytes -= len(data) - len(rest)
            if rest:
                self._waiting.appendleft(rest)
                return
        self._loop.remove_writer(self._stdin)

    def _written(self, data: bytes) -> bytes:
        """Writes what the pipe takes now; what is left."""
        try:
            return data[os.write(self._stdin, data) :]
        except BlockingIOError:
            return data

    def _keep(self, data: bytes) -> None:
        self._waiting.append(data)
        self._waiting_bytes += len(data)

    def _remove_names(self) -> None:
        self._named = False
        for name in self._names:
            name.unlink(missing_ok=True)


def _widen(pipe: int) -> None:
    """A pipe of the usual 64 KiB makes a busy node and the router take turns. Where the kernel
    gives no more, it serves as it is."""
    if _SET_SIZE is not None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, _SET_SIZE, PIPE_BYTES)
