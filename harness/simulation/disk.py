"""The disk of a simulated node: a log of records, of which a crash keeps what was synced.

Rules
1. A record is on the disk once the sync that covers it is over. One that dies with its node while
   a sync is under way is kept or lost by chance, and with it all that follow: a log is written from
   its beginning to its end. A power failure may also tear the last one: half of it is there, its
   checksum is wrong, and a reader cuts it off.
2. A sync takes its time, and covers everything that waited when it began.
3. A full disk takes nothing more, and a node that was refused cannot go on. What was synced stays.
4. Damage is noticed: records have checksums, and a bad one with good ones behind it was no torn
   write. The log is refused, and its node is lost.

Sources: the reference's log (its storage module) has rules 1 and 4; the faults are those of
nemesis.faults.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from harness.simulation.choices import Choices, Stream

_encode = msgspec.msgpack.Encoder().encode

SYNC_LEAST_US = 50
SYNC_SPREAD_US = 450


class DiskFull(Exception):
    """No room: the node that wrote cannot go on."""


class Damaged(Exception):
    """The log has a bad record before good ones. The message says where."""


class Disk:
    """One node's, through all its lives."""

    def __init__(self, node: str, choices: Choices) -> None:
        self.full = False
        self.slow_ms: dict[int, float] = {}  # the mean of each fault in force, by its id
        self.lost = self.corrupted = 0
        self._records: list[bytes] = []
        self._bad: set[int] = set()  # positions of damaged records
        self._node, self._choices = node, choices
        self._syncs = choices.stream(f"{node} sync")

    def sync_ns(self) -> int:
        """How long a sync that begins now takes."""
        if not self.slow_ms:
            extra_us = self._syncs.fraction(SYNC_SPREAD_US)
        else:
            mean_us = sum(self.slow_ms.values()) * 1000
            extra_us = self._syncs.take(lambda random: int(random.expovariate(1 / mean_us)))
        return (SYNC_LEAST_US + extra_us) * 1000

    def probe_ns(self) -> int:
        """How long a sync takes on average; asking decides nothing about the node's own."""
        return round((SYNC_LEAST_US + sum(self.slow_ms.values()) * 1000) * 1000)

    def write(self, record: Any) -> None:
        """Durable on return. Raises DiskFull."""
        if self.full:
            raise DiskFull
        self._records.append(_encode(record))

    def replace(self, records: Sequence[Any]) -> None:
        """Durable and whole on return. Raises DiskFull."""
        if self.full:
            raise DiskFull
        self._records = [_encode(record) for record in records]
        self._bad = set()

    def survivors(self, waiting: int, power: bool, torn: bool) -> int:
        """How many of `waiting` unsynced records a crash keeps: by chance, from the first on. The
        plainest crash keeps them all, and the plainest power failure none."""
        if not waiting:
            return 0
        gone = self._stream("crash").below(waiting + 1)
        kept = gone if power else waiting - gone
        self.lost += waiting - kept
        if torn and kept < waiting:
            self.corrupted += 1  # half of a record, which nobody will ever read
        return kept

    def corrupt(self, records: int) -> None:
        """Flip bits in so many records, if there are any; never in the last, whose damage nobody
        can tell from a torn write: a node that forgets its last word is no longer the one that
        Paxos assumes."""
        for _ in range(min(records, len(self._records) - 1)):
            self._bad.add(self._stream("damage").below(len(self._records) - 1))
            self.corrupted += 1

    def _stream(self, kind: str) -> Stream:
        """Made where it is first drawn from, which in most runs is nowhere."""
        return self._choices.stream(f"{self._node} {kind}")

    def read(self) -> list[Any]:
        """What a new life finds. Raises Damaged."""
        if self._bad:
            raise Damaged(f"record {min(self._bad)} of {len(self._records)} is damaged")
        return [msgspec.msgpack.decode(record) for record in self._records]
