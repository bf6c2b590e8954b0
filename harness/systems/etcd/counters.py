"""Counters: a number in one key, changed by compare-and-set until it succeeds."""

from __future__ import annotations

from checkers.history import Operation
from harness.contracts import Completion
from harness.systems.etcd import wire
from harness.systems.etcd.names import encode, key_of, value_of
from harness.systems.etcd.session import Session


async def add(session: Session, prefix: bytes, operation: Operation) -> Completion:
    key = key_of(prefix, operation.key)
    while True:  # until the session's deadline, which ends the wait for an answer
        answer = await session.range(key)
        number, revision = 0, 0
        if answer.kvs:
            number, revision = value_of(answer.kvs[0].value), answer.kvs[0].mod_revision
        put = {"request_put": wire.put(key, encode(number + operation.value))}
        if (await session.change((wire.equal_revision(key, revision),), (put,))).succeeded:
            return Completion("ok", operation.value)


async def read(session: Session, prefix: bytes, operation: Operation) -> Completion:
    answer = await session.range(key_of(prefix, operation.key))
    return Completion("ok", value_of(answer.kvs[0].value) if answer.kvs else 0)
