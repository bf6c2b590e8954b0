"""Registers: read, write, compare-and-set on one key; absent is null.

A compare-and-set is one transaction: compare the value (for null, that there is no key), then put.
Its other branch reads the key, so that a mismatch tells what was there, and a guard that failed is
not taken for one.
"""

from __future__ import annotations

from checkers.history import COMPARE_FAILED, Error, Operation
from harness.contracts import Completion
from harness.systems.etcd import wire
from harness.systems.etcd.names import encode, key_of, value_of
from harness.systems.etcd.session import Session, guard_failed


async def read(session: Session, prefix: bytes, operation: Operation) -> Completion:
    answer = await session.range(key_of(prefix, operation.key))
    return Completion("ok", value_of(answer.kvs[0].value) if answer.kvs else None)


async def write(session: Session, prefix: bytes, operation: Operation) -> Completion:
    await session.put(key_of(prefix, operation.key), encode(operation.value))
    return Completion("ok", operation.value)


async def cas(session: Session, prefix: bytes, operation: Operation) -> Completion:
    key = key_of(prefix, operation.key)
    expected, new = operation.value
    compare = (
        wire.equal_revision(key, 0) if expected is None else wire.equal_value(key, encode(expected))
    )
    answer = await session.change(
        (compare,),
        ({"request_put": wire.put(key, encode(new))},),
        ({"request_range": {"key": key}},),
    )
    if answer.succeeded:
        return Completion("ok", operation.value)
    found = answer.responses[0].response_range if answer.responses else None
    value = value_of(found.kvs[0].value) if found is not None and found.kvs else None
    if value == expected and session.settings.guard:
        raise guard_failed()
    return Completion("fail", error=Error(COMPARE_FAILED, f"it was {value!r}"))
