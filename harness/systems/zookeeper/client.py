"""Operations of the workloads, written plainly as requests to ZooKeeper.

Rules
1. A compare-and-set looks first (content and version) and then sets that version only. Content that
   differs is `compare-failed`; a version that has moved on meanwhile says only that somebody wrote,
   not what, so it looks again. What is refused until its time ends did certainly not happen, and
   constrains nothing (`raced`).
2. A queue's elements are sequential children; the first is taken by whoever deletes it. Numbers
   only grow, so a child that was first in any list, however old, and is still there, is first
   still: only `empty` depends on the list being fresh.
3. A lock is the first of the ephemeral sequential children. Who comes later withdraws at once: an
   operation must not wait for another process. The fencing token is the sequence number. Sessions
   that expire lose their locks, which a release then says (`not-held`).
4. After an unanswered request the outcome is unknown if it may have changed something, and certain
   failure if it only looked (Session.doubt).

Sources: ZooKeeper Recipes and Solutions (locks, queues); Programmer's Guide, Consistency
Guarantees, for why a read needs something before it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from kazoo.exceptions import BadVersionError, NodeExistsError, NoNodeError

from checkers.history import COMPARE_FAILED, Error, Operation
from harness.contracts import Address, Completion
from harness.systems.zookeeper.session import Session, Unanswered
from harness.systems.zookeeper.system import Order

# Who is refused without asking a server tries again at once, and would fill the history.
REFUSED_PAUSE_S = 0.05

_encode = msgspec.json.encode
_decode = msgspec.json.decode


class Refused(Exception):
    """The operation certainly did not happen."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.error = Error(code, text)


class ZooKeeperClient:
    """Implements harness.contracts.Client with plain functions. `order`: before reads."""

    def __init__(self, address: Address, workload: str, timeout_s: float, order: Order) -> None:
        self._address = address
        self._workload = workload
        self._timeout_s = timeout_s
        self._order = order
        self._session: Session | None = None
        self._held: dict[str, str] = {}  # locks, by the path of their directory

    def open(self) -> None:
        """Raises OSError if there is no session in time."""
        session = Session(self._address)
        session.open(self._timeout_s)
        self._session = session

    def invoke(self, operation: Operation) -> Completion:
        assert self._session is not None, "open comes first"
        self._session.begin(self._timeout_s)
        path = f"/{self._workload}/{quote(str(operation.key), safe='')}"
        perform = OPERATIONS[self._workload][operation.f]
        try:
            return Completion("ok", perform(self, self._session, path, operation.value))
        except Refused as refused:
            return Completion("fail", error=refused.error)
        except Unanswered as wrong:
            error = Error("unanswered", str(wrong))
            return Completion("info" if self._session.doubt else "fail", error=error)

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def look(
        self, session: Session, path: str, order: Order | None = None
    ) -> tuple[Any, int | None]:
        """Value and version; the version of what does not exist is None."""
        try:
            data, version = session.get(path, order or self._order)
        except NoNodeError:
            return None, None
        return _decode(data), version

    def listed(self, session: Session, path: str) -> list[str]:
        """The children, in order."""
        try:
            return sorted(session.children(path, self._order))
        except NoNodeError:
            return []

    def change(
        self, session: Session, path: str, new: Callable[[Any], Any], order: Order | None = None
    ) -> Any:
        """Set `new(value)` in one step (rule 1); the new value. `new` may raise Refused: then
        what it refuses must not be old. What is old cannot be set, so others may do without."""
        while session.left_s > 0:
            held, version = self.look(session, path, order)
            value = new(held)
            try:
                if version is None:
                    session.create(path, _encode(value))
                else:
                    session.set(path, _encode(value), version)
            except (NodeExistsError, BadVersionError, NoNodeError):
                continue
            return value
        raise Refused("raced", "others were quicker each time")

    def hold(self, path: str, node: str | None) -> str | None:
        """Remember, or forget, the node that is this client's lock; the one before."""
        before = self._held.pop(path, None)
        if node is not None:
            self._held[path] = node
        return before


