"""The process of one lazy disk: mounts it, obeys orders, and unmounts it when its orders end.

Called as `python lazyfs_process.py SPEC`, with SPEC a JSON object: `disk` (a directory for the
trees `seen` and `stored`), `mount` (the mount point), `seed`, `hidden` (a name no listing shows),
`threads` (may one call wait for a slow sync while others go on?).

Orders, a JSON object a line on standard input, each answered by one on standard output:
  {"do": "set", "sync_ms": MEAN, "probability": P, "full": BOOL}
  {"do": "lose", "torn": BOOL}       the power fails: nothing is stored from now on
  {"do": "flush"}                    everything is stored
An answer holds the counters `lost`, `torn`, `failed` and `syncs`. The first line comes unasked, as
soon as the disk is mounted: `{"ready": true}`.

Rules
1. When standard input ends, the harness is gone: the mount is detached, and the process ends. It
   also dies with its parent.
2. What is seen after mounting is what was stored, and nothing else.
3. An orderly unmount stores everything.
4. Without `threads` one thread serves all calls: each of them is then twice as fast, since a thread
   of libfuse's own becomes one of Python's anew in every call.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import shutil
import signal
import sys
import threading
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3]))  # isolated: nothing of ours is found otherwise

import mfusepy

from harness.clusters.hardware.lazyfs import LazyDisk
from harness.clusters.hardware.unsynced import copy

PR_SET_PDEATHSIG = 1
MNT_DETACH = 2
THREADS_MAX = 16  # calls that wait for a slow sync at the same time, and one more that is quick
_libc = ctypes.CDLL(None, use_errno=True)


class _Fuse(mfusepy.FUSE):  # type: ignore[misc]
    """The binding, with what it drops: the flags of a rename, the handle of a truncation."""

    def rename_fuse_3(self, old: bytes, new: bytes, flags: int) -> int:
        if flags:
            raise OSError(22, "a rename that exchanges, or must not replace, is not offered")
        return self.rename_fuse_2(old, new) or 0

    def truncate_fuse_3(self, path: bytes | None, length: int, fip: Any) -> int:
        return self.ftruncate(path, length, fip) or 0


class _Mounted(LazyDisk):
    mount = ""

    def init(self, _path: str) -> None:
        threading.Thread(target=_obey, args=(self,), daemon=True).start()
        _say(ready=True)

    def destroy(self, _path: str) -> None:
        self.flush_all()


def main() -> None:
    spec = json.loads(sys.argv[1])
    _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends with its orders
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    disk = Path(spec["disk"])
    seen, stored = disk / "seen", disk / "stored"
    stored.mkdir(parents=True, exist_ok=True)
    renew(seen, stored)
    os.umask(0)  # the callers' are applied by the kernel
    _Mounted.mount = spec["mount"]
    _Fuse(
        _Mounted(seen, stored, Random(spec["seed"]), spec["hidden"]),
        spec["mount"],
        foreground=True,
        nothreads=not spec["threads"],
        fsname="antipaxos-lazy-disk",
        default_permissions=True,
        hard_remove=True,
        use_ino=True,
        max_threads=THREADS_MAX,
    )


def renew(seen: Path, stored: Path) -> None:
    """Make `seen` what `stored` is: links, modes and holes included."""
    if seen.exists():
        shutil.rmtree(seen)
    linked: dict[int, Path] = {}

    def copied(source: str, target: str) -> None:
        inode = Path(source).lstat().st_ino
        if inode in linked:
            os.link(linked[inode], target, follow_symlinks=False)
            return
        linked[inode] = Path(target)
        _copy_data(Path(source), Path(target))
        shutil.copystat(source, target)

    shutil.copytree(stored, seen, symlinks=True, copy_function=copied)


def _copy_data(source: Path, target: Path) -> None:
    with source.open("rb") as reading, target.open("wb") as writing:
        size = os.fstat(reading.fileno()).st_size
        os.ftruncate(writing.fileno(), size)
        at = 0
        while at < size:
            try:
                start = os.lseek(reading.fileno(), at, os.SEEK_DATA)
            except OSError:
                return  # the rest is a hole
            at = os.lseek(reading.fileno(), start, os.SEEK_HOLE)
            copy(reading.fileno(), writing.fileno(), start, at)


def _obey(disk: _Mounted) -> None:
    for line in sys.stdin:
        order = json.loads(line)
        match order["do"]:
            case "set":
                disk.sync_ms, disk.probability = order["sync_ms"], order["probability"]
                disk.full = order["full"]
            case "lose":
                disk.lose(torn=order["torn"])
            case "flush":
                disk.flush_all()
        _say(lost=disk.lost, torn=disk.torn, failed=disk.failed, syncs=disk.syncs)
    _libc.umount2(disk.mount.encode(), MNT_DETACH)
    os._exit(0)


def _say(**answer: Any) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
