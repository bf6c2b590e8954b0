"""Starts a program in a time namespace: `python -IS uptime.py OFFSET_NS PROGRAM ARGUMENT...`.

The monotonic and boot-time clocks of the program, and of what it starts, are ahead by the offset;
the wall clock is as it was. It becomes the program, under the same process id.

Sources: time_namespaces(7). A new namespace is for the children of who makes it; its offsets can be
written until the first process is in it; setns(2) lets its maker in, which has one thread.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWTIME = 0x80
NS_PER_S = 1_000_000_000


def main() -> None:
    offset_ns, argv = int(sys.argv[1]), sys.argv[2:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWTIME) != 0:
        _give_up("make a time namespace")
    seconds, rest_ns = divmod(offset_ns, NS_PER_S)  # the rest is never negative
    offsets = f"monotonic {seconds} {rest_ns}\nboottime {seconds} {rest_ns}\n"
    Path("/proc/self/timens_offsets").write_text(offsets)
    namespace = os.open("/proc/self/ns/time_for_children", os.O_RDONLY | os.O_CLOEXEC)
    if libc.setns(namespace, CLONE_NEWTIME) != 0:
        _give_up("enter the time namespace")
    os.execvp(argv[0], argv)


def _give_up(what: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, f"cannot {what}: {os.strerror(number)}")


if __name__ == "__main__":
    main()
