"""Digest: a short name for the state, by which replicas are compared.

Rules
1. Equal states have equal digests, on every node and in every process; different states differ but
   for a chance of 2**-64. It is computed from the state, not from the commands: a replica that
   applied the right commands wrongly must show.
2. It costs a hash for each entry that changed since it was last asked for, not one for each entry
   of the state: the digest of a mapping is the exclusive or of those of its entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import msgspec

_encode = msgspec.msgpack.Encoder().encode


class Digest:
    """Of one mapping, which the owner changes and reports the changes of."""

    def __init__(self) -> None:
        self._hashes: dict[str, int] = {}
        self._sum = 0
        self._changed: set[str] = set()

    def changed(self, key: str) -> None:
        """The entry of `key` was set or removed."""
        self._changed.add(key)

    def replaced(self, keys: Iterable[str]) -> None:
        """The whole mapping is another one, with these keys."""
        self._changed.update(self._hashes, keys)

    def of(self, entries: Mapping[str, Any]) -> str:
        """The digest of the mapping as it is now. An entry is anything MessagePack encodes."""
        for key in self._changed:
            self._sum ^= self._hashes.pop(key, 0)
            if key in entries:
                content = _encode((key, entries[key]))
                entry = int.from_bytes(blake2b(content, digest_size=8).digest(), "big")
                self._hashes[key] = entry
                self._sum ^= entry
        self._changed.clear()
        return f"{self._sum:016x}"
