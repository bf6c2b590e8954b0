"""The keeper: the parent of all node processes, which ends them when the harness is gone.

Rules
1. The keeper lives in a session of its own and outlives nobody: when its standard input ends (the
   harness stopped, crashed, or was killed with SIGKILL), it kills every node and leaves.
2. A node is a process group, in a session of its own. Signals go to the whole group, so that the
   children of a node share its fate; a stopped group dies of SIGKILL like any other.
3. `exited` is reported once the node is reaped and its group is empty: only then are its ports and
   files free. Its children come to the keeper (Linux: subreaper) to be reaped.
4. On Linux the nodes die with the keeper too (parent-death signal): nothing can outlive both.
5. One thread and little to import: it forks, and prctl binds to the thread that forked.
6. As the first process of a host it keeps the whole host: a node is every process there that is not
   of an errand (whose name has a colon). Signals go to all of them, sessions of their own or not. A
   node that goes into the background (its first process ends with status 0 though nobody ended it,
   and others live on) goes on as the eldest of these.
7. A node has stopped when every thread of every process of it has (Linux), and goes on when each
   was told to; then that is said. The stop of its first process says nothing of the others: on a
   busy machine one of them may still send a message, though the fault is said to have begun.
8. A node that floods its log does not fill the disk: beyond LOG_BYTES_MAX the log begins anew.

Commands, a JSON object a line on standard input:
  {"do": "start", "name": NAME, "argv": [...], "cwd": DIR, "env": {...}, "log": FILE}
  {"do": "signal", "name": NAME, "signal": NUMBER}
Events, likewise on standard output:
  {"event": "started", "name": NAME, "pid": PID}
  {"event": "moved", "name": NAME, "pid": PID}            it went into the background
  {"event": "failed", "name": NAME, "text": WHY}          the program could not be started
  {"event": "obeyed", "name": NAME, "signal": NUMBER}     SIGSTOP or SIGCONT, by all its processes
  {"event": "exited", "name": NAME, "status": CODE|null, "signal": NUMBER|null}

Sources: prctl(2), PR_SET_PDEATHSIG and PR_SET_CHILD_SUBREAPER; setsid(2); wait(2); proc(5), stat;
pid_namespaces(7); daemon(7).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
DRAIN_POLL_S = 0.01  # how often a killed group is looked at until it is empty
STOP_POLL_S = 0.001  # and a group that was told to stop until it has
READ_BYTES = 65536
LOG_BYTES_MAX = 64 * 2**20
LOG_POLL_S = 1.0
LOOKS_MAX = 50  # at a host whose processes come and go
# States of processes, as proc(5) has them. Who sleeps in the kernel without being interruptible (D)
# takes no step of its own before it meets the signal that waits for it.
STILL, ZOMBIE = "TtD", "ZX"

if LINUX:
    _prctl = ctypes.CDLL(None, use_errno=True).prctl


class _Process(NamedTuple):
    pid: int
    state: str
    parent: int
    group: int
    session: int  # these three as the host has them


class Keeper:
    def __init__(self) -> None:
        self._host = os.getpid() == 1
        self._nodes: dict[int, str] = {}  # by pid, which is also the group's
        self._to_end: set[str] = set()  # those that were sent a signal that ends
        self._to_stop: set[str] = set()  # those that were told to stop and have not yet
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._emptying: dict[int, int] = {}  # reaped leaders whose group is not empty: wait status
        self._logs: dict[str, Path] = {}  # by node
        self._input = b""

    def run(self) -> None:
        """Serves until standard input ends, then kills all nodes."""
        wake = _wake_on_signals()
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
                selector.register(wake, selectors.EVENT_READ)
                while True:
                    ready = selector.select(self._patience_s())
                    files = {key.fd for key, _ in ready}
                    if wake in files and signal.SIGTERM in os.read(wake, READ_BYTES):
                        return
                    self._reap()
                    self._trim()
                    if sys.stdin.fileno() in files and not self._read():
                        return
                    self._stop()
        except BrokenPipeError:
            return  # nobody listens any more
        finally:
            self._end()

    def _patience_s(self) -> float | None:
        if self._to_stop:
            return STOP_POLL_S
        if self._emptying:
            return DRAIN_POLL_S
        return LOG_POLL_S if self._nodes else None

    def _read(self) -> bool:
        """Carries out the commands that came; False at the end of input."""
        data = os.read(sys.stdin.fileno(), READ_BYTES)
        *lines, self._input = (self._input + data).split(b"\n")
        for line in lines:
            command = json.loads(line)
            if command["do"] == "start":
                self._start(command)
            else:
                self._signal(command["name"], command["signal"])
        return bool(data)

    def _start(self, command: dict[str, Any]) -> None:
        name = command["name"]
        try:
            with Path(command["log"]).open("ab") as log:
                child = subprocess.Popen(
                    command["argv"],
                    cwd=command["cwd"],
                    env=command["env"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=_die_with(os.getpid()) if LINUX else None,
                )
        except (OSError, subprocess.SubprocessError) as error:
            _say(event="failed", name=name, text=str(error))
            return
        self._to_end.discard(name)
        self._logs[name] = Path(command["log"])
        self._nodes[child.pid] = name
        self._children[child.pid] = child
        _say(event="started", name=name, pid=child.pid)

    def _signal(self, name: str, number: int) -> None:
        """To all processes of the node; one that is gone takes no harm."""
        self._to_stop.discard(name)
        if number == signal.SIGSTOP:
            self._to_stop.add(name)
            return
        if number != signal.SIGCONT:
            self._to_end.add(name)
        for pid in self._pids_of(name):
            self._send(pid, number)
            if number == signal.SIGCONT:
                _say(event="obeyed", name=name, signal=number)

    def _stop(self) -> None:
        """Those that were told to: what has not stopped yet, or was forked since, is told again."""
        for name in list(self._to_stop):
            pids = self._pids_of(name)
            if not pids:  # it has ended
                self._to_stop.discard(name)
            for pid in pids:
                _signal_group(pid, signal.SIGSTOP)
                restless = [p for p in self._processes_of(pid) if not _is_still(p)]
                for process in restless:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGSTOP)
                if not restless:
                    self._to_stop.discard(name)
                    _say(event="obeyed", name=name, signal=int(signal.SIGSTOP))

    def _pids_of(self, name: str) -> list[int]:
        """Of a node: one if it lives."""
        return [pid for pid, known in self._nodes.items() if known == name]

    def _send(self, pid: int, number: int) -> bool:
        """False if nothing is left of the node that began, or goes on, as `pid`."""
        found = _signal_group(pid, number)
        if not self._keeps_host(pid):
            return found
        rest = self._members()
        for process in rest:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
        return found or bool(rest)

    def _keeps_host(self, pid: int) -> bool:
        return self._host and not _is_errand(self._nodes[pid])

    def _processes_of(self, pid: int) -> list[_Process]:
        """Of the node that began, or goes on, as `pid`; none where nobody can look (macOS)."""
        if not LINUX:
            return []
        if self._keeps_host(pid):
            return self._members()
        return [p for n in _pids() if (p := _look(n)) is not None and p.group == pid]

    def _members(self) -> list[_Process]:
        """Of the node of this host: all that live but us and errands, the eldest first."""
        errands = {pid for pid, name in self._nodes.items() if _is_errand(name)}
        return [p for p in _processes() if p.pid != 1 and p.session not in errands]

    def _heir(self, pid: int, code: int) -> int | None:
        """Who goes on for a node whose first process ended; None: nobody, the node has ended."""
        name = self._nodes[pid]
        if not self._host or code or name in self._to_end or _is_errand(name):
            return None
        return next((p.pid for p in self._members() if p.parent == 1), None)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid in self._nodes:  # otherwise a child of a node, left to us
                self._ended(pid, os.waitstatus_to_exitcode(status))
        for pid, code in list(self._emptying.items()):
            if not self._send(pid, signal.SIGKILL):
                del self._emptying[pid]
                name = self._nodes.pop(pid)
                _say(
                    event="exited",
                    name=name,
                    status=code if code >= 0 else None,
                    signal=-code if code < 0 else None,
                )

    def _ended(self, pid: int, code: int) -> None:
        child = self._children.pop(pid, None)
        if child is not None:
            child.returncode = code
        heir = self._heir(pid, code)
        if heir is None:
            self._emptying[pid] = code
            return
        self._nodes[heir] = name = self._nodes.pop(pid)
        _say(event="moved", name=name, pid=heir)

    def _trim(self) -> None:
        for file in self._logs.values():
            with contextlib.suppress(OSError):  # removed, or on a disk that fails: not ours to tell
                size = file.stat().st_size
                if size > LOG_BYTES_MAX:
                    os.truncate(file, 0)  # the node appends: what it writes next is the first
                    with file.open("ab") as log:
                        log.write(b"[%d bytes were too many and are dropped]\n" % size)

    def _end(self) -> None:
        for pid in self._nodes:
            _signal_group(pid, signal.SIGKILL)
        for child in self._children.values():
            child.wait()


def _wake_on_signals() -> int:
    """A file that becomes readable, with the numbers of the signals that came.

    Handlers, not SIG_IGN: an ignored signal would stay ignored in the nodes.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    return reader


