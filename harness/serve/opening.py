"""Opening what a request names, and nothing else.

Rules
1. A path of a request is a list of names. A name that is no plain one ('..', empty, with a slash, a
   NUL or more than 255 bytes) names nothing.
2. Every step from the store down is opened by itself, relative to the one before, and never through
   a symbolic link: whoever exchanges a folder for a link while we walk gains nothing.
3. Only regular files are read: a pipe or a device would hold the server.
4. Parts of a run are opened in the same way by whoever only looks at it: a link in its folder shows
   nothing of the rest of the disk.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from harness.store.folder import RunFolder

LISTED_MAX = 2_000
NAME_BYTES = 255
DEPTH_MAX = 32
_CHUNK_BYTES = 1 << 16
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class NotHere(LookupError):
    """The request names nothing that may be seen."""


class Entry(msgspec.Struct, frozen=True, order=True):
    """A file below a run's folder: its path from there, its length in bytes."""

    path: str
    size: int


def plain(name: str) -> bool:
    """Is it the name of one thing in a folder?"""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        return False
    try:
        return len(os.fsencode(name)) <= NAME_BYTES
    except UnicodeEncodeError:
        return False


def folder(root: Path, names: Sequence[str]) -> Path:
    """A folder below `root`, reached without a link. Raises NotHere."""
    os.close(_descend(root, names))
    return root.joinpath(*names)


def run_folder(root: Path, label: str, name: str) -> RunFolder:
    """The folder of a run, reached without a link. Raises NotHere."""
    found = RunFolder(folder(root, [label, name]))
    if found.path != root.resolve() / label / name:
        raise NotHere  # exchanged for a link since
    return found


def part(file: Path) -> BinaryIO:
    """A regular file of a run's folder, by its path '<store>/<label>/<run>/<file>', of which the
    last three names may be no links. Raises OSError."""
    label, run = file.parent.parent.name, file.parent.name
    try:
        return _opened(file.parents[2], [label, run, file.name])
    except NotHere:
        raise FileNotFoundError(errno.ENOENT, "it is no regular file", str(file)) from None


def linked_run(root: Path, names: Sequence[str]) -> tuple[str, str]:
    """Where the link `latest` leads, as label and name. Raises NotHere unless to a run."""
    if not all(plain(name) for name in names):
        raise NotHere
    try:
        target = root.joinpath(*names).resolve(strict=True).relative_to(root.resolve())
    except (OSError, ValueError, RuntimeError):
        raise NotHere from None
    if len(target.parts) != 2:
        raise NotHere
    return target.parts[0], target.parts[1]


def content(root: Path, names: Sequence[str]) -> tuple[int, Iterator[bytes]]:
    """The length of a file below `root` and its content up to there. Raises NotHere."""
    opened = _opened(root, names)
    size = os.fstat(opened.fileno()).st_size
    return size, _chunks(opened, size)


def _opened(root: Path, names: Sequence[str]) -> BinaryIO:
    if not names:
        raise NotHere
    parent = _descend(root, names[:-1])
    try:
        if not plain(names[-1]):
            raise NotHere
        file = os.open(names[-1], _FILE, dir_fd=parent)
    except (OSError, ValueError):
        raise NotHere from None
    finally:
        os.close(parent)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise NotHere
    return os.fdopen(file, "rb")


def _chunks(opened: BinaryIO, size: int) -> Iterator[bytes]:
    # A file that grows meanwhile is cut where it ended; one that shrinks ends early.
    with opened:
        while size > 0 and (chunk := opened.read(min(_CHUNK_BYTES, size))):
            size -= len(chunk)
            yield chunk


def listed(top: Path) -> tuple[list[Entry], bool]:
    """The regular files below a folder, sorted; and whether some are left out: too many, too deep,
    or with a name that no address can have."""
    found: list[Entry] = []
    left_out = False
    for walked, (place, folders, files) in enumerate(os.walk(top, followlinks=False)):
        if walked == LISTED_MAX:
            return found, True
        folders.sort()
        for name in sorted(files):
            path = Path(place, name)
            below = path.relative_to(top)
            with contextlib.suppress(OSError):
                status = path.lstat()
                if not stat.S_ISREG(status.st_mode) or name.startswith("."):
                    continue
                if len(found) == LISTED_MAX:
                    return found, True
                if _addressed(below):
                    found.append(Entry(below.as_posix(), status.st_size))
                else:
                    left_out = True
    return found, left_out


def _addressed(path: Path) -> bool:
    try:
        path.as_posix().encode()  # bytes that are no UTF-8 are none of an address
    except UnicodeEncodeError:
        return False
    return len(path.parts) <= DEPTH_MAX - 2


def _descend(root: Path, names: Sequence[str]) -> int:
    """The descriptor of a folder, which the caller closes."""
    if len(names) > DEPTH_MAX or not all(plain(name) for name in names):
        raise NotHere
    try:
        at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        raise NotHere from None
    for name in names:
        try:
            below = os.open(name, _FOLDER, dir_fd=at)
        except (OSError, ValueError):
            raise NotHere from None
        finally:
            os.close(at)
        at = below
    return at
