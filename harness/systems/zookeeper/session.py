"""One session with one ZooKeeper server, over kazoo: bounded in time, and never retried behind us.

Rules
1. A request whose answer did not come (time-out, lost connection, expired session) leaves doubt if
   it changes something and none if it only looks. `doubt` says whether there is any; an answer of
   the server, a refusal included, takes it away.
2. Nothing is sent twice. kazoo's own retries serve its recipes and its connection only: of those we
   use the second, so that a session outlives a lost connection as ZooKeeper means it to.
3. Requests are made only while connected. What kazoo would keep for a later connection could be
   carried out long after its operation was given up.
4. What must show everything that was acknowledged before is asked for behind a write (Order): the
   answers of a session come in the order of its requests, and that of a write when the server has
   applied all that was committed before. Both are on their way at once.
5. There is one host, so a session never moves: what a server shows is the server's own fault.
6. Closing takes no longer than the server's answer to it, and next to nothing once an answer was
   missed: kazoo would wait for ten seconds and more.

Sources: kazoo 2.11, client.py and protocol/connection.py; ZooKeeper Programmer's Guide, Sessions.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, NodeExistsError, NoNodeError
from kazoo.handlers.threading import SequentialThreadingHandler
from kazoo.retry import KazooRetry

from harness.clock import NS_PER_S, monotonic_ns
from harness.contracts import Address
from harness.systems.zookeeper.system import Order

SESSION_S = 20.0  # what holds a lock survives shorter troubles than this
CONNECT_LIMIT_S = 1.0
CLOSE_LIMIT_S = 1.0
_PLACE = "/order"  # of the write of nothing
REFUSALS = (NoNodeError, NodeExistsError, BadVersionError)

# kazoo warns of every lost connection, and losing connections is our trade.
_log = logging.getLogger("antipaxos.kazoo")
_log.addHandler(logging.NullHandler())
_log.propagate = False


class Unanswered(Exception):
    """No answer of the server came; Session.doubt says whether something may have happened."""


class _Handler(SequentialThreadingHandler):  # type: ignore[misc]
    """kazoo's own, with a socket that can be cut and connecting that does not take for ever."""

    def __init__(self) -> None:
        super().__init__()
        self._socket: socket.socket | None = None
        self._ended = False

    def create_connection(self, *args: Any, **settings: Any) -> socket.socket:
        if self._ended:
            raise ConnectionAbortedError("the session is being closed")
        settings["timeout"] = min(settings["timeout"], CONNECT_LIMIT_S)
        self._socket = super().create_connection(*args, **settings)
        return self._socket

    def cut(self, *, for_good: bool = False) -> None:
        self._ended = self._ended or for_good
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it was closed before
                self._socket.shutdown(socket.SHUT_RDWR)


