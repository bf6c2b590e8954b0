"""Nodes made of one small program each, for tests of disks and clocks of real hosts."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.clusters.hardware.disks import HostDisks
from harness.contracts import Command
from nemesis.capabilities import ProcessState

Wraps = Callable[[Command, str], Command]


class Nodes:
    """Implements nemesis.capabilities.Processes: each node runs `python -c program` in its data."""

    def __init__(self, names: Sequence[str], folder: Path, program: str = "") -> None:
        self.data = {name: folder / name / "data" for name in names}
        self.disks = {name: folder / name / "disk" for name in names}
        for data in self.data.values():
            data.mkdir(parents=True)
        self.command = Command(argv=(sys.executable, "-c", program))
        self.wraps: Wraps = lambda command, _: command
        self.lives: dict[str, asyncio.subprocess.Process] = {}

    async def kill(self, nodes: Sequence[str]) -> None:
        for name in nodes:
            life = self.lives.pop(name, None)
            if life is not None:
                with contextlib.suppress(ProcessLookupError):
                    life.kill()
                await life.communicate()

    async def restart(self, nodes: Sequence[str]) -> None:
        for name in nodes:
            if name in self.lives:
                continue
            command = self.wraps(self.command, name)
            self.lives[name] = await asyncio.create_subprocess_exec(
                *command.argv,
                cwd=self.data[name],
                env={**os.environ, **command.env},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )

    async def pause(self, nodes: Sequence[str]) -> None:
        for name in nodes:
            self.lives[name].send_signal(signal.SIGSTOP)

    async def resume(self, nodes: Sequence[str]) -> None:
        for name in nodes:
            self.lives[name].send_signal(signal.SIGCONT)

    async def states(self) -> dict[str, ProcessState]:
        return {name: "running" if name in self.lives else "dead" for name in self.data}

    async def again(self, nodes: Sequence[str]) -> None:
        await self.kill(nodes)
        await self.restart(nodes)

    def pid(self, name: str) -> int | None:
        return self.lives[name].pid if name in self.lives else None

    async def told(self, name: str) -> str:
        """The next line that the node prints; empty at its end."""
        out = self.lives[name].stdout
        assert out is not None
        async with asyncio.timeout(10):
            return (await out.readline()).decode().strip()

    async def asked(self, name: str, line: str = "") -> str:
        given = self.lives[name].stdin
        assert given is not None
        given.write(line.encode() + b"\n")
        return await self.told(name)


def host_disks(nodes: Nodes, *, size_bytes: int = 8 * 2**20) -> HostDisks:
    return HostDisks(nodes, nodes.data, nodes.disks, seed=5, size_bytes=size_bytes)
