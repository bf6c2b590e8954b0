"""A probe of a disk: is there room, how long does a sync take, what fails.

Rule: it measures through the mount that the node uses, with a file of its own, and leaves nothing.
It gives up on a sync that takes longer than PATIENCE_S, and tells how long it waited.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from pathlib import Path

import msgspec

from harness.clock import MonotonicClock

HIDDEN = ".antipaxos-probe"  # the name of its file, where the node could see it
PATIENCE_S = 4.0
TRIES = 24  # writes by which failing shows
SLOW_MS = 20.0  # where a sync takes longer, one is enough
NS_PER_MS = 1_000_000


class DiskProbe(msgspec.Struct, frozen=True):
    """`failing`: the share of operations that met an input/output error."""

    full: bool
    sync_ms: float
    failing: float


async def probed(file: Path) -> DiskProbe:
    """Off the event loop. Raises OSError where the disk cannot be reached at all."""
    counts = {errno.ENOSPC: 0, errno.EIO: 0}
    clock = MonotonicClock()
    began_ns = clock.now_ns()
    work = asyncio.get_running_loop().run_in_executor(None, _work, file, counts, clock)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            sync_ms, tries = await asyncio.shield(work)
            return DiskProbe(counts[errno.ENOSPC] > 0, sync_ms, counts[errno.EIO] / tries)
    work.add_done_callback(lambda done: done.exception())
    waited_ms = (clock.now_ns() - began_ns) / NS_PER_MS
    return DiskProbe(counts[errno.ENOSPC] > 0, waited_ms, counts[errno.EIO] / TRIES)


def _work(file: Path, counts: dict[int, int], clock: MonotonicClock) -> tuple[float, int]:
    """How long a sync took, and how many operations there were; the errors are counted."""
    descriptor: int | None = None
    syncs: list[float] = []
    tries = 0
    try:
        for _ in range(TRIES):
            tries += 1
            try:
                if descriptor is None:
                    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
                os.pwrite(descriptor, bytes(4096), 0)
                if not syncs or syncs[-1] < SLOW_MS:
                    tries += 1
                    began_ns = clock.now_ns()
                    os.fsync(descriptor)
                    syncs.append((clock.now_ns() - began_ns) / NS_PER_MS)
            except OSError as wrong:
                if wrong.errno not in counts:
                    raise
                counts[wrong.errno] += 1
                if wrong.errno == errno.ENOSPC:
                    break
    finally:
        if descriptor is not None:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                file.unlink()
    return (syncs[0] if syncs else 0.0), tries