class Session:
    """Used by one thread. Every method but `close` may raise Unanswered or one of REFUSALS."""

    def __init__(self, address: Address) -> None:
        self.doubt = False
        self._deadline_ns = 0
        self._missed = False  # an answer: the connection is not worth a farewell
        self._connected = threading.Event()
        self._handler = _Handler()
        self._kazoo = KazooClient(
            hosts=f"{address[0]}:{address[1]}",
            timeout=SESSION_S,
            handler=self._handler,
            randomize_hosts=False,
            connection_retry=KazooRetry(
                max_tries=-1, delay=0.05, max_delay=0.2, sleep_func=self._handler.sleep_func
            ),
            command_retry=KazooRetry(max_tries=0, sleep_func=self._handler.sleep_func),
            logger=_log,
        )
        self._kazoo.add_listener(self._changed)

    def open(self, timeout_s: float) -> None:
        """Raises OSError if there is no session in time."""
        self._kazoo.start_async()
        if not self._connected.wait(timeout_s):
            self._missed = True
            self.close()
            raise TimeoutError(f"no session in {timeout_s:g} s")

    def begin(self, timeout_s: float) -> None:
        """An operation begins, and must end in time."""
        self.doubt = False
        self._deadline_ns = monotonic_ns() + int(timeout_s * NS_PER_S)

    @property
    def left_s(self) -> float:
        return (self._deadline_ns - monotonic_ns()) / NS_PER_S

    def get(self, path: str, order: Order) -> tuple[bytes, int]:
        """Content and version."""
        data, stat = self._look(path, lambda: self._kazoo.get_async(path), order)
        return data, stat.version

    def children(self, path: str, order: Order) -> list[str]:
        found: list[str] = self._look(path, lambda: self._kazoo.get_children_async(path), order)
        return found

    def create(self, path: str, data: bytes, **kind: bool) -> str:
        """The name that the node was given. `kind`: ephemeral, sequence. Makes the parent."""
        created: str
        try:
            created = self._change(lambda: self._kazoo.create_async(path, data, **kind))
        except NoNodeError:
            self._make(path.rpartition("/")[0])
            created = self._change(lambda: self._kazoo.create_async(path, data, **kind))
        return created

    def set(self, path: str, data: bytes, version: int = -1) -> None:
        self._change(lambda: self._kazoo.set_async(path, data, version))

    def delete(self, path: str) -> None:
        self._change(lambda: self._kazoo.delete_async(path))

    def close(self) -> None:
        """Says farewell, so that what the session holds is given up; idempotent."""
        if self._missed:
            self._handler.cut(for_good=True)
        farewell = threading.Thread(target=self._end, daemon=True, name="kazoo farewell")
        farewell.start()
        farewell.join(CLOSE_LIMIT_S)
        if farewell.is_alive():
            self._handler.cut(for_good=True)

    def _end(self) -> None:
        # It complains of what was cut, which is nobody's business any more.
        with contextlib.suppress(Exception):
            self._kazoo.stop()
        with contextlib.suppress(Exception):
            self._kazoo.close()

    def _changed(self, state: str) -> None:
        """On kazoo's thread."""
        if state == "CONNECTED":
            self._connected.set()
        else:
            self._connected.clear()

    def _make(self, path: str) -> None:
        """A parent, which nobody looks at: it need not be known whether it was made."""
        if path:
            with contextlib.suppress(NodeExistsError):
                try:
                    self._await(lambda: self._kazoo.create_async(path, b""))
                except NoNodeError:
                    self._make(path.rpartition("/")[0])
                    self._await(lambda: self._kazoo.create_async(path, b""))

    def _look(self, path: str, request: Callable[[], Any], order: Order) -> Any:
        if order == "no":
            return self._await(request)
        self._until_connected()
        kazoo = self._kazoo
        first = kazoo.sync_async(path) if order == "yes" else kazoo.set_async(_PLACE, b"")
        second = request()
        try:
            self._settle(first)
        except NoNodeError:
            self._make(_PLACE)  # the first session of all finds none
            return self._look(path, request, order)
        return self._settle(second)

    def _change(self, request: Callable[[], Any]) -> Any:
        self._until_connected()
        self.doubt = True
        try:
            answer = self._await(request)
        except REFUSALS:
            self.doubt = False
            raise
        self.doubt = False
        return answer

    def _await(self, request: Callable[[], Any]) -> Any:
        self._until_connected()
        return self._settle(request())

    def _settle(self, pending: Any) -> Any:
        try:
            answer = pending.get(timeout=max(0.0, self.left_s))
            self._missed = False
            return answer
        except REFUSALS:
            self._missed = False
            raise
        except Exception as wrong:
            # Whatever else there is (time-outs, losses, expiry, a server that shuts down): no
            # answer, and a connection that may stay mute. The session goes on over another one.
            self._missed = True
            self._handler.cut()
            raise Unanswered(f"{type(wrong).__name__}: {wrong}".rstrip(": ")) from wrong

    def _until_connected(self) -> None:
        """Rule 3: raises before anything is sent."""
        if not self._connected.wait(max(0.0, self.left_s)):
            raise Unanswered("there is no connection")
