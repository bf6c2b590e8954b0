"""The node's permanent storage: a write-ahead log that one process writes.

Rules
1. A frame holds everything persisted by one `sync`. The next frame is written only after the one
   before it is durable; so a bad frame with a good one behind it was never a torn write: it is
   damage to something that was already answered for, and the log is refused.
2. A bad frame with nothing good behind it is a write that a crash cut short. Nobody was told of it:
   it is cut off, with a notice. A damaged last frame cannot be told from it, and is cut too.
3. A frame's checksum covers its offset in the file, so bytes of a frame that sit inside a record,
   or in the wrong place, are never taken for a frame.
4. A log is created and replaced by a new file and a rename; the directory is synced after both.
   After a failed write or sync the log does nothing more: a second fsync that succeeds proves
   nothing about the pages that the first one lost.
5. One process owns the directory, by an advisory lock that dies with it.

File: magic (7 bytes), version (1 byte), then frames: length (4, big-endian), crc32 (4) of offset,
length and payload, payload (a MessagePack array of records).

Sources: Lamport 2001, section 2.5 (what must be stable before an acceptor answers); Rebello et al.
2020, "Can applications recover from fsync failures?"; Alagappan et al. 2018, "Protocol-aware
recovery", on telling a torn write from damage.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

MAGIC = b"APXWAL\n"
VERSION = 1
HEADER = MAGIC + bytes([VERSION])
LOG_NAME, LOCK_NAME = "wal", "lock"

_FRAME = struct.Struct(">II")  # length, crc32
_SALT = struct.Struct(">QI")  # offset, length
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Any]).decode


class StorageError(Exception):
    """The data directory cannot be used, or no longer. The node must stop without answering.

    The message is a sentence: the file, what was found, what to do.
    """


class Log:
    """The log of one data directory. Raises StorageError from every method but `close`.

    `recovered`: the records of earlier lives, in order. `notice`: a sentence if a torn tail was
    cut, else None.
    """

    def __init__(self, directory: Path) -> None:
        """Lock the directory, created if missing, and recover what it holds."""
        self._directory = directory
        self._path = directory / LOG_NAME
        self._pending: list[Any] = []
        self._broken: str | None = None
        self._file = -1
        try:
            if not directory.is_dir():
                directory.mkdir(parents=True)
                _sync_directory(directory.parent)
        except OSError as trouble:
            raise StorageError(_sentence(directory, "create", trouble)) from trouble
        self._lock = _lock(directory)
        try:
            self.recovered, self.notice = self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> tuple[list[Any], str | None]:
        try:
            self._fresh_path.unlink(missing_ok=True)  # a replacement that a crash interrupted
            if not self._path.exists():
                self._write_anew(HEADER)
                return [], None
            self._file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
            content = self._path.read_bytes()
            records, end = recover(content, self._path)
            notice = None
            if end < len(content):
                os.ftruncate(self._file, end)
                notice = (
                    f"{self._path}: cut {len(content) - end} bytes at offset {end}: a write that "
                    "a crash cut short, never answered for"
                )
            # A whole last frame may have been written and never synced: without this sync a node
            # would answer from it, lose power, and forget what it answered from.
            _sync(self._file)
            self._end = os.lseek(self._file, end, os.SEEK_SET)
        except OSError as trouble:
            raise StorageError(_sentence(self._path, "open", trouble)) from trouble
        return records, notice

    def append(self, records: Sequence[Any]) -> None:
        """Take records for the next `sync`; nothing is written yet."""
        self._pending.extend(records)

    def sync(self) -> None:
        """Make every record taken so far durable. Free if there is none."""
        self._refuse_if_broken()
        if not self._pending:
            return
        frame = _frame(self._pending, self._end)
        try:
            _write(self._file, frame)
            _sync(self._file)
        except OSError as trouble:
            raise self._break("write", trouble) from trouble
        self._end += len(frame)
        self._pending.clear()

    def replace(self, records: Sequence[Any]) -> None:
        """Put `records` in place of the whole log, records not yet synced included: after a crash
        there is the old log or the new one, never a mixture. Durable on return."""
        self._refuse_if_broken()
        content = HEADER + _frame(records, len(HEADER)) if records else HEADER
        self._pending.clear()
        try:
            self._write_anew(content)
        except OSError as trouble:
            raise self._break("replace", trouble) from trouble

    def close(self) -> None:
        """Release file and lock; records not synced are dropped. Idempotent."""
        self._broken = self._broken or f"{self._path} is closed"
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    @property
    def _fresh_path(self) -> Path:
        return self._directory / f"{LOG_NAME}.new"

    def _write_anew(self, content: bytes) -> None:
        fresh = os.open(self._fresh_path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            _write(fresh, content)
            _sync(fresh)
            self._fresh_path.replace(self._path)
            _sync_directory(self._directory)
        except BaseException:
            os.close(fresh)
            raise
        if self._file >= 0:
            os.close(self._file)
        self._file, self._end = fresh, len(content)

    def _refuse_if_broken(self) -> None:
        if self._broken is not None:
            raise StorageError(self._broken)

    def _break(self, verb: str, trouble: OSError) -> StorageError:
        self._broken = _sentence(self._path, verb, trouble)
        return StorageError(self._broken)


def recover(content: bytes, path: Path) -> tuple[list[Any], int]:
    """The records in `content`, and the offset where the good part ends. Raises StorageError on
    damage that no crash explains; `path` is for its message."""
    if content[: len(HEADER)] != HEADER:
        raise StorageError(_bad_header(content, path))
    records: list[Any] = []
    at = len(HEADER)
    while at < len(content):
        end = _frame_end(content, at)
        if end is None:
            good = _next_good_frame(content, at + 1)
            if good is None:
                return records, at
            raise StorageError(
                f"{path} is damaged at offset {at}: the record there is bad, but a good one "
                f"follows at offset {good}, so this is no torn write. A node that starts without "
                "it may break promises it made. Restore the file from a copy, or give the node an "
                "empty data directory under a new name."
            )
        records += _decode(content[at + _FRAME.size : end])
        at = end
    return records, at


def _frame(records: Sequence[Any], offset: int) -> bytes:
    payload = _encode(records)
    length = len(payload)
    return _FRAME.pack(length, zlib.crc32(payload, _salt(offset, length))) + payload


def _salt(offset: int, length: int) -> int:
    return zlib.crc32(_SALT.pack(offset, length))


def _frame_end(content: bytes, at: int) -> int | None:
    """Where the frame at `at` ends, None if there is no good frame."""
    start = at + _FRAME.size
    if start > len(content):
        return None
    length, checksum = _FRAME.unpack_from(content, at)
    end: int = start + length
    # An empty payload is never written: a tail of zeros, which file systems leave, is no frame.
    if length == 0 or end > len(content):
        return None
    payload = memoryview(content)[start:end]
    return end if zlib.crc32(payload, _salt(at, length)) == checksum else None


def _next_good_frame(content: bytes, at: int) -> int | None:
    # The length of the bad frame may be what is bad, so every offset is tried.
    for offset in range(at, len(content) - _FRAME.size):
        if _frame_end(content, offset) is not None:
            return offset
    return None


def _bad_header(content: bytes, path: Path) -> str:
    if content.startswith(MAGIC) and len(content) >= len(HEADER):
        return (
            f"{path} has format version {content[len(MAGIC)]}, this program reads version "
            f"{VERSION}. Start the node with the program that wrote it."
        )
    return (
        f"{path} is damaged at offset 0: it begins with {content[: len(HEADER)]!r}, a log begins "
        f"with {HEADER!r}. Restore the file from a copy, or give the node another data directory."
    )


def _lock(directory: Path) -> int:
    path = directory / LOCK_NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as trouble:
        raise StorageError(_sentence(path, "open", trouble)) from trouble
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError as trouble:
        owner = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise StorageError(
            f"{directory} is in use by process {owner}, and two nodes on one log would both "
            "forget. Stop that process, or give this node another data directory."
        ) from trouble
    except OSError as trouble:
        os.close(descriptor)
        raise StorageError(_sentence(path, "lock", trouble)) from trouble
    return descriptor


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync(descriptor: int) -> None:
    if hasattr(fcntl, "F_FULLFSYNC"):  # macOS: fsync leaves the data in the drive's cache
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    elif hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sentence(path: Path, verb: str, trouble: OSError) -> str:
    if trouble.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"cannot {verb} {path}: the disk is full. Free space and start the node again; what "
            "it has answered for is safe."
        )
    return f"cannot {verb} {path}: {trouble.strerror or trouble}. Make it usable, then start again."
