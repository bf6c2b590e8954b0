"""Sets: a key for each element, below the key of the set; a read is one range over them.

A set in one key would be a register that every add has to win; in keys of their own elements do not
meet, so that each acknowledged one must be there, whatever happened to others.
"""

from __future__ import annotations

from checkers.history import Operation
from harness.contracts import Completion
from harness.systems.etcd.names import encode, key_of, value_of
from harness.systems.etcd.session import Session


async def add(session: Session, prefix: bytes, operation: Operation) -> Completion:
    element = encode(operation.value)
    await session.put(_below(prefix, operation) + element, element)
    return Completion("ok", operation.value)


async def read(session: Session, prefix: bytes, operation: Operation) -> Completion:
    below = _below(prefix, operation)
    keys = await session.all_keys(below)
    return Completion("ok", [value_of(key[len(below) :]) for key in keys])


def _below(prefix: bytes, operation: Operation) -> bytes:
    return key_of(prefix, operation.key) + b"/"
