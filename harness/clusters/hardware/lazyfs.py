"""A file system whose files are on the disk only once they are synced.

It keeps two trees: `seen`, which programs read and write, and `stored`, which is on the disk. A
power failure leaves `stored`; mounting makes `seen` anew from it.

Rules
1. What a file holds is stored by fsync, fdatasync, and writes to a file opened with O_SYNC or
   O_DSYNC, for everything written to that file before, through whatever descriptor or name.
2. What a directory holds, and sizes, modes and owners, are stored at once, in order: creating,
   renaming, linking, removing, truncating, preallocating. So a new file that was renamed over an
   old one and never synced is there after a power failure, empty: ext4 without its remedy for that.
   What this misses: a program that does not sync the directory in which it created a file loses
   nothing here.
3. A sync that fails dooms what it was to store (see unsynced). A read that the kernel's page cache
   answers does not come here, and never fails.
4. A full disk takes no byte, new or in the place of an old one, as where nothing is overwritten in
   place (btrfs, ZFS): on others, preallocated space could still be written.
5. After the power failed nothing is stored any more: every call is an input/output error.
6. Two names of one file share its bytes, but not the kernel's cache of them: who reads by one what
   is written by the other at the same time may read old bytes. Shared writable mappings are written
   when the kernel writes them back, msync at the latest. Locks are the kernel's. No extended
   attributes, no holes punched, no exchange by rename.

Sources: libfuse's high-level interface, of which mfusepy is the binding; fsync(2), open(2).
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import mfusepy

from harness.clusters.hardware.unsynced import File, tear

KEEP_SIZE = 1  # of fallocate(2)
MS_PER_S = 1000
_SYNCED = os.O_DSYNC  # O_SYNC contains it
_STAT = ("st_mode", "st_ino", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks", "st_rdev")


class LazyDisk(mfusepy.Operations):  # type: ignore[misc]
    """The calls of the kernel. Thread-safe; sleeps outside of its lock."""

    use_ns = True

    def __init__(self, seen: Path, stored: Path, random: Random, hidden: str = "") -> None:
        """`hidden`: a name that no listing shows."""
        self.sync_ms = 0.0  # the mean of an exponential distribution
        self.probability = 0.0  # that a read, a write or a sync fails
        self.full = False
        self.lost = self.torn = self.failed = self.syncs = 0
        self._seen, self._stored = str(seen), str(stored)
        self._random, self._hidden = random, hidden
        self._lock = threading.RLock()
        self._dark = threading.Event()  # the power failed
        self._turn = 0
        self._files: dict[int, File] = {}  # by inode of what is seen
        self._handles: dict[int, tuple[File, int]] = {}  # with the inode
        self._synchronous: set[int] = set()  # handles
        self._next = 1

    # --- orders ---

    def lose(self, *, torn: bool) -> int:
        """The power fails now: nothing is stored from now on. How many writes are lost."""
        with self._lock:
            self._dark.set()
            files = list(self._files.values())
            gone = sum(len(f.unsynced) + len(f.doomed) for f in files)
            waiting = [(f.unsynced[0], f) for f in files if f.unsynced]
            if torn and waiting:
                first, file = min(waiting, key=lambda pair: pair[0].turn)
                self.torn += tear(file.seen, file.stored, first, self._random.randrange)
            self.lost += gone
            return gone

    def flush_all(self) -> None:
        """Store everything, as an orderly unmount does; doomed ranges stay lost."""
        with self._lock:
            if self._dark.is_set():
                return
            for file in sorted(self._files.values(), key=_last_turn):
                file.sync(self._turn)

    # --- directories ---

    def getattr(self, path: str | None, fh: int | None = None) -> dict[str, Any]:
        self._powered()
        found = os.fstat(self._handles[fh][0].seen) if fh else os.lstat(self._seen + _known(path))
        attributes: dict[str, Any] = {name: getattr(found, name) for name in _STAT}
        attributes["st_atime"] = found.st_atime_ns
        attributes["st_mtime"] = found.st_mtime_ns
        attributes["st_ctime"] = found.st_ctime_ns
        return attributes

    def readdir(self, path: str, _fh: int) -> list[tuple[str, dict[str, int], int]]:
        self._powered()
        with os.scandir(self._seen + path) as entries:
            names = {entry.name: entry.stat(follow_symlinks=False) for entry in entries}
        names.pop(self._hidden, None)
        here = os.lstat(self._seen + path)
        everything = {".": here, "..": here, **names}
        return [
            (name, {"st_mode": found.st_mode, "st_ino": found.st_ino}, 0)
            for name, found in everything.items()
        ]

    def readlink(self, path: str) -> str:
        self._powered()
        return str(Path(self._seen + path).readlink())

    def mkdir(self, path: str, mode: int) -> None:
        seen, stored = self._both(path)
        with self._growing():
            seen.mkdir(mode)
            stored.mkdir(mode | stat.S_IRWXU)

    def symlink(self, target: str, source: str) -> None:
        with self._growing():
            for each in self._both(target):
                each.symlink_to(source)

    def link(self, target: str, source: str) -> None:
        with self._growing():
            for old, new in zip(self._both(source), self._both(target), strict=True):
                os.link(old, new, follow_symlinks=False)

    def rmdir(self, path: str) -> None:
        with self._changing():
            for each in self._both(path):
                each.rmdir()

    def unlink(self, path: str) -> None:
        with self._changing():
            ino = _inode(self._seen + path)
            for each in self._both(path):
                each.unlink()
            self._forget_if_idle(ino)

    def rename(self, old: str, new: str) -> None:
        with self._changing():
            replaced = _inode(self._seen + new)
            for before, after in zip(self._both(old), self._both(new), strict=True):
                before.rename(after)
            self._forget_if_idle(replaced)

    def chmod(self, path: str, mode: int) -> None:
        seen, stored = self._both(path)
        with self._changing():
            seen.chmod(mode)
            stored.chmod(mode | stat.S_IRUSR | stat.S_IWUSR)

    def chown(self, path: str, uid: int, gid: int) -> None:
        with self._changing():
            for each in self._both(path):
                os.chown(each, uid, gid, follow_symlinks=False)

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> None:
        with self._changing():
            for each in self._both(path):
                os.utime(each, ns=times, follow_symlinks=False)  # type: ignore[arg-type]

    def statfs(self, path: str) -> dict[str, int]:
        self._powered()
        found = os.statvfs(self._stored + path)
        names = ("bsize", "frsize", "blocks", "bfree", "bavail", "files", "ffree", "namemax")
        numbers = {f"f_{name}": int(getattr(found, f"f_{name}")) for name in names}
        return numbers | ({"f_bfree": 0, "f_bavail": 0} if self.full else {})

    # --- files ---

    def create(self, path: str, mode: int, flags: int = os.O_RDWR) -> int:
        with self._growing():
            beginning = flags & (os.O_EXCL | os.O_TRUNC) | os.O_CREAT | os.O_RDWR
            seen = os.open(self._seen + path, beginning, mode)
            stored = os.open(self._stored + path, beginning, mode | stat.S_IRUSR | stat.S_IWUSR)
            return self._handle(seen, stored, flags)

    def open(self, path: str, flags: int) -> int:
        with self._changing():
            # Both for reading and writing, whatever was asked for: a sync reads one and writes the
            # other. What the caller may do the kernel watches; where to append it knows, too.
            seen = os.open(self._seen + path, os.O_RDWR)
            stored = os.open(self._stored + path, os.O_RDWR)
            handle = self._handle(seen, stored, flags)
            if flags & os.O_TRUNC:
                self._resize(self._handles[handle][0], 0)
            return handle

    def release(self, _path: str | None, fh: int) -> None:
        with self._lock:
            file, ino = self._handles.pop(fh)
            self._synchronous.discard(fh)
            file.handles -= 1
            self._forget_if_idle(ino)

    def read(self, _path: str | None, size: int, offset: int, fh: int) -> bytes:
        self._must_work()
        return os.pread(self._handles[fh][0].seen, size, offset)

    def write(self, _path: str | None, data: bytes, offset: int, fh: int) -> int:
        self._must_work()
        with self._growing():
            file = self._handles[fh][0]
            written = os.pwrite(file.seen, data, offset)
            self._turn += 1
            file.wrote(self._turn, offset, written)
        if fh in self._synchronous:
            self._sync(file)
        return written

    def truncate(self, path: str | None, length: int, fh: int | None = None) -> None:
        own = None if fh else self.open(_known(path), os.O_RDWR)
        try:
            with self._changing():
                file = self._handles[fh or own or 0][0]
                if length > os.fstat(file.seen).st_size:
                    self._roomy()
                self._resize(file, length)
        finally:
            if own is not None:
                self.release(path, own)

    def fallocate(self, _path: str | None, mode: int, offset: int, size: int, fh: int) -> None:
        if mode & ~KEEP_SIZE:
            raise OSError(errno.EOPNOTSUPP, "only plain preallocation")
        with self._growing():
            file = self._handles[fh][0]
            for each in (file.seen, file.stored):
                if not mode and offset + size > os.fstat(each).st_size:
                    os.ftruncate(each, offset + size)

    def fsync(self, _path: str | None, _datasync: int, fh: int) -> None:
        self._sync(self._handles[fh][0])

    def fsyncdir(self, _path: str | None, _datasync: int, _fh: int) -> None:
        """It is stored already (rule 2), but a sync takes its time, and may fail."""
        self._wait()
        self._must_work()

    # --- what they share ---

    def _sync(self, file: File) -> None:
        with self._lock:
            until = self._turn  # what is written from now on this sync does not promise
        self._wait()
        with self._changing():
            self.syncs += 1
            try:
                self._must_work()
            except OSError:
                file.fail(until)
                raise
            file.sync(until)

    def _resize(self, file: File, length: int) -> None:
        os.ftruncate(file.seen, length)
        os.ftruncate(file.stored, length)
        file.cut(length)

    def _handle(self, seen: int, stored: int, flags: int) -> int:
        ino = os.fstat(seen).st_ino
        file = self._files.get(ino)
        if file is None:
            file = self._files[ino] = File(seen, stored)
        else:
            os.close(seen)
            os.close(stored)
        file.handles += 1
        handle, self._next = self._next, self._next + 1
        self._handles[handle] = file, ino
        if flags & _SYNCED:
            self._synchronous.add(handle)
        return handle

    def _forget_if_idle(self, ino: int | None) -> None:
        """A file that nobody has open is remembered as long as it has a name and something to lose;
        inode numbers are used again."""
        file = None if ino is None else self._files.get(ino)
        if ino is None or file is None or file.handles:
            return
        if os.fstat(file.seen).st_nlink == 0 or not (file.unsynced or file.doomed):
            del self._files[ino]
            file.close()

    def _both(self, path: str) -> tuple[Path, Path]:
        return Path(self._seen + path), Path(self._stored + path)

    def _wait(self) -> None:
        if self.sync_ms > 0:
            with self._lock:
                delay_ms = self._random.expovariate(1 / self.sync_ms)
            self._dark.wait(delay_ms / MS_PER_S)

    def _changing(self) -> _Turn:
        return _Turn(self._lock, self._powered)

    def _growing(self) -> _Turn:
        return _Turn(self._lock, self._powered, self._roomy)

    def _powered(self) -> None:
        if self._dark.is_set():
            raise OSError(errno.EIO, "no power")

    def _roomy(self) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "full")

    def _must_work(self) -> None:
        if not self.probability:
            return
        with self._lock:
            if self._random.random() < self.probability:
                self.failed += 1
                raise OSError(errno.EIO, "failing")


class _Turn:
    """The lock, if all conditions hold once it is ours."""

    def __init__(self, lock: Any, *conditions: Callable[[], None]) -> None:
        self._lock = lock
        self._conditions = conditions

    def __enter__(self) -> None:
        self._lock.acquire()
        try:
            for condition in self._conditions:
                condition()
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _known(path: str | None) -> str:
    """The path of a file that has none left is None."""
    if path is None:
        raise OSError(errno.ENOENT, "removed")
    return path


def _inode(path: str) -> int | None:
    try:
        return os.lstat(path).st_ino
    except FileNotFoundError:
        return None


def _last_turn(file: File) -> int:
    return file.unsynced[-1].turn if file.unsynced else 0
