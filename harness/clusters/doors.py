"""Where a link begins: the port that a node or a client dials to reach another node.

Rules
1. A door is open only while the node behind it accepts connections and the link is not reset.
   A closed door refuses (ECONNREFUSED), as a dead node's own port would: a client whose connect
   failed knows that nothing was sent, one whose connection was accepted and reset does not.
2. Whether a node accepts is found by dialling it, from its start until it first answers; that it
   has ended is told by whoever reaps it. A dial that fails in between starts the search again.
"""

from __future__ import annotations

import asyncio
import socket
from random import Random

from harness.clusters import ports
from harness.clusters.flows import Connection
from harness.clusters.shaping import Link
from harness.contracts import Address, Framing

SEARCH_POLL_S = 0.02
ACCEPTS_PER_TURN = 32


class Target:
    """A port of a node, as its doors see it."""

    def __init__(self) -> None:
        self.doors: list[Door] = []
        self.address: Address | None = None
        self.up = asyncio.Event()
        self._search: asyncio.Task[None] | None = None

    def expect(self, address: Address) -> None:
        """The node was started: open the doors once it listens."""
        self.down()
        self.address = address
        self._search = asyncio.get_running_loop().create_task(self._find(address))

    def refused(self) -> None:
        """A dial failed: close the doors, and look for the node until it is reported down."""
        if self.up.is_set() and self.address is not None:
            self.expect(self.address)

    def down(self) -> None:
        """The node has ended."""
        if self._search is not None:
            self._search.cancel()
            self._search = None
        self.address = None
        self.up.clear()
        self._refresh()

    async def _find(self, address: Address) -> None:
        while not await _accepts(address):  # noqa: ASYNC110 - another process's doing
            await asyncio.sleep(SEARCH_POLL_S)
        self._search = None
        self.up.set()
        self._refresh()

    def _refresh(self) -> None:
        for door in self.doors:
            door.refresh()


class Door:
    """The listening end of link (src, dst), through which dst is dialled."""

    def __init__(
        self, forward: Link, back: Link, framing: Framing, target: Target, random: Random
    ) -> None:
        """Raises EnvironmentTrouble if there is no free port."""
        self.link = forward
        self._links = (forward, back)
        self._framing = framing
        self._target = target
        self._port = ports.take(random)
        self._listener: socket.socket | None = None
        self._connections: set[Connection] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._tasks: set[asyncio.Task[None]] = set()
        target.doors.append(self)

    @property
    def address(self) -> Address:
        return self._port.address

    def refresh(self) -> None:
        """The node or the rules of the link have changed: open, or close, or reset."""
        reset = self.link.rules.reset
        if self._target.up.is_set() and not reset:
            self._open()
        else:
            self._shut()
        if reset:
            self._reset()

    async def close(self) -> None:
        """Reset what goes through, and give the port back."""
        self._shut()
        self._port.release()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._reset()
        await self._empty.wait()  # the loop closes aborted sockets in its next turns

    def _open(self) -> None:
        if self._listener is None:
            self._listener = self._port.listen()
            if self._listener is not None:
                asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _shut(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener = None
            self._port.hold()

    def _reset(self) -> None:
        for connection in list(self._connections):
            connection.abort()

    def _accept(self) -> None:
        assert self._listener is not None, "a shut door has no reader"
        for _ in range(ACCEPTS_PER_TURN):
            try:
                accepted, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:
                # No file is left to open. A reader that keeps being called would eat the loop; a
                # door that is shut refuses, as a host without files does, until its next refresh.
                self._shut()
                return
            accepted.settimeout(0)
            connection = Connection(accepted, self._links, self._framing, self._gone)
            self._connections.add(connection)
            self._empty.clear()
            task = asyncio.get_running_loop().create_task(self._join(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _join(self, connection: Connection) -> None:
        if self._target.address is None:
            connection.abort()
            return
        try:
            await connection.run(self._target.address)
        except OSError:
            self._target.refused()

    def _gone(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()


async def _accepts(address: Address) -> bool:
    """Does somebody listen there?"""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0)
        try:
            await asyncio.get_running_loop().sock_connect(probe, address)
        except OSError:
            return False
        return True
