"""One host as the cluster uses it: orders of its script, files of ours, without blocking the loop.

Rules
1. paramiko blocks, so every order runs in a thread of the host's own: a host that does not answer
   holds up nobody else's.
2. Orders that need root go through `sudo -n`, or as they are where root logs in. Nodes never run by
   sudo: they run as the user who logs in.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from harness.clusters.ssh.connection import ORDER_LIMIT_S, Connection, Ended
from harness.clusters.ssh.options import Settings, Target
from harness.clusters.ssh.script import SCRIPT
from harness.clusters.ssh.survey import Facts
from harness.contracts import EnvironmentTrouble

THREADS = 4  # orders to one host at a time: the lease must not wait behind a slow one
INSTALL_LIMIT_S = 300.0

T = TypeVar("T")


class Host:
    """The host of node `name`. `facts` are there once it was surveyed."""

    def __init__(self, name: str, target: Target, settings: Settings) -> None:
        self.name = name
        self.target = target
        self.home = settings.home_on(target)
        self.connection = Connection(name, target, settings)
        self.sudo: tuple[str, ...] = ("sudo", "-n") if settings.sudo == "yes" else ()
        self.facts: Facts | None = None
        self._settings = settings
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=f"ssh-{name}")

    def __str__(self) -> str:
        return f"node {self.name}'s host {self.target}"

    @property
    def node_home(self) -> str:
        return f"{self.home}/nodes/{self.name}"

    @property
    def known(self) -> Facts:
        assert self.facts is not None, "a host is surveyed before it is used"
        return self.facts

    async def thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def run(
        self,
        argv: Sequence[str],
        *,
        root: bool = False,
        given: bytes = b"",
        limit_s: float = ORDER_LIMIT_S,
        idempotent: bool = True,
    ) -> Ended:
        """As Connection.run."""
        words = [*self.sudo, *argv] if root else list(argv)
        return await self.thread(
            lambda: self.connection.run(words, given=given, limit_s=limit_s, idempotent=idempotent)
        )

    async def order(self, *words: str, root: bool = False, limit_s: float = ORDER_LIMIT_S) -> bytes:
        """One order of the script; what it prints. Raises EnvironmentTrouble if it fails."""
        argv = ["sh", f"{self.home}/host", *words]
        ended = await self.run(argv, root=root, limit_s=limit_s)
        if ended.status != 0:
            raise EnvironmentTrouble(
                f"{self} failed at '{' '.join(words[:2])}' (status {ended.status}): "
                f"{ended.complaint}. {self.remedy(ended.complaint)}"
            )
        return ended.out

    def remedy(self, complaint: str) -> str:
        if "No space left" in complaint or "Disk quota" in complaint:
            return (
                f"The disk that {self.home} is on is full: free it, or name a directory on another "
                "with the cluster option directory."
            )
        return f"Look there: ssh -p {self.target.port} {self.target.user}@{self.target.host}"

    async def holder(self) -> str:
        """Who holds the host, and how many words he has sent; empty if nobody does. Asked of the
        script that is there: it is not ours to replace while somebody uses it."""
        asking = 'if [ -e "$1/host" ]; then sh "$1/host" watched; fi'
        return (await self.run(["sh", "-c", asking, "ask", self.home])).text.strip()

    async def install_script(self) -> None:
        """The script, whole or not at all: a run that was killed may be using the old one."""
        await self.make(f"{self.home}/host", SCRIPT.encode())

    async def make(self, path: str, content: bytes) -> None:
        """Write a small file. Raises EnvironmentTrouble if the disk does not take it."""
        writing = 'mkdir -p "${1%/*}" && cat > "$1.new" && mv "$1.new" "$1"'
        ended = await self.run(["sh", "-c", writing, "write", path], given=content)
        if ended.status != 0:
            raise EnvironmentTrouble(
                f"{self} cannot write {path}: {ended.complaint}. {self.remedy(ended.complaint)}"
            )

    async def upload(self) -> None:
        """What the option names, beside the script. Raises EnvironmentTrouble."""
        for local in self._settings.uploads:
            remote = f"{self.home}/files/{local.name}"
            await self.run(["mkdir", "-p", f"{self.home}/files"])
            try:
                await self.thread(partial(self.connection.upload, local, remote))
            except OSError as wrong:
                free = await self.run(["df", "-h", self.home])
                raise EnvironmentTrouble(
                    f"{self} does not take {local} as {remote}: {wrong}. Is its disk full? It says "
                    f"'{free.complaint}'. Free it, or name another directory with the cluster "
                    "option directory."
                ) from wrong

    def translated(self, word: str) -> str:
        """A word of a command as this host understands it: our Python is the host's, and what was
        uploaded lies where it was put."""
        there = {str(p): f"{self.home}/files/{p.name}" for p in self._settings.uploads}
        there[sys.executable] = self._settings.python
        return _translated(word, there)

    async def download(self, remote: str, local: Path) -> bool:
        return await self.thread(lambda: self.connection.download(remote, local))

    async def tail(self, lines: int) -> str:
        """The last lines of the node's log."""
        ended = await self.run(["tail", "-n", str(lines), f"{self.node_home}/log"])
        return ended.text

    def close(self) -> None:
        self.connection.close()
        self._threads.shutdown(wait=False, cancel_futures=True)


def _translated(word: str, there: Mapping[str, str]) -> str:
    """Longest first, each only where the path ends or goes on into the folder."""
    for local in sorted(there, key=len, reverse=True):
        word = there[local].join(re.split(re.escape(local) + r"(?![\w.-])", word))
    return word
