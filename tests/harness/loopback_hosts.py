"""Nodes of a system on this machine, each on a loopback address of its own.

What systems with fixed ports need where there are no hosts: 127.0.0.0/8 has addresses enough.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from checkers.history import Operation
from harness.contracts import Address, NodePlan, System
from tests.harness.real import Program, eventually, programs

# Tests may run side by side, in one process and in several.
_nets = itertools.count(os.getpid() // 128 * 16)


def operation(f: str, value: object = None, key: str = "k1", process: int = 0) -> Operation:
    return Operation(index=0, time=0, process=process, type="invoke", f=f, value=value, key=key)


class LoopbackHosts:
    """Nodes n1, n2, ... of one system; `start` is again with the same command, on the same data."""

    def __init__(
        self, system: System, folder: Path, running: list[Program], options: Mapping[str, str]
    ) -> None:
        self._system, self._folder, self._running = system, folder, running
        self._options = options
        net = f"127.{64 + os.getpid() % 128}.{next(_nets) % 256}"
        self.hosts = {f"n{number}": f"{net}.{number}" for number in (1, 2, 3)}
        self.nodes: dict[str, Program] = {}

    @property
    def names(self) -> Sequence[str]:
        return tuple(self.hosts)

    @property
    def addresses(self) -> dict[str, Address]:
        return {name: self.address(name) for name in self.hosts}

    def address(self, node: str) -> Address:
        return self._port(node, "client")

    def trace(self, node: str) -> Path:
        return self._folder / node / "trace.jsonl"

    def start(self, node: str) -> None:
        if node in self.nodes:
            self.nodes[node].start()
            return
        data = self._folder / node / "data"
        data.mkdir(parents=True)
        plan = NodePlan(
            name=node,
            data=data,
            listen={port: self._port(node, port) for port in self._system.framings},
            peers={other: self._port(other, "peer") for other in self.hosts if other != node},
            trace=self.trace(node),
            seed=1,
            workload="register",
            options=self._options,
            hosts=self.hosts,
        )
        command = self._system.command(plan)
        program = Program(command.argv, data.parent / "log", env=command.env, cwd=data)
        self.nodes[node] = program
        self._running.append(program)

    def start_all(self) -> None:
        """And wait until each serves."""
        for node in self.hosts:
            self.start(node)
        asyncio.run(self.all_ready())

    async def all_ready(self) -> None:
        for node in self.hosts:
            await eventually(lambda node=node: self.ready(node), f"{node} ready")  # type: ignore[misc]

    async def ready(self, node: str) -> bool:
        assert self.nodes[node].alive, f"{node} has ended"
        return await self._system.ready(node, self.address(node))

    def stop(self, node: str) -> None:
        """SIGSTOP: it keeps its connections and says nothing."""
        self.nodes[node].signal(signal.SIGSTOP)

    def resume(self, node: str) -> None:
        self.nodes[node].signal(signal.SIGCONT)

    def _port(self, node: str, port: str) -> Address:
        number = self._system.framings[port].port
        assert number is not None, f"{port} has no number of its own"
        return self.hosts[node], number


@contextmanager
def loopback_hosts(
    system: System, folder: Path, options: Mapping[str, str] | None = None
) -> Iterator[LoopbackHosts]:
    """Three nodes that serve, ended at the end whatever happens."""
    with programs() as running:
        hosts = LoopbackHosts(system, folder, running, options or {})
        hosts.start_all()
        yield hosts
