"""The few system calls about namespaces and mounts that Python 3.11 does not have.

Rules
1. Everything raises OSError with the call and its object in the message.
2. Standard library only, and imports nothing of ours: `host` runs without a site directory.

Sources: setns(2), unshare(2), mount(2), sethostname(2), prctl(2), netdevice(7).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_SLAVE = 0x8_0000
MS_SHARED = 0x10_0000
PR_SET_PDEATHSIG = 1
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1

NETS = "/run/netns"  # where `ip netns` names network namespaces

_libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    words = (source.encode(), target.encode(), kind.encode() or None)
    _check(_libc.mount(*words, ctypes.c_ulong(flags), data.encode() or None), f"mount on {target}")


def unmount(target: str) -> None:
    """Lazily: whoever still uses it keeps what they use."""
    _check(_libc.umount2(target.encode(), 2), f"unmount {target}")


def set_hostname(name: str) -> None:
    raw = name.encode()
    _check(_libc.sethostname(raw, len(raw)), f"name the host {name}")


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def join_net(path: str) -> None:
    """The calling thread goes on in the network namespace at `path`."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(file, CLONE_NEWNET), f"enter {path}")
    finally:
        os.close(file)


def bring_up_loopback() -> None:
    """In the network of the calling thread."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        # struct ifreq: the name of the device, 16 bytes, and its flags, a short
        asked = struct.pack("16sh22x", b"lo", _IFF_UP)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, asked)


def die_with_parent(number: int) -> None:
    """This process gets the signal when the thread that forked it ends."""
    _check(_libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0), "ask for a parent-death signal")


@contextlib.contextmanager
def _inside(path: str) -> Iterator[None]:
    here = f"/proc/self/task/{threading.get_native_id()}/ns/net"
    back = os.open(here, os.O_RDONLY | os.O_CLOEXEC)
    try:
        join_net(path)
        yield
    finally:
        _check(_libc.setns(back, CLONE_NEWNET), "come back to the own network")
        os.close(back)


def in_net(host: str, make: Callable[[], T]) -> T:
    """What `make` gives in the network of a host. A socket stays in the network it was made in."""
    with _inside(f"{NETS}/{host}"):
        return make()


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot {what}: {os.strerror(number)}")
