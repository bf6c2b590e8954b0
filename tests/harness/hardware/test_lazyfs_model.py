"""What a lazy disk keeps, against a slow obvious model of it: no mount, the calls themselves."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

try:
    from harness.clusters.hardware.lazyfs import LazyDisk
    from harness.clusters.hardware.lazyfs_process import renew
except OSError as missing:  # the binding looks for the library when it is imported
    if os.environ.get("CI") == "true":
        raise
    pytest.skip(f"libfuse is missing: {missing}", allow_module_level=True)

NAMES = ("a", "b", "c")


@dataclass
class Inode:
    """A file as programs see it, as it is stored, and where the two may differ."""

    seen: bytearray = field(default_factory=bytearray)
    stored: bytearray = field(default_factory=bytearray)
    dirty: set[int] = field(default_factory=set)

    def write(self, offset: int, data: bytes) -> None:
        self.seen.extend(bytes(max(0, offset - len(self.seen))))
        self.seen[offset : offset + len(data)] = data
        self.dirty |= set(range(offset, offset + len(data)))

    def sync(self) -> None:
        for place in self.dirty:
            self.stored.extend(bytes(max(0, place + 1 - len(self.stored))))
            self.stored[place] = self.seen[place]
        self.dirty.clear()

    def resize(self, size: int) -> None:
        for content in (self.seen, self.stored):
            del content[size:]
            content.extend(bytes(size - len(content)))
        self.dirty = {place for place in self.dirty if place < size}


names = st.sampled_from(NAMES)
places = st.integers(0, 1500)
steps = st.one_of(
    st.tuples(st.just("write"), names, places, st.binary(min_size=1, max_size=700)),
    st.tuples(st.just("fsync"), names),
    st.tuples(st.just("truncate"), names, places),
    st.tuples(st.just("fallocate"), names, places),
    st.tuples(st.just("rename"), names, names),
    st.tuples(st.just("link"), names, names),
    st.tuples(st.just("unlink"), names),
    st.tuples(st.just("close"), names),
)


class Pair:
    """The disk and its model, told the same."""

    def __init__(self, folder: Path) -> None:
        self.seen, self.stored = folder / "seen", folder / "stored"
        self.seen.mkdir()
        self.stored.mkdir()
        self.disk = LazyDisk(self.seen, self.stored, Random(1))
        self.model: dict[str, Inode] = {}
        self.open: dict[str, tuple[int, Inode]] = {}

    def handle(self, name: str) -> tuple[int, Inode]:
        if name not in self.open or self.open[name][1] is not self.model.get(name):
            self.close(name)
            if name in self.model:
                handle = self.disk.open(f"/{name}", os.O_RDWR)
            else:
                handle = self.disk.create(f"/{name}", 0o644, os.O_CREAT | os.O_RDWR)
                self.model[name] = Inode()
            self.open[name] = handle, self.model[name]
        return self.open[name]

    def close(self, name: str) -> None:
        if name in self.open:
            self.disk.release(f"/{name}", self.open.pop(name)[0])

    def take(self, what: str, name: str, *rest: object) -> None:
        match what, rest:
            case "close", ():
                self.close(name)
            case "unlink", ():
                if self.model.pop(name, None):
                    self.disk.unlink(f"/{name}")
            case "rename", (str(new),):
                if name in self.model and self.model[name] is not self.model.get(new):
                    self.disk.rename(f"/{name}", f"/{new}")
                    self.model[new] = self.model.pop(name)
            case "link", (str(new),):
                if name in self.model and new not in self.model:
                    self.disk.link(f"/{new}", f"/{name}")
                    self.model[new] = self.model[name]
            case _:
                self.change(what, name, rest)

    def change(self, what: str, name: str, rest: tuple[object, ...]) -> None:
        handle, inode = self.handle(name)
        match what, rest:
            case "write", (int(offset), bytes(data)):
                assert len(data) == self.disk.write(f"/{name}", data, offset, handle)
                inode.write(offset, data)
            case "fsync", ():
                self.disk.fsync(f"/{name}", 0, handle)
                inode.sync()
            case "truncate", (int(size),):
                self.disk.truncate(f"/{name}", size, handle)
                inode.resize(size)
            case "fallocate", (int(size),):
                self.disk.fallocate(f"/{name}", 0, 0, size + 1, handle)
                for content in (inode.seen, inode.stored):
                    content.extend(bytes(max(0, size + 1 - len(content))))

    def finish(self) -> None:
        for name in list(self.open):
            self.close(name)


def tree(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@settings(deadline=None, max_examples=150)
@given(taken=st.lists(steps, max_size=25), orderly=st.booleans())
def test_what_is_seen_and_what_a_power_failure_leaves(
    tmp_path_factory: pytest.TempPathFactory, taken: list[tuple[str, ...]], *, orderly: bool
) -> None:
    """After any calls, programs see what a plain file system would show; a power failure leaves
    what was synced, under the names of that moment; an orderly unmount leaves all."""
    pair = Pair(tmp_path_factory.mktemp("disk"))
    for step in taken:
        pair.take(*step)
    assert tree(pair.seen) == {name: bytes(inode.seen) for name, inode in pair.model.items()}
    if orderly:
        pair.disk.flush_all()
        expected = {name: bytes(inode.seen) for name, inode in pair.model.items()}
    else:
        pair.disk.lose(torn=False)
        expected = {name: bytes(inode.stored) for name, inode in pair.model.items()}
    pair.finish()
    renew(pair.seen, pair.stored)
    assert tree(pair.seen) == tree(pair.stored) == expected


def test_the_first_lost_write_may_leave_whole_sectors(tmp_path: Path) -> None:
    """Any number of them, from its beginning; nothing of the writes behind it."""
    left = set()
    for seed in range(40):
        folder = tmp_path / str(seed)
        folder.mkdir()
        pair = Pair(folder)
        pair.disk = LazyDisk(pair.seen, pair.stored, Random(seed))
        pair.take("write", "a", 0, b"s" * 100)
        pair.take("fsync", "a")
        pair.take("write", "a", 100, b"x" * 1500)
        pair.take("write", "b", 0, b"y" * 1500)
        pair.disk.lose(torn=True)
        found = tree(pair.stored)
        assert found["b"] == b""
        assert found["a"] == b"s" * 100 + b"x" * (len(found["a"]) - 100)
        left.add(len(found["a"]))
        assert pair.disk.torn == len(found["a"]) - 100
        pair.finish()
    assert left == {100, 512, 1024, 1536}


def test_a_failed_sync_dooms_what_it_was_to_store(tmp_path: Path) -> None:
    """The next sync succeeds and stores only what was written since; readers see all of it."""
    pair = Pair(tmp_path)
    handle, _ = pair.handle("a")
    pair.disk.write("/a", b"old!", 0, handle)
    pair.disk.probability = 1.0
    with pytest.raises(OSError, match="failing") as failed:
        pair.disk.fsync("/a", 0, handle)
    assert failed.value.errno == errno.EIO
    pair.disk.probability = 0.0
    pair.disk.write("/a", b"new!", 4, handle)
    pair.disk.fsync("/a", 0, handle)
    assert pair.disk.read("/a", 9, 0, handle) == b"old!new!"
    assert pair.disk.lose(torn=True) == 1
    assert tree(pair.stored)["a"] == b"\0\0\0\0new!"
    pair.finish()


def test_a_full_disk_takes_no_byte_and_no_name_but_gives_some_back(tmp_path: Path) -> None:
    """Writes and whatever needs room fail; what was written can be synced, cut and removed."""
    pair = Pair(tmp_path)
    handle, _ = pair.handle("a")
    pair.disk.write("/a", b"before", 0, handle)
    pair.disk.full = True
    for refused in (
        lambda: pair.disk.write("/a", b"x", 0, handle),
        lambda: pair.disk.create("/b", 0o644),
        lambda: pair.disk.mkdir("/d", 0o755),
        lambda: pair.disk.truncate("/a", 100, handle),
        lambda: pair.disk.fallocate("/a", 0, 0, 100, handle),
    ):
        with pytest.raises(OSError, match="full") as failed:
            refused()
        assert failed.value.errno == errno.ENOSPC
    pair.disk.truncate("/a", 3, handle)
    pair.disk.fsync("/a", 0, handle)
    assert tree(pair.stored) == {"a": b"bef"}
    assert pair.disk.statfs("/")["f_bavail"] == 0
    pair.disk.unlink("/a")
    pair.finish()


def test_a_synchronous_write_is_stored_at_once(tmp_path: Path) -> None:
    """With O_DSYNC, and all that was written to the file before."""
    pair = Pair(tmp_path)
    pair.take("write", "a", 0, b"before")
    handle = pair.disk.open("/a", os.O_WRONLY | os.O_DSYNC)
    pair.disk.write("/a", b"sync", 6, handle)
    assert tree(pair.stored) == {"a": b"beforesync"}
    pair.disk.release("/a", handle)
    pair.finish()


def test_without_power_nothing_goes_on(tmp_path: Path) -> None:
    """A sync that had begun stores nothing either: the promise was not given."""
    pair = Pair(tmp_path)
    pair.take("write", "a", 0, b"lost")
    pair.disk.lose(torn=False)
    handle = pair.open["a"][0]
    for call in (lambda: pair.disk.fsync("/a", 0, handle), lambda: pair.disk.unlink("/a")):
        with pytest.raises(OSError, match="no power"):
            call()
    pair.disk.flush_all()
    assert tree(pair.stored) == {"a": b""}
    pair.finish()
