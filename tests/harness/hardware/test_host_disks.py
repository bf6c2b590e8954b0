"""Faults of the disks of real hosts, each with its probe, under real programs, in a world."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness.clusters.hardware import disks as subject
from harness.clusters.hardware.disks import HostDisks
from nemesis.faults import (
    CorruptDisk,
    FailDisk,
    Fault,
    FillDisk,
    LoseUnsynced,
    SlowDisk,
    TruncateDisk,
)
from tests.harness.hardware.nodes import Nodes, host_disks
from tests.harness.namespaces.inside import run_inside
from tests.harness.real import eventually

N1 = ("n1",)

# Appends a line for each that it reads, and answers when it is written, and synced if asked to.
LOG = """
import os, sys
log = os.open("log", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
for line in sys.stdin:
    how, text = line.split()
    try:
        os.write(log, text.encode() + b"\\n")
        if how == "sync":
            os.fdatasync(log)
        print("ok", flush=True)
    except OSError as wrong:
        print(wrong.strerror, flush=True)
"""

# One row a transaction, told when it is committed.
TABLE = """
import sqlite3
table = sqlite3.connect("table.db", isolation_level=None)
table.execute("pragma synchronous = full")
table.execute("create table if not exists kept (row integer primary key, text)")
row = table.execute("select coalesce(max(row), 0) from kept").fetchone()[0]
while True:
    row += 1
    table.execute("insert into kept values (?, ?)", (row, "x" * (row % 1000)))
    print(row, flush=True)
"""

Play = Callable[[Nodes, HostDisks], Coroutine[Any, Any, None]]


def played(play: Play, program: str, *planned: Fault, names: tuple[str, ...] = N1) -> None:
    """Mounted before, the nodes started, all gone afterwards."""

    async def play_it(folder: Path) -> None:
        nodes = Nodes(names, folder, program)
        disks = host_disks(nodes)
        await disks.mount(planned)
        try:
            await nodes.restart(names)
            await play(nodes, disks)
        finally:
            await nodes.kill(names)
            await disks.unmount()
        assert [
            line for line in Path("/proc/mounts").read_text().splitlines() if "antipaxos" in line
        ] == []

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play_it(Path(folder)))


def needs_fuse() -> None:
    trouble = subject.fuse_obstacle()
    if trouble is not None:
        pytest.skip(trouble)


def power_fails() -> None:
    needs_fuse()

    async def play(nodes: Nodes, disks: HostDisks) -> None:
        assert await nodes.asked("n1", "sync one") == "ok"
        assert await nodes.asked("n1", "cached two") == "ok"
        assert await nodes.asked("n1", "cached three") == "ok"
        await disks.apply(1, LoseUnsynced(nodes=N1, torn=False))
        await disks.apply(1, LoseUnsynced(nodes=N1, torn=False))
        assert await nodes.states() == {"n1": "dead"}
        assert (await disks.measure())["n1"].lost == 2
        assert (nodes.data["n1"] / "log").read_text() == "one\n"
        await disks.undo(1)
        await nodes.restart(N1)
        assert await nodes.asked("n1", "cached four") == "ok"
        await nodes.kill(N1)  # a process that dies takes nothing with it
        assert (nodes.data["n1"] / "log").read_text() == "one\nfour\n"
        assert [path.name for path in nodes.data["n1"].iterdir()] == ["log"]

    played(play, LOG, LoseUnsynced())


def power_fails_during_a_sync() -> None:
    needs_fuse()

    async def play(nodes: Nodes, disks: HostDisks) -> None:
        assert await nodes.asked("n1", "sync one") == "ok"
        await disks.apply(1, SlowDisk(nodes=N1, mean_ms=30_000))
        given, log = nodes.lives["n1"].stdin, nodes.data["n1"] / "log"
        assert given is not None
        given.write(b"sync two\n")
        await eventually(partial(_holds, log, "one\ntwo\n"), "the write before the sync")
        await disks.apply(2, LoseUnsynced(nodes=N1, torn=False))
        assert log.read_text() == "one\n"

    played(play, LOG, LoseUnsynced(), SlowDisk())


async def _holds(file: Path, text: str) -> bool:
    return file.read_text() == text


def a_database_survives() -> None:
    needs_fuse()

    async def play(nodes: Nodes, disks: HostDisks) -> None:
        told = 0
        for turn in range(5):
            for _ in range(10 + turn):
                told = int(await nodes.told("n1"))
            await disks.apply(turn, LoseUnsynced(nodes=N1))
            assert _rows(nodes.data["n1"] / "table.db") >= told
            await disks.undo(turn)
            await nodes.restart(N1)

    played(play, TABLE, LoseUnsynced())


def _rows(file: Path) -> int:
    """How many a database kept; 0 if it is no whole one any more."""
    table = sqlite3.connect(file)
    try:
        assert table.execute("pragma integrity_check").fetchone() == ("ok",)
        return int(table.execute("select count(*) from kept").fetchone()[0])
    except sqlite3.DatabaseError:
        return 0
    finally:
        table.close()


def a_careless_database_does_not() -> None:
    needs_fuse()

    async def play(nodes: Nodes, disks: HostDisks) -> None:
        for _ in range(10):
            await nodes.told("n1")
        await disks.apply(1, LoseUnsynced(nodes=N1))
        assert (await disks.measure())["n1"].lost > 0
        assert _rows(nodes.data["n1"] / "table.db") == 0

    played(play, TABLE.replace("= full", "= off"), LoseUnsynced())


def disks_ail() -> None:
    needs_fuse()

    async def play(nodes: Nodes, disks: HostDisks) -> None:
        calm = (await disks.measure())["n2"]
        assert (calm.full, calm.failing) == (False, 0.0)
        assert await nodes.asked("n1", "sync zero") == "ok"
        await disks.apply(1, FillDisk(nodes=N1))
        assert await nodes.asked("n1", "sync one") == "No space left on device"
        assert (await disks.measure())["n1"].full
        assert not (await disks.measure())["n2"].full
        await disks.apply(2, FailDisk(nodes=N1, probability=1.0))
        await disks.undo(1)
        assert await nodes.asked("n1", "sync one") == "Input/output error"
        assert (await disks.measure())["n1"].failing == 1.0
        await disks.apply(3, SlowDisk(nodes=("n2",), mean_ms=60.0))
        slow = [(await disks.measure())["n2"].sync_ms for _ in range(12)]
        assert sum(slow) / len(slow) > 15
        assert await nodes.asked("n2", "sync slowly") == "ok"
        for id_ in (1, 2, 3, 3, 99):
            await disks.undo(id_)
        assert await nodes.asked("n1", "sync one") == "ok"
        healed = await disks.measure()
        assert [(d.full, d.failing) for d in healed.values()] == [(False, 0.0)] * 2
        assert healed["n2"].sync_ms < 15
        await nodes.kill(N1)
        assert (nodes.data["n1"] / "log").read_text() == "zero\none\n"

    played(play, LOG, FillDisk(), FailDisk(), SlowDisk(), names=("n1", "n2"))


def a_small_disk_fills_up() -> None:
    async def play(nodes: Nodes, disks: HostDisks) -> None:
        assert await nodes.asked("n1", "sync one") == "ok"
        await disks.apply(1, FillDisk(nodes=N1))
        assert (await disks.measure())["n1"].full
        answers = [await nodes.asked("n1", "sync " + "x" * 4000) for _ in range(3)]
        assert "No space left on device" in answers
        await disks.undo(1)
        assert not (await disks.measure())["n1"].full
        assert await nodes.asked("n1", "sync two") == "ok"
        await disks.apply(2, TruncateDisk(nodes=N1, bytes=4))
        assert (await disks.measure())["n1"].truncated == 4
        assert (nodes.data["n1"] / "log").read_text().startswith("one\n")
        assert not (nodes.data["n1"] / "log").read_text().endswith("two\n")
        assert [path.name for path in nodes.data["n1"].iterdir()] == ["log"]

    played(play, LOG, FillDisk(), TruncateDisk())


def damage(*, lazy: bool) -> None:
    if lazy:
        needs_fuse()

    async def play(nodes: Nodes, disks: HostDisks) -> None:
        text = "r" * 3000
        for _ in range(20):
            assert await nodes.asked("n1", f"cached {text}") == "ok"
        await disks.apply(1, CorruptDisk(nodes=N1, records=3))
        assert await nodes.states() == {"n1": "dead"}
        assert (await disks.measure())["n1"].corrupted == 3
        log = (nodes.data["n1"] / "log").read_bytes()
        assert len(log) == 20 * 3001  # it was killed, and lost nothing
        assert sum(byte not in b"r\n" for byte in log) in (2, 3)
        await disks.apply(2, TruncateDisk(nodes=N1, bytes=10))
        assert len((nodes.data["n1"] / "log").read_bytes()) == 20 * 3001 - 10
        assert (await disks.measure())["n1"].truncated == 10

    planned = (CorruptDisk(), TruncateDisk(), *([LoseUnsynced()] if lazy else []))
    played(play, LOG, *planned)


def like_a_plain_directory(seed: int) -> None:
    needs_fuse()

    async def play(nodes: Nodes, disks: HostDisks) -> None:
        twin = nodes.data["n1"].parent / "twin"
        twin.mkdir()
        random = Random(seed)
        for _ in range(400):
            step = _drawn(random)
            assert _outcome(step, nodes.data["n1"]) == _outcome(step, twin), step
        assert _shape(nodes.data["n1"]) == _shape(twin)
        await disks.unmount()
        await disks.mount([LoseUnsynced()])
        assert _shape(nodes.data["n1"]) == _shape(twin)

    played(play, "", LoseUnsynced())


Step = tuple[str, str, str, int, bytes]
PLACES = ("a", "b", "d", "d/a", "d/b", "e", "e/a")


def _drawn(random: Random) -> Step:
    kinds = "write append mkdir rmdir unlink rename link symlink truncate fallocate exclusive chmod"
    what, one, other = random.choice(kinds.split()), random.choice(PLACES), random.choice(PLACES)
    return what, one, other, random.randrange(10_000), random.randbytes(random.randrange(1, 9000))


def _outcome(step: Step, root: Path) -> str | None:
    """The error of a step, or what it shows."""
    what, one, other, number, data = step
    path, second = root / one, root / other
    flags = {"write": os.O_CREAT, "append": os.O_APPEND, "exclusive": os.O_CREAT | os.O_EXCL}
    try:
        match what:
            case "write" | "append" | "exclusive" | "fallocate":
                file = os.open(path, os.O_RDWR | flags.get(what, 0))
                try:
                    if what == "fallocate":
                        os.posix_fallocate(file, 0, number + 1)
                    elif what == "append":
                        os.write(file, data)
                    else:
                        os.pwrite(file, data, number)
                    return str((os.fstat(file).st_size, os.pread(file, 50, number)))
                finally:
                    os.close(file)
            case "mkdir" | "rmdir" | "unlink":
                getattr(path, what)()
            case "rename":
                path.rename(second)
            case "link":
                second.hardlink_to(path)
            case "symlink":
                path.symlink_to(other)
            case "truncate":
                os.truncate(path, number)
            case "chmod":
                path.chmod(0o600 + number % 64)
    except OSError as wrong:
        return str(wrong.errno)
    return None


def _shape(root: Path) -> dict[str, object]:
    """Everything that can be seen of a tree, but times and the sizes of directories."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content: object = None
        if path.is_symlink():
            content = str(path.readlink())
        elif path.is_file():
            content = (path.read_bytes(), status.st_nlink)
        found[str(path.relative_to(root))] = (oct(status.st_mode), content)
    return found


@pytest.mark.parametrize("unprivileged", [False, True])
def test_the_power_fails(*, unprivileged: bool) -> None:
    """What was synced is left and nothing else, whoever is root; a death alone loses nothing."""
    run_inside(power_fails, unprivileged=unprivileged)


def test_a_sync_that_the_power_failure_interrupts_stores_nothing() -> None:
    """However slow the disk: a node that dies in a sync is not saved by it."""
    run_inside(power_fails_during_a_sync)


def test_a_database_survives_power_failures() -> None:
    """SQLite, which syncs as it should, keeps every row that it told of, and is whole."""
    run_inside(a_database_survives)


def test_a_database_that_syncs_nothing_is_lost() -> None:
    """The same with its syncs turned off: there is no table any more, or no whole one."""
    run_inside(a_careless_database_does_not)


def test_disks_are_full_failing_and_slow() -> None:
    """Each shows in the program and in its probe, on its own node only, and is gone when undone."""
    run_inside(disks_ail)


def test_a_disk_of_limited_size_fills_up() -> None:
    """Where nothing else is planned no file system of ours is needed."""
    run_inside(a_small_disk_fills_up)


@pytest.mark.parametrize("lazy", [False, True])
def test_files_are_damaged_under_dead_nodes(*, lazy: bool) -> None:
    """Bits flip and ends go, as counted, on a plain directory and on a disk of ours."""
    run_inside(_damage_lazily if lazy else _damage_plainly)


def _damage_lazily() -> None:
    damage(lazy=True)


def _damage_plainly() -> None:
    damage(lazy=False)


@pytest.mark.parametrize("seed", range(3))
def test_a_disk_of_ours_is_like_any_other(seed: int) -> None:
    """The same calls give the same results and errors as in a plain directory, through a mount and
    after another one."""
    run_inside(like_a_plain_directory, seed)


def test_without_fuse_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only what needs it is refused."""
    disks = host_disks(Nodes(N1, tmp_path))
    for found, missing in (("libfuse3.so.3", "modprobe fuse"), (None, "apt-get install fuse3")):
        subject.fuse_obstacle.cache_clear()
        monkeypatch.setattr(subject, "FUSE", str(tmp_path / "none"))
        monkeypatch.setattr("ctypes.util.find_library", lambda _, found=found: found)
        reason = disks.refusal(SlowDisk())
        assert reason is not None
        assert missing in reason
        assert disks.refusal(FillDisk()) is None
        assert disks.refusal(CorruptDisk()) is None
    subject.fuse_obstacle.cache_clear()
