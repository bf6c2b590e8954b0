"""What files have been written and not synced: byte ranges in the order of their writes.

Rules
1. A range is unsynced from its write until a sync that began after it succeeds. One whose sync
   failed is doomed: readers still see it, no later sync stores it, only a new write of it does.
   (Linux calls its pages clean; a program that syncs again and goes on has lost them.)
2. A file that is cut off loses the ranges behind the cut, stored or not.
3. Disks write sectors whole: of a write that is torn, whole sectors from its beginning are left.

Sources: fsync(2); Rebello et al. 2020 ("Can Applications Recover from fsync Failures?") for rule 1;
Pillai et al. 2014 (ALICE) for what a power failure leaves.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

SECTOR = 512


@dataclass(frozen=True, slots=True)
class Range:
    """One write; `turn` orders the writes of a whole disk."""

    turn: int
    start: int
    stop: int


@dataclass(slots=True)
class File:
    """A file that is open or has unsynced ranges. `seen` and `stored` are descriptors of what
    programs see and of what is on the disk."""

    seen: int
    stored: int
    handles: int = 0
    unsynced: list[Range] = field(default_factory=list)
    doomed: list[Range] = field(default_factory=list)

    def wrote(self, turn: int, start: int, size: int) -> None:
        if size:
            self.unsynced.append(Range(turn, start, start + size))

    def sync(self, until: int) -> int:
        """Store what was written up to that turn; how many writes that were."""
        due = [r for r in self.unsynced if r.turn <= until]
        for each in _merged(due):
            copy(self.seen, self.stored, *each)
        self.unsynced = [r for r in self.unsynced if r.turn > until]
        return len(due)

    def fail(self, until: int) -> None:
        """The sync of what was written up to that turn failed (rule 1)."""
        self.doomed += [r for r in self.unsynced if r.turn <= until]
        self.unsynced = [r for r in self.unsynced if r.turn > until]

    def cut(self, size: int) -> None:
        """Rule 2."""
        self.unsynced = list(_clipped(self.unsynced, size))
        self.doomed = list(_clipped(self.doomed, size))

    def close(self) -> None:
        os.close(self.seen)
        os.close(self.stored)


def tear(seen: int, stored: int, lost: Range, below: Callable[[int], int]) -> int:
    """Store a part of a write that is lost (rule 3): how many bytes. `below(n)` draws 0 to n-1."""
    first = (lost.start // SECTOR + 1) * SECTOR
    ends: list[int] = [lost.start, *range(first, lost.stop, SECTOR)]
    end: int = ends[below(len(ends))]
    copy(seen, stored, lost.start, end)
    return end - lost.start


def copy(source: int, target: int, start: int, stop: int) -> None:
    """The bytes of one file to the same place in another; what lies beyond its end is left out."""
    while start < stop:
        data = os.pread(source, min(stop - start, 1 << 20), start)
        if not data:
            return
        start += os.pwrite(target, data, start)


def _merged(ranges: list[Range]) -> list[tuple[int, int]]:
    """The same bytes in fewer pieces. Their order does not matter: all of them are stored."""
    merged: list[tuple[int, int]] = []
    for each in sorted(ranges, key=lambda r: r.start):
        if merged and each.start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], each.stop))
        else:
            merged.append((each.start, each.stop))
    return merged


def _clipped(ranges: list[Range], size: int) -> Iterator[Range]:
    for each in ranges:
        if each.start < size:
            yield Range(each.turn, each.start, min(each.stop, size))
