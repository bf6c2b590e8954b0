"""What tests of real systems share: programs that must be there, ports, processes that end.

A test that lacks a program skips and says how to get it; where CI=true that is a failure (see
tests/conftest.py).
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

LIMIT_S = 20.0
POLL_S = 0.02
_PR_SET_PDEATHSIG = 1
_LAST_LINES = 15


def needs(program: str, package: str) -> str:
    """The path of a program; without it the test skips, and says which package has it."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"no program {program!r} on this machine: apt install {package}")
    return found


def needs_module(module: str, package: str = "antipaxos[systems]") -> None:
    """The same for a package of Python's."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"no Python package {module!r}: pip install '{package}'")


def needs_file(path: Path, package: str) -> Path:
    """The same for a file, a library's archive say."""
    if not path.exists():
        pytest.skip(f"no {path} on this machine: apt install {package}")
    return path


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at any address, all different. Outside the range from which the
    kernel gives ports to connections, or one of those could take them first."""
    ports: list[int] = []
    start = 20_000 + os.getpid() % 5_000
    for port in range(start, 32_000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))  # fails if any address has it
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise AssertionError(f"no {count} free ports from {start} on")


class Program:
    """A process of a test, with its output in `log`; dies with the test's own process."""

    def __init__(
        self,
        argv: Sequence[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self._argv, self.log, self._env, self._cwd = list(argv), log, dict(env or {}), cwd
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Again, with the same command, after it was killed."""
        assert not self.alive, f"{self._argv[0]} runs already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv,
                env={**os.environ, **self._env},
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, number: int) -> None:
        """To the process and all that it started."""
        if self._process is not None and self.alive:
            os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone; idempotent."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def last_lines(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LAST_LINES:])


@contextmanager
def programs() -> Iterator[list[Program]]:
    """A list for the programs of a test; they are killed at its end, and shown if it failed."""
    running: list[Program] = []
    try:
        yield running
    except BaseException as wrong:
        for program in running:
            wrong.add_note(f"{program.log}:\n{program.last_lines()}")
        raise
    finally:
        for program in running:
            program.kill()


async def eventually(
    condition: Callable[[], Awaitable[bool]], what: str, limit_s: float = LIMIT_S
) -> None:
    """Wait for what can be seen, bounded."""
    try:
        async with asyncio.timeout(limit_s):
            while not await condition():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise AssertionError(f"{what} did not come within {limit_s} s") from None


def _die_with_parent() -> None:
    """In the child: the kernel ends it when the thread that started it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
