"""The disks of real hosts: nemesis.capabilities.Disks over the data directories of the nodes.

Rules
1. Nothing is mounted that no planned fault needs: nodes write to their plain directories where
   only their files are to be damaged, to a tmpfs where disks are to fill up, and else to a file
   system of ours (see volumes).
2. The power fails for node and disk at once. Were the node killed first, the kernel would let the
   syncs that it waits for come to their end: the slower the disk, the more it would save. When the
   node is dead the disk is mounted anew, because the kernel's page cache does not forget.
3. What was damaged or lost is counted where it was done; what a disk is like now is measured by a
   probe that goes the way of the node's own writes.
"""

from __future__ import annotations

import asyncio
import ctypes.util
import os
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

from harness.clusters.hardware import damage
from harness.clusters.hardware.disk_probe import probed
from harness.clusters.hardware.volumes import (
    Ailments,
    LazyVolume,
    PlainVolume,
    SizedVolume,
    Volume,
)
from nemesis.capabilities import DiskReading, Processes
from nemesis.faults import (
    CorruptDisk,
    DiskFault,
    FailDisk,
    Fault,
    FillDisk,
    LoseUnsynced,
    SlowDisk,
    TruncateDisk,
    tag,
)

FUSE = "/dev/fuse"
SIZE_BYTES = 512 * 2**20  # of a disk that is only to fill up; taken from memory as it is used


class HostDisks:
    """Implements Disks and Judging. `data`: the data directory of each node, which exists; `disks`:
    a directory for each node's disk, beside it. `size_bytes`: of disks that lie in memory."""

    def __init__(
        self,
        processes: Processes,
        data: Mapping[str, Path],
        disks: Mapping[str, Path],
        *,
        seed: int,
        size_bytes: int = SIZE_BYTES,
    ) -> None:
        self._processes = processes
        self._data, self._disks = dict(data), dict(disks)
        self._seed, self._size_bytes = seed, size_bytes
        self._volumes: dict[str, Volume] = {}
        self._faults: dict[int, DiskFault] = {}
        self._corrupted = dict.fromkeys(data, 0)
        self._truncated = dict.fromkeys(data, 0)

    async def mount(self, planned: Iterable[Fault]) -> None:
        """What these faults need, before the nodes start. Raises EnvironmentTrouble and OSError;
        what is mounted by then `unmount` takes away."""
        faults = [fault for fault in planned if isinstance(fault, DiskFault)]
        self._volumes = {node: self._volume(node, faults) for node in self._data}
        await _all(volume.mount() for volume in self._volumes.values())

    async def unmount(self) -> None:
        """After the nodes have ended. Idempotent."""
        await _all(volume.unmount() for volume in self._volumes.values())
        self._volumes = {}

    def refusal(self, fault: DiskFault) -> str | None:
        if not isinstance(fault, LoseUnsynced | SlowDisk | FailDisk):
            return None
        return _no_fuse(tag(fault))

    async def apply(self, id: int, fault: DiskFault) -> None:  # noqa: A002
        if id in self._faults:
            return
        strangers = [node for node in fault.nodes if node not in self._volumes]
        if strangers:
            raise ValueError(f"{tag(fault)}: no disk of {', '.join(strangers)} is mounted")
        self._faults[id] = fault
        match fault:
            case LoseUnsynced():
                dark = (self._volumes[node].darken(torn=fault.torn) for node in fault.nodes)
                await _all((self._processes.kill(fault.nodes), *dark))
                await _all(self._volumes[node].renew() for node in fault.nodes)
            case CorruptDisk() | TruncateDisk():
                await self._processes.kill(fault.nodes)
                await _all(self._damage(id, fault, node) for node in fault.nodes)
            case _:
                await self._ail(fault.nodes)

    async def undo(self, id: int) -> None:  # noqa: A002
        fault = self._faults.pop(id, None)
        if isinstance(fault, FillDisk | FailDisk | SlowDisk):
            await self._ail(fault.nodes)

    async def measure(self) -> dict[str, DiskReading]:
        names = list(self._volumes)
        probes = await asyncio.gather(*(probed(self._volumes[name].probe) for name in names))
        return {
            name: DiskReading(
                full=probe.full,
                sync_ms=probe.sync_ms,
                lost=self._volumes[name].lost,
                corrupted=self._corrupted[name],
                truncated=self._truncated[name],
                failing=probe.failing,
            )
            for name, probe in zip(names, probes, strict=True)
        }

    def _volume(self, node: str, faults: list[DiskFault]) -> Volume:
        data, disk = self._data[node].absolute(), self._disks[node].absolute()
        if all(isinstance(fault, CorruptDisk | TruncateDisk) for fault in faults):
            return PlainVolume(data, disk)
        if all(isinstance(fault, CorruptDisk | TruncateDisk | FillDisk) for fault in faults):
            return SizedVolume(data, disk, self._size_bytes)
        slow = any(isinstance(fault, SlowDisk) for fault in faults)
        seed = Random(f"{self._seed}-{node}-disk").getrandbits(32)
        return LazyVolume(data, disk, seed, slow=slow)

    async def _damage(self, id_: int, fault: CorruptDisk | TruncateDisk, node: str) -> None:
        harm: Callable[[Path], int]
        if isinstance(fault, CorruptDisk):
            random = Random(f"{self._seed}-{node}-{id_}")
            harm = partial(damage.flip, records=fault.records, random=random)
            self._corrupted[node] += await self._volumes[node].damaged(harm)
        else:
            harm = partial(damage.cut, size=fault.bytes)
            self._truncated[node] += await self._volumes[node].damaged(harm)

    async def _ail(self, nodes: Iterable[str]) -> None:
        """Put on each disk all that the faults in force ask for; none leaves it well."""
        for node in nodes:
            faults = [fault for fault in self._faults.values() if node in fault.nodes]
            works = 1.0
            for fault in faults:
                works *= 1 - fault.probability if isinstance(fault, FailDisk) else 1
            await self._volumes[node].ail(
                Ailments(
                    sync_ms=sum(f.mean_ms for f in faults if isinstance(f, SlowDisk)),
                    probability=1 - works,
                    full=any(isinstance(f, FillDisk) for f in faults),
                )
            )


async def _all(calls: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All of them at once, to the end; then the first trouble is raised."""
    for result in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


def _no_fuse(kind: str) -> str | None:
    """Why no file system of ours can be mounted; None if it can."""
    reason = fuse_obstacle()
    return None if reason is None else f"'{kind}' needs a file system of our own (FUSE): {reason}"


@cache
def fuse_obstacle() -> str | None:
    """Why there can be no file system of ours here, with the remedy; None if there can."""
    if ctypes.util.find_library("fuse3") is None:
        return "libfuse3 is not installed: install it (apt-get install fuse3)"
    try:
        os.close(os.open(FUSE, os.O_RDWR))
    except FileNotFoundError:
        return f"{FUSE} does not exist: load the kernel module (modprobe fuse)"
    except OSError as wrong:
        return (
            f"{FUSE} cannot be opened ({wrong.strerror}): allow it (chmod 666 {FUSE}, as most "
            "distributions do), or run as root"
        )
    return None