def _die_with(parent: int) -> Any:
    """For a child between fork and exec: die when the keeper does, or now if it is gone."""

    def ask() -> None:
        _prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return ask


def _signal_group(group: int, number: int) -> bool:
    """False if the group is empty. (macOS says EPERM for a group of zombies.)"""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return LINUX
    return True


def _is_errand(name: str) -> bool:
    return ":" in name


def _processes() -> list[_Process]:
    """All that live in this pid namespace, the eldest first.

    Looked at until nobody came or went meanwhile: a process that forks and ends between the listing
    and the look at it would be taken for dead, and its child for nobody.
    """
    pids = _pids()
    for _ in range(LOOKS_MAX):
        found = [process for pid in pids if (process := _look(pid)) is not None]
        before, pids = pids, _pids()
        if pids == before:
            break
    return found


def _pids() -> list[int]:
    return sorted(int(e.name) for e in Path("/proc").iterdir() if e.name.isdecimal())


def _look(pid: int) -> _Process | None:
    """A process, or a thread of one; None if it is dead, reaped or not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    state, *numbers = text.rpartition(")")[2].split()[:4]
    return None if state in ZOMBIE else _Process(pid, state, *map(int, numbers))


def _is_still(process: _Process) -> bool:
    """Whether none of its threads takes a step; true of one that is gone."""
    tasks = Path(f"/proc/{process.pid}/task")
    try:
        threads = [int(thread.name) for thread in tasks.iterdir()]
        still = all((seen := _look(t)) is None or seen.state in STILL for t in threads)
        # A thread that was running when they were listed may have started another one since.
        return still and threads == [int(thread.name) for thread in tasks.iterdir()]
    except OSError:
        return True


def _say(**event: Any) -> None:
    os.write(sys.stdout.fileno(), json.dumps(event).encode() + b"\n")


def main() -> None:
    if LINUX:
        _prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    Keeper().run()


if __name__ == "__main__":
    main()
