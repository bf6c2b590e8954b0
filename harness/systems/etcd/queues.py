"""Queues: a key for each element; the one created first is the head.

A dequeue reads the head and deletes it in a transaction that compares its revision. What was the
head stays it until it is deleted, since later elements have later revisions; so a transaction that
succeeds took the head of that moment, and the queue is first in, first out. Where another was
faster, it begins again.

Sources: etcd's contrib/recipes/queue.go.
"""

from __future__ import annotations

from checkers.history import Operation
from harness.contracts import Completion
from harness.systems.etcd import wire
from harness.systems.etcd.names import encode, key_of, value_of
from harness.systems.etcd.session import Session


async def enqueue(session: Session, prefix: bytes, operation: Operation) -> Completion:
    element = encode(operation.value)
    await session.put(key_of(prefix, operation.key) + b"/" + element, element)
    return Completion("ok", operation.value)


async def dequeue(session: Session, prefix: bytes, operation: Operation) -> Completion:
    """Null where it is empty."""
    below = key_of(prefix, operation.key) + b"/"
    oldest = {"sort_target": "CREATE", "sort_order": "ASCEND", "limit": 1}
    while True:  # until the session's deadline, which ends the wait for an answer
        head = await session.range(below, range_end=wire.key_after(below), **oldest)
        if not head.kvs:
            return Completion("ok", None)
        first = head.kvs[0]
        delete = {"request_delete_range": {"key": first.key}}
        mine = await session.change(
            (wire.equal_revision(first.key, first.mod_revision),), (delete,)
        )
        if mine.succeeded:
            return Completion("ok", value_of(first.value))
