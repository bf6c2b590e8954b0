"""Snapshots: the state after a prefix of the log, cut into parts that fit into frames and records.

Rules
1. The parts of a snapshot are those of one slot and one making; parts of different ones are never
   joined.
2. A part that does not follow the last one is ignored: it is late, or repeated.
3. The state in a snapshot is the one after its slot: one too old loses commands, one labelled too
   high makes its reader skip them.
4. What stands in for the log stands in for the state machine's part of it only. The promise, and
   what was accepted above the floor, are still this acceptor's word to others (T23).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.machine import Record
from reference_impl import records
from reference_impl.acceptor import Acceptor


class Snapshot(msgspec.Struct, frozen=True):
    """The state after slots 1 to `slot`, in parts; at least one, even if it is empty."""

    slot: int
    parts: tuple[bytes, ...]

    def whole(self) -> bytes:
        return b"".join(self.parts)


def cut(slot: int, state: bytes, part_bytes: int) -> Snapshot:
    starts: Sequence[int] = range(0, max(len(state), 1), part_bytes)
    return Snapshot(slot, tuple(state[start : start + part_bytes] for start in starts))


class Snapshots:
    """How a node shortens its log."""

    def take(self, slot: int, state: bytes, part_bytes: int) -> Snapshot:
        """`state` is the one after `slot`."""
        return cut(slot, state, part_bytes)

    def keeps(self, acceptor: Acceptor, floor: int) -> list[Record]:
        """What goes with a snapshot into the new log."""
        return [
            records.Promised(None, acceptor.promised),
            *(
                records.AcceptedProposal(r.instance, r.ballot, r.value)
                for r in acceptor.reports(floor + 1)
            ),
        ]


class Assembly:
    """A snapshot that arrives part by part."""

    def __init__(self) -> None:
        self.slot = 0
        self._count = 0
        self._parts: list[bytes] = []

    @property
    def next_index(self) -> int:
        """The part to ask for."""
        return len(self._parts)

    def add(self, slot: int, index: int, count: int, data: bytes) -> Snapshot | None:
        """Take a part; the snapshot if it was the last one. Part 0 of another slot starts anew."""
        if index == 0 and (slot, count) != (self.slot, self._count):
            self.slot, self._count, self._parts = slot, count, []
        if (slot, index, count) != (self.slot, len(self._parts), self._count):
            return None
        self._parts.append(data)
        if len(self._parts) < count:
            return None
        whole = Snapshot(slot, tuple(self._parts))
        self.slot, self._count, self._parts = 0, 0, []
        return whole
