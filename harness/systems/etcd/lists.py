"""Transactions over lists: read all keys at one revision, then write, if none of them changed.

The reads are one transaction, so they are of one moment; the second compares the revision of every
key that was read, so the moment of the writes is the same for all. A transaction that only reads is
done after the first.
"""

from __future__ import annotations

from typing import Any

from checkers.history import Operation
from harness.contracts import Completion
from harness.systems.etcd import wire
from harness.systems.etcd.names import encode, key_of, value_of
from harness.systems.etcd.session import Session
from harness.systems.etcd.wire import KeyValue, TxnAnswer


async def txn(session: Session, prefix: bytes, operation: Operation) -> Completion:
    """Of ["append", key, element] and ["r", key, null]; the answer has the lists read."""
    steps = operation.value
    keys = {_name(key): key_of(prefix, key) for _, key, _ in steps}
    while True:  # until the session's deadline, which ends the wait for an answer
        found = await _read(session, list(keys.values()))
        state = {
            name: value_of(found[at].value) if at in found else [] for name, at in keys.items()
        }
        results, appended = _performed(steps, state)
        if not appended:
            return Completion("ok", results)
        compare = [
            wire.equal_revision(at, found[at].mod_revision if at in found else 0)
            for at in keys.values()
        ]
        puts = [{"request_put": wire.put(keys[name], encode(state[name]))} for name in appended]
        if (await session.change(compare, puts)).succeeded:
            return Completion("ok", results)


async def _read(session: Session, keys: list[bytes]) -> dict[bytes, KeyValue]:
    serializable = session.settings.serializable
    reads = [{"request_range": {"key": key, "serializable": serializable}} for key in keys]
    answer = await session.call("/v3/kv/txn", wire.txn((), reads), TxnAnswer)
    ranges = (one.response_range for one in answer.responses)
    return {kv.key: kv for found in ranges if found is not None for kv in found.kvs}


def _performed(
    steps: list[list[Any]], state: dict[bytes, list[Any]]
) -> tuple[list[list[Any]], list[bytes]]:
    """The steps with what they read, and the names of the keys appended to; changes `state`."""
    results: list[list[Any]] = []
    appended: dict[bytes, None] = {}
    for f, key, element in steps:
        if f == "append":
            state[_name(key)].append(element)
            appended[_name(key)] = None
        results.append([f, key, element if f == "append" else list(state[_name(key)])])
    return results, list(appended)


def _name(key: Any) -> bytes:
    return encode(key)
