"""Volumes: what the data directory of a node lies on, by what faults need of it.

plain: the directory itself. sized: a tmpfs of limited size, with a file beside the data that can
fill it. lazy: a file system of ours, which knows what was synced (see lazyfs).

Rules
1. A volume mounts over the data directory, so the node's path stays the same. What lies below stays
   hidden until it is unmounted.
2. `renew` and `damaged` are for dead nodes: a lazy volume is mounted anew, since the kernel would
   go on showing what it has cached.
3. Probes use a name or a place that the node's program does not see.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from harness.clusters.hardware.disk_probe import HIDDEN
from harness.clusters.namespaces import system_calls as calls
from harness.contracts import EnvironmentTrouble

LAZY_PROGRAM = Path(__file__).with_name("lazyfs_process.py")
ANSWER_LIMIT_S = 10.0
ROOM_BYTES = 4096  # what a disk that is full has less of


class Ailments(msgspec.Struct, frozen=True):
    """What is wrong with a disk now, all faults together."""

    sync_ms: float = 0.0
    probability: float = 0.0
    full: bool = False


class Volume(Protocol):
    """The disk of one node. Each call raises EnvironmentTrouble or OSError where it cannot be."""

    probe: Path  # a file that probes may write
    lost: int  # writes that power failures took

    async def mount(self) -> None: ...

    async def unmount(self) -> None:
        """What was written is stored. Idempotent."""
        ...

    async def ail(self, ailments: Ailments) -> None: ...

    async def darken(self, *, torn: bool) -> None:
        """The power fails, under a node that dies at the same time: nothing is stored any more."""
        ...

    async def renew(self) -> None:
        """The power is back, and the node dead: what it finds is what was stored."""
        ...

    async def damaged(self, damage: Callable[[Path], int]) -> int:
        """Let `damage` loose on what is stored of a dead node; what it returns."""
        ...


class PlainVolume:
    """A directory."""

    def __init__(self, data: Path, disk: Path) -> None:
        self.probe = disk / HIDDEN
        self.lost = 0
        self._data, self._disk = data, disk

    async def mount(self) -> None:
        self._disk.mkdir(parents=True, exist_ok=True)

    async def unmount(self) -> None:
        self.probe.unlink(missing_ok=True)

    async def ail(self, ailments: Ailments) -> None:
        if ailments != Ailments():
            raise EnvironmentTrouble(f"the plain directory {self._data} cannot be made to fail")

    async def darken(self, *, torn: bool) -> None:
        raise EnvironmentTrouble(f"the plain directory {self._data} keeps all; torn={torn}")

    async def renew(self) -> None:
        raise EnvironmentTrouble(f"the plain directory {self._data} never lost its power")

    async def damaged(self, damage: Callable[[Path], int]) -> int:
        return await asyncio.to_thread(damage, self._data)


class SizedVolume(PlainVolume):
    """A tmpfs at `disk`/volume, whose directory `data` is bound over the node's."""

    def __init__(self, data: Path, disk: Path, size_bytes: int) -> None:
        super().__init__(data, disk)
        self._volume = disk / "volume"
        self._size_bytes = size_bytes
        self._filler = self._volume / "filler"
        self.probe = self._volume / "probe"
        self._mounted = False

    async def mount(self) -> None:
        self._volume.mkdir(parents=True, exist_ok=True)
        options = f"size={self._size_bytes},mode=0755"
        calls.mount("antipaxos-sized-disk", str(self._volume), "tmpfs", data=options)
        self._mounted = True
        (self._volume / "data").mkdir()
        calls.mount(str(self._volume / "data"), str(self._data), flags=calls.MS_BIND)

    async def unmount(self) -> None:
        if self._mounted:
            self._mounted = False
            kept = self._disk / "stored"  # for whoever looks at the run afterwards
            await asyncio.to_thread(_keep, self._volume / "data", kept)
            calls.unmount(str(self._data))
            calls.unmount(str(self._volume))

    async def ail(self, ailments: Ailments) -> None:
        if ailments.sync_ms or ailments.probability:
            raise EnvironmentTrouble(
                f"the tmpfs {self._volume} can be full, but not slow or failing"
            )
        if ailments.full:
            await asyncio.to_thread(_fill, self._filler)
        else:
            self._filler.unlink(missing_ok=True)


class LazyVolume:
    """A lazy disk, with its process. `disk`: where its trees lie. `slow`: it may become slow, so
    other calls must be able to pass a sync."""

    def __init__(self, data: Path, disk: Path, seed: int, *, slow: bool = True) -> None:
        self.probe = data / HIDDEN
        self.lost = 0
        self._data, self._disk, self._seed, self._slow = data, disk, seed, slow
        self._mounts = 0
        self._ailments = Ailments()
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def mount(self) -> None:
        self._disk.mkdir(parents=True, exist_ok=True)
        self._mounts += 1
        spec = {
            "disk": str(self._disk),
            "mount": str(self._data),
            "seed": f"{self._seed}-{self._mounts}",
            "hidden": HIDDEN,
            "threads": self._slow,
        }
        with (self._disk / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(LAZY_PROGRAM), msgspec.json.encode(spec).decode()),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        await self._answer()
        await self._order(do="set", **msgspec.to_builtins(self._ailments))

    async def unmount(self) -> None:
        process = self._process
        if process is None:
            return
        with contextlib.suppress(EnvironmentTrouble):  # dead already: then nothing is to be stored
            await self._order(do="flush")
        await self._leave(process)

    async def ail(self, ailments: Ailments) -> None:
        self._ailments = ailments
        await self._order(do="set", **msgspec.to_builtins(ailments))

    async def darken(self, *, torn: bool) -> None:
        self.lost += (await self._order(do="lose", torn=torn))["lost"]

    async def renew(self) -> None:
        if self._process is not None:
            await self._leave(self._process)
        await self.mount()

    async def damaged(self, damage: Callable[[Path], int]) -> int:
        await self.unmount()
        try:
            return await asyncio.to_thread(damage, self._disk / "stored")
        finally:
            await self.mount()

    async def _leave(self, process: asyncio.subprocess.Process) -> None:
        self._process = None
        assert process.stdin is not None
        process.stdin.close()  # it detaches its mount, and ends
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        if os.path.ismount(self._data):  # it was killed, or did not answer
            calls.unmount(str(self._data))

    async def _order(self, **order: object) -> dict[str, int]:
        async with self._turn:
            process = self._process
            if process is None or process.stdin is None:
                raise EnvironmentTrouble(f"the lazy disk at {self._data} is not mounted")
            with contextlib.suppress(OSError):  # its end shows in the answer
                process.stdin.write(msgspec.json.encode(order) + b"\n")
                await process.stdin.drain()
            return await self._answer()

    async def _answer(self) -> dict[str, int]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_LIMIT_S):
                line = await self._process.stdout.readline()
        if line:
            answer: dict[str, int] = msgspec.json.decode(line)
            return answer
        said = (self._disk / "log").read_text(errors="replace").splitlines()[-3:]
        raise EnvironmentTrouble(
            f"the lazy disk at {self._data} does not answer; its last words: {' / '.join(said)}"
        )


def _fill(filler: Path) -> None:
    """Until there is no room for anything."""
    file = os.open(filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        with contextlib.suppress(OSError):
            for size in (1 << 20, ROOM_BYTES):
                with contextlib.suppress(OSError):
                    while os.write(file, bytes(size)):
                        pass
    finally:
        os.close(file)


def _keep(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)