Perform = Callable[[ZooKeeperClient, Session, str, Any], Any]


def _read(client: ZooKeeperClient, session: Session, path: str, _: Any) -> Any:
    return client.look(session, path)[0]


def _write(_client: ZooKeeperClient, session: Session, path: str, value: Any) -> None:
    data = _encode(value)
    while session.left_s > 0:
        try:
            session.set(path, data)
            return
        except NoNodeError:
            pass
        try:
            session.create(path, data)
            return
        except NodeExistsError:
            pass
    raise Refused("raced", "it was made and removed again and again")


def _cas(client: ZooKeeperClient, session: Session, path: str, value: Any) -> None:
    expected, new = value

    def swapped(held: Any) -> Any:
        if held != expected:
            raise Refused(COMPARE_FAILED, f"it was {held!r}")
        return new

    client.change(session, path, swapped)


def _append(client: ZooKeeperClient, session: Session, path: str, value: Any) -> None:
    client.change(session, path, lambda held: [*(held or ()), value], "no")


def _elements(client: ZooKeeperClient, session: Session, path: str, _: Any) -> Any:
    return client.look(session, path)[0] or []


def _increase(client: ZooKeeperClient, session: Session, path: str, value: Any) -> None:
    client.change(session, path, lambda held: (held or 0) + value, "no")


def _count(client: ZooKeeperClient, session: Session, path: str, _: Any) -> Any:
    return client.look(session, path)[0] or 0


def _add(_client: ZooKeeperClient, session: Session, path: str, value: Any) -> None:
    # The prefix keeps names legal that ZooKeeper reserves, '.' among them.
    try:
        session.create(f"{path}/e{quote(_encode(value), safe='')}", b"")
    except NodeExistsError:
        return  # it is a set


def _members(client: ZooKeeperClient, session: Session, path: str, _: Any) -> Any:
    return [_decode(unquote(name[1:])) for name in client.listed(session, path)]


def _enqueue(_client: ZooKeeperClient, session: Session, path: str, value: Any) -> None:
    session.create(f"{path}/q-", _encode(value), sequence=True)


def _dequeue(client: ZooKeeperClient, session: Session, path: str, _: Any) -> Any:
    while session.left_s > 0:
        names = client.listed(session, path)
        if not names:
            return None
        for name in names:
            try:
                data, _version = session.get(f"{path}/{name}", "no")
                session.delete(f"{path}/{name}")
            except NoNodeError:
                continue  # somebody took it, so the next is first
            return _decode(data)
    raise Refused("raced", "others were quicker each time")


def _acquire(client: ZooKeeperClient, session: Session, path: str, _: Any) -> Any:
    mine = session.create(f"{path}/l-", b"", ephemeral=True, sequence=True)
    number = int(mine[-10:])
    session.doubt = True  # its place in the queue is taken
    numbers = [int(name[-10:]) for name in session.children(path, "no")]
    if number not in numbers:
        raise Refused("held", "by nobody: the session expired, and this place in the queue with it")
    first = min(numbers)
    if first != number:
        with contextlib.suppress(NoNodeError):  # the session had expired, and another followed it
            session.delete(mine)
        raise Refused("held", f"by number {first}, this would be {number}")
    client.hold(path, mine)
    return {"token": number}


def _release(client: ZooKeeperClient, session: Session, path: str, _: Any) -> None:
    mine = client.hold(path, None)
    if mine is None:
        threading.Event().wait(REFUSED_PAUSE_S)
        raise Refused("not-held", "by this client")
    try:
        session.delete(mine)
    except NoNodeError:
        raise Refused("not-held", "the session expired meanwhile") from None


OPERATIONS: dict[str, dict[str, Perform]] = {
    "register": {"read": _read, "write": _write, "cas": _cas},
    "log": {"append": _append, "read": _elements},
    "set": {"add": _add, "read": _members},
    "queue": {"enqueue": _enqueue, "dequeue": _dequeue},
    "counter": {"add": _increase, "read": _count},
    "lock": {"acquire": _acquire, "release": _release},
}
