"""A world: a process in namespaces of its own, with all that it will ever start.

Rules
1. Whoever has root makes a world as root; others in a user namespace, where they are root. What a
   world lacks is found by trying (`obstacle`), not by reading settings.
2. When the first process of a world ends, however, the kernel ends all others and takes back all
   mounts, networks and rules: nothing is left to undo. It ends with its parent, the process that
   entered the world, even if that is killed by SIGKILL (parent-death signal, twice: `unshare` dies
   with us, and with --kill-child its child with it).
3. The first process of a pid namespace is deaf to what it has no handler for, so our signals are
   kept back until it says that it listens. Only then does it get the terminal, if there is one: a
   Ctrl-C goes to it alone, and comes once.
4. Ctrl-Z does nothing: a world that half stops (`unshare` would, its child is deaf) never ends.
5. Mounts of a world are seen by the hosts in it (shared, and slaves there), and by nobody outside.

Sources: pid_namespaces(7), mount_namespaces(7), user_namespaces(7), unshare(1).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Any

import msgspec

from harness.clusters.namespaces import system_calls
from harness.contracts import EnvironmentTrouble
from harness.lifeline import dies_with_us

OWNER = "ANTIPAXOS_WORLD"  # of the environment inside: who entered, 'pid created_s'
PROBE_LIMIT_S = 10.0
SIGNALS = (signal.SIGINT, signal.SIGTERM)
LISTENS = {"listens": True}

_ENTERED = "entered"
_STEPS = (
    f"echo {_ENTERED} && ip link add name probe0 type veth peer name probe1"
    " && ip link add name probe2 type bridge && mount -t tmpfs none /run"
    " && nft add table bridge probe"
)

Hear = Callable[[dict[str, Any]], None]


def inside() -> bool:
    """Is this the first process of a world?"""
    return OWNER in os.environ and os.getpid() == 1


def owner() -> tuple[int, float]:
    """The process outside that entered this world: its pid there, and when it was created."""
    pid, created_s = os.environ[OWNER].split()
    return int(pid), float(created_s)


def command(argv: Sequence[str]) -> list[str]:
    """`argv` as the first process of a new world."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    spaces = ["--mount", "--ipc", "--uts", "--net", "--pid", "--fork"]
    return ["unshare", *user, *spaces, "--kill-child", "--mount-proc", "--", *argv]


