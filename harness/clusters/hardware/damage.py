"""Damage to the files of a node that does not run: flipped bits, missing ends.

Rules
1. Files are opaque: a record is a page of PAGE bytes that holds anything but zeros. Preallocated
   space is nobody's record.
2. Each file has the same chance to be struck, and in it each byte of its records: by bytes alone, a
   large table would take all the damage and its small log none.
3. The end of what a file holds is spared by flips: a page of it, or half of a small file. Whatever
   is appended to keeps its last record there, and damage to that is like a torn write. Files that
   are written in place have no such end: what was written last may be anywhere in them.
4. A cut takes the end of the file that was written last, counted from its last byte that is not
   zero: to cut off preallocated zeros would change nothing.

Source: nemesis.faults says what CorruptDisk and TruncateDisk mean.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from random import Random

PAGE = 4096
BITS = 8


def flip(root: Path, records: int, random: Random) -> int:
    """Flip a bit in so many records of the files under `root`, if there are so many; how many."""
    pages = {file: found for file in files(root) if (found := list(_pages(file)))}
    for count in range(records):
        if not pages:
            return count
        file = random.choice(sorted(pages))
        start, stop = pages[file].pop(random.randrange(len(pages[file])))
        if not pages[file]:
            del pages[file]
        _flip_at(file, random.randrange(start, stop), random.randrange(BITS))
    return records


def cut(root: Path, size: int) -> int:
    """Cut `size` bytes off the file under `root` that was written last; how many there were."""
    written = [
        (file.stat().st_mtime_ns, str(file), end) for file in files(root) if (end := _end(file))
    ]
    if not written:
        return 0
    _, file, end = max(written)
    os.truncate(file, max(0, end - size))
    return min(size, end)


def files(root: Path) -> list[Path]:
    """The regular files under `root`, each once, whatever its names."""
    found: dict[int, Path] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            found.setdefault(status.st_ino, path)
    return list(found.values())


def _pages(file: Path) -> Iterator[tuple[int, int]]:
    """The records of a file, without the end that is spared (rule 3)."""
    end = _end(file)
    spared = end - min(PAGE, (end + 1) // 2)
    for start, data in _chunks(file):
        stop = min(start + len(data), spared)
        if stop > start and any(data):
            yield start, stop


def _end(file: Path) -> int:
    """Where the zeros begin that a file ends with."""
    end = 0
    for start, data in _chunks(file):
        held = data.rstrip(b"\0")
        if held:
            end = start + len(held)
    return end


def _chunks(file: Path) -> Iterator[tuple[int, bytes]]:
    """The pages of a file that are no holes."""
    with file.open("rb") as reading:
        size, at = os.fstat(reading.fileno()).st_size, 0
        while at < size:
            try:
                start = os.lseek(reading.fileno(), at, os.SEEK_DATA)
            except OSError:
                return  # the rest is a hole
            at = os.lseek(reading.fileno(), start, os.SEEK_HOLE)
            for page in range(start - start % PAGE, at, PAGE):
                yield page, os.pread(reading.fileno(), PAGE, page)


def _flip_at(file: Path, offset: int, bit: int) -> None:
    descriptor = os.open(file, os.O_RDWR)
    try:
        (byte,) = os.pread(descriptor, 1, offset)
        os.pwrite(descriptor, bytes([byte ^ 1 << bit]), offset)
    finally:
        os.close(descriptor)
