"""The disk of a simulated node: a log of records, of which a crash keeps what was synced.

Rules
1. A record is on the disk once the sync that covers it is over. One that dies with its node while
   a sync is under way is kept or lost by chance, and with it all that follow: a log is written from
   its beginning to its end. A power failure may also tear the last one: half of it is there, its
   checksum is wrong, and a reader cuts it off.
2. A sync takes its time, and covers everything that waited when it began.
3. A full disk takes nothing more, and a node that was refused cannot go on. What was synced stays.
4. Damage is noticed: records have checksums, and a bad one with good ones behind it was no torn
   write. The log is refused, and its node is lost. A missing end is not: what is left of a record
   there looks like a torn write, and is cut off.
5. A failing disk fails by chance, each sync for itself, and each reading of the log. A node that
   was refused cannot go on.

Sources: the reference's log (its storage module) has rules 1 and 4; the faults are those of
nemesis.faults.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from harness.simulation.choices import Choices, Stream

_encode = msgspec.msgpack.Encoder().encode

SYNC_LEAST_US = 50
SYNC_SPREAD_US = 450
CHANCES = 1_000  # in how many parts a probability is cut


class DiskFull(Exception):
    """No room: the node that wrote cannot go on. The message says so."""


class DiskFailed(Exception):
    """An input/output error: the node that met it cannot go on. The message says so."""


class Damaged(Exception):
    """The log has a bad record before good ones. The message says where."""


class Disk:
    """One node's, through all its lives."""

    def __init__(self, node: str, choices: Choices) -> None:
        self.full = False
        self.slow_ms: dict[int, float] = {}  # the mean of each fault in force, by its id
        self.failing: dict[int, float] = {}  # the probability of each fault in force, by its id
        self.lost = self.corrupted = self.truncated = 0
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
            raise DiskFull("its disk is full")
        self._records.append(_encode(record))

    def replace(self, records: Sequence[Any]) -> None:
        """Durable and whole on return. Raises DiskFull."""
        if self.full:
            raise DiskFull("its disk is full")
        self._records = [_encode(record) for record in records]
        self._bad = set()

    def must_work(self) -> None:
        """Raises DiskFailed where this operation fails; the plainest one does not."""
        if not self.failing:
            return
        works = math.prod(1 - probability for probability in self.failing.values())
        if self._stream("errors").below(CHANCES) >= round(works * CHANCES):
            raise DiskFailed("its disk failed")

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

    def truncate(self, size: int) -> None:
        """Cut so many bytes off the end of the log, with every record that loses one."""
        cut = min(size, sum(map(len, self._records)))
        self.truncated += cut
        while cut > 0:
            cut -= len(self._records.pop())
        self._bad = {position for position in self._bad if position < len(self._records)}

    def _stream(self, kind: str) -> Stream:
        """Made where it is first drawn from, which in most runs is nowhere."""
        return self._choices.stream(f"{self._node} {kind}")

    def read(self) -> list[Any]:
        """What a new life finds. Raises Damaged and DiskFailed."""
        self.must_work()
        if self._bad:
            where = f"record {min(self._bad)} of {len(self._records)}"
            raise Damaged(f"its log is damaged: {where} is damaged")
        return [msgspec.msgpack.decode(record) for record in self._records]