def obstacle() -> str | None:
    """Why there can be no worlds here, as a sentence with the remedy; None if there can."""
    missing = [name for name in ("unshare", "ip", "nft") if shutil.which(name) is None]
    if missing:
        return (
            f"no program {', '.join(missing)} on the PATH. Install util-linux, iproute2 and "
            "nftables."
        )
    try:
        tried = subprocess.run(
            command(["sh", "-c", _STEPS]),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PROBE_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"a world was not made within {PROBE_LIMIT_S:g} s. Is the machine overloaded?"
    if tried.returncode == 0:
        return None
    said = (tried.stderr.strip().splitlines() or ["without a word"])[-1].rstrip(".")
    if tried.stdout.strip() == _ENTERED:
        return (
            f"namespaces can be made, but not be furnished: {said}. The kernel needs veth, bridge, "
            "tmpfs and nf_tables for bridges (modprobe veth bridge nf_tables), as root outside."
        )
    return (
        f"namespaces cannot be made here: {said}. Be root, or allow unprivileged user namespaces "
        "(sysctl kernel.unprivileged_userns_clone=1 on Debian, "
        "kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu); in a container, allow it "
        "CAP_SYS_ADMIN."
    )


def prepare() -> None:
    """The first thing inside: a place for names of networks, loopback, mounts that hosts see."""
    system_calls.mount("none", "/", flags=system_calls.MS_REC | system_calls.MS_SHARED)
    _own_run()
    Path(system_calls.NETS).mkdir()
    system_calls.bring_up_loopback()


def _own_run() -> None:
    """A /run of the world's own, for the names of its networks, with all else that was there: the
    store may be in it, or the programs (NixOS)."""
    before = os.open("/run", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    old = Path(f"/proc/self/fd/{before}")
    try:
        system_calls.mount("tmpfs", "/run", "tmpfs", data="mode=755")
        for entry in old.iterdir():
            if entry.name != Path(system_calls.NETS).name:
                with contextlib.suppress(OSError):  # some of another user's cannot be shown again
                    _show(entry, Path("/run") / entry.name)
    finally:
        os.close(before)


def _show(entry: Path, at: Path) -> None:
    if entry.is_symlink():
        at.symlink_to(entry.readlink())
        return
    at.mkdir() if entry.is_dir() else at.touch()
    flags = system_calls.MS_BIND | system_calls.MS_REC
    system_calls.mount(str(entry), str(at), flags=flags)


def enter(argv: Sequence[str], created_s: float, hear: Hear) -> int:
    """Run a program as the first process of a world, to its end; its exit status.

    The program is given one more argument, the number of a file on which it writes JSON lines,
    which `hear` gets; the first must be LISTENS, when its handlers of signals are set. `created_s`:
    when this process was created, as psutil tells. Belongs on the main thread.
    """
    reader, writer = os.pipe()
    own_output = sys.stdout is not sys.__stdout__  # somebody listens to what is printed here
    with os.fdopen(reader, "rb") as messages:
        try:
            process = subprocess.Popen(
                command([*argv, str(writer)]),
                env={**os.environ, OWNER: f"{os.getpid()} {created_s!r}"},
                pass_fds=(writer,),
                stdout=subprocess.PIPE if own_output else None,
                preexec_fn=_before_unshare(),
                process_group=0,
            )
        except OSError as wrong:
            raise EnvironmentTrouble(f"a world cannot be made: {wrong}.") from wrong
        finally:
            os.close(writer)
        with process, _Terminal(process.pid) as terminal, _Forwarding(process.pid) as forwarding:
            relay = threading.Thread(target=_relay, args=(process.stdout,), daemon=True)
            relay.start()
            for line in messages:
                if not line.endswith(b"\n"):
                    break  # killed in the middle of it
                said = msgspec.json.decode(line)
                if said == LISTENS:
                    terminal.hand_over()
                    forwarding.open()
                else:
                    hear(said)
            relay.join()
            return process.wait()


def _before_unshare() -> Callable[[], None]:
    """For the child between fork and exec (rules 2 and 4)."""
    die = dies_with_us()

    def ask() -> None:
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)
        if die is not None:
            die()

    return ask


class _Forwarding:
    """SIGINT and SIGTERM go to the first process inside, the third ends the world at once."""

    def __init__(self, unshare: int) -> None:
        self._unshare = unshare
        self._kept: list[int] = []
        self._listens = False
        self._before: dict[int, Any] = {}
        self._count = 0

    def __enter__(self) -> _Forwarding:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def open(self) -> None:
        self._listens = True
        for number in self._kept:
            self._send(number)
        self._kept.clear()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self._count += 1
        if self._count > 2:
            self._send(signal.SIGKILL)
        elif self._listens:
            self._send(number)
        else:
            self._kept.append(number)

    def _send(self, number: int) -> None:
        children = Path(f"/proc/{self._unshare}/task/{self._unshare}/children")
        with contextlib.suppress(OSError):
            for child in children.read_text().split():
                os.kill(int(child), number)


class _Terminal:
    """Where we have a terminal, its foreground becomes the world's, as a shell would have it:
    Ctrl-C and the keyboard go there, and come back."""

    def __init__(self, group: int) -> None:
        self._group = group
        self._before: Any = None  # the handler of SIGTTOU, while the terminal is the world's

    def __enter__(self) -> _Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            with contextlib.suppress(OSError):  # it hung up meanwhile
                os.tcsetpgrp(0, os.getpgrp())
            signal.signal(signal.SIGTTOU, self._before)

    def hand_over(self) -> None:
        try:
            if os.tcgetpgrp(0) != os.getpgrp():
                return  # in the background: Ctrl-C is not for us
        except OSError:
            return  # no terminal, or not ours
        # Who is in the background and gives the terminal to themselves is stopped otherwise.
        self._before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        with contextlib.suppress(OSError):  # it has just ended
            os.tcsetpgrp(0, self._group)


def _relay(source: IO[bytes] | None) -> None:
    for line in source or ():
        sys.stdout.write(line.decode(errors="replace"))
