"""The namespaces cluster: every node a host of its own, on its standard ports, in this world.

Rules
1. Programs run as they are: a host has its own address, name, /tmp, process tree, and every port.
   Over its lives a node keeps data, addresses and trace file.
2. A start wipes what an earlier run left in the nodes' folders (the logs are kept), and either all
   nodes are ready or none runs.
3. Whatever happens to the harness, the kernel takes the world away. `stop` ends nodes politely:
   their system's own command or SIGTERM, a grace, SIGKILL.
4. Leaders are asked directly. A cut of clients from a node would blind us: who does not answer
   does not lead as far as anybody knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from harness.clusters.chores import keep_house, keep_logs, prepare, stop_by_command
from harness.clusters.hardware.clocks import HostClocks
from harness.clusters.hardware.disks import HostDisks
from harness.clusters.membership import NodeVersions, SystemMembers
from harness.clusters.namespaces.hosts import Hosts, addresses
from harness.clusters.namespaces.network import HostNetwork, Shaper
from harness.clusters.processes import Node, NodeProcesses
from harness.clusters.readiness import CLIENT_PORT, READY_LIMIT_S, all_or_none, until_ready
from harness.clusters.supervisor import Life, OnProcess
from harness.contracts import (
    Address,
    Command,
    EnvironmentTrouble,
    Membered,
    NodePlan,
    System,
)
from nemesis.faults import Fault

LEADERS_LIMIT_S = 1.0
GRACE_S = 2.0
FIRST_PORT = 7001  # of those that have no standard number


class NamespaceCluster:
    """Implements harness.contracts.Cluster and nemesis.capabilities.Breakable, inside a world."""

    def __init__(
        self,
        system: System,
        nodes: Sequence[str],
        folder: Path,
        *,
        workload: str,
        options: Mapping[str, str],
        seed: int,
        shaper: Shaper | None = None,
        planned: Sequence[Fault] = (),
        ready_timeout_s: float = READY_LIMIT_S,
        on_process: OnProcess | None = None,
    ) -> None:
        """`folder`: of the run; each node gets `nodes/<name>/` there. `planned`: the faults to
        come, by which disks and clocks are furnished. `on_process(pid, create_time, name)` hears of
        every process that is started, the keepers included."""
        self.system = system
        self._names = tuple(nodes)
        self._folder = folder.absolute()
        self._workload = workload
        self._options = dict(options)
        self._seed = seed
        self._ready_timeout_s = ready_timeout_s
        self._ips = addresses(self._names)
        self._nodes: dict[str, Node] = {}
        self._notices: list[str] = []
        self._network = HostNetwork(self._ips, shaper)
        self._hosts = Hosts(on_process, self._gone)
        self._processes = NodeProcesses(
            self._nodes, self._hosts.__getitem__, _Open(), self._command
        )
        self._members = (
            SystemMembers(system, self._nodes, self._processes, self._wipe)
            if isinstance(system, Membered)
            else None
        )
        self._versions = NodeVersions(
            self._nodes,
            self._processes,
            end=self._end_politely,
            ready=lambda node: until_ready(system, node, ready_timeout_s, _nothing),
            mistakes=system.check_options,
        )
        homes = {name: self._folder / "nodes" / name for name in self._names}
        self._planned = tuple(planned)
        self._disks = HostDisks(
            self._processes,
            {name: home / "data" for name, home in homes.items()},
            {name: home / "disk" for name, home in homes.items()},
            seed=seed,
        )
        self._clocks = HostClocks(
            {name: home / "clock" for name, home in homes.items()},
            system.command(self._plan(self._names[0]).plan),
            restart=self._restart_politely,
            pid=self._pid,
        )
        self._up = False

    @property
    def nodes(self) -> tuple[str, ...]:
        return self._names

    @property
    def network(self) -> HostNetwork:
        return self._network

    @property
    def processes(self) -> NodeProcesses:
        return self._processes

    @property
    def disks(self) -> HostDisks:
        return self._disks

    @property
    def clocks(self) -> HostClocks:
        return self._clocks

    @property
    def clients(self) -> None:
        return None

    @property
    def traitors(self) -> None:
        return None

    @property
    def members(self) -> SystemMembers | None:
        return self._members

    @property
    def versions(self) -> NodeVersions:
        return self._versions

    @property
    def notices(self) -> Sequence[str]:
        return tuple(dict.fromkeys(self._notices))

    def address(self, node: str) -> Address:
        return self._nodes[node].plan.listen[CLIENT_PORT]

    def crashes(self) -> Sequence[str]:
        return self._processes.crashes()

    async def leaders(self) -> tuple[str, ...]:
        states = await self._processes.states()
        running = {name: self.address(name) for name in states if states[name] == "running"}
        try:
            async with asyncio.timeout(LEADERS_LIMIT_S):
                return await self.system.leaders(running)
        except TimeoutError:
            return ()

    async def start(self) -> None:
        await self.stop()
        try:
            await self._start()
        except BaseException:
            with contextlib.suppress(EnvironmentTrouble):  # what came first says more
                await self.stop()
            raise

    async def stop(self) -> None:
        if not self._up:
            return
        self._up = False
        states = await self._processes.states()
        for node in self._nodes.values():
            node.to_end = True
        lost = self._hosts.lost
        if not lost:
            await self._end_nodes([name for name in states if states[name] == "running"])
        await self._clocks.close()
        for node in self._nodes.values():
            self._notices += keep_logs(self.system, node, node.log.parent / "tmp")
        await self._hosts.close()
        await self._network.close()
        await self._disks.unmount()
        if lost:  # no fault that was planned, and no crash of the system either
            told = " ".join(f"Host {name}: {why}" for name, why in sorted(lost.items()))
            raise EnvironmentTrouble(f"the machine lost hosts in the middle of the run. {told}")

    async def _start(self) -> None:
        homes = {name: self._home(name) for name in self._names}
        self._nodes.update((name, self._plan(name)) for name in self._names)
        needed = {path for node in self._nodes.values() for path in self._needed(node.plan)}
        self._up = True
        await self._disks.mount(self._planned)
        await self._clocks.open(self._planned)
        await self._network.open()
        await self._hosts.open(homes, self._ips, needed)
        await all_or_none(self._bring_up(node) for node in self._nodes.values())

    def _home(self, name: str) -> Path:
        """The node's folder, wiped but for its logs."""
        home = self._folder / "nodes" / name
        for left in (home / "data", home / "disk", home / "clock", home / "tmp"):
            if left.exists():
                shutil.rmtree(left)
        (home / "trace.jsonl").unlink(missing_ok=True)
        (home / "data").mkdir(parents=True)
        return home

    def _plan(self, name: str) -> Node:
        home = self._folder / "nodes" / name
        numbers = _numbers(self.system)
        plan = NodePlan(
            name=name,
            data=home / "data",
            listen={port: (self._ips[name], number) for port, number in numbers.items()},
            peers={
                other: (self._ips[other], numbers["peer"])
                for other in self._names
                if other != name and "peer" in numbers
            },
            trace=home / "trace.jsonl",
            seed=Random(f"{self._seed}-{name}").getrandbits(32),
            workload=self._workload,
            options=self._options,
            hosts=self._ips,
        )
        return Node(plan, {}, home / "log")

    def _needed(self, plan: NodePlan) -> list[Path]:
        """Where a node's program comes from, as far as anybody can see: a host has its own /tmp,
        and a program that lies in ours must be there."""
        command = self._command(plan)
        words = [*command.argv, *command.env.values(), *sys.path, sys.prefix, str(Path.cwd())]
        texts = [text for word in words for text in word.replace("=", ":").split(":")]
        found = [Path(text) for text in texts if text.startswith("/")]
        return [path for path in found if path.exists()]

    def _command(self, plan: NodePlan) -> Command:
        return self._clocks.wraps(self.system.command(plan), plan.name)

    async def _bring_up(self, node: Node) -> None:
        await prepare(self.system, node, self._hosts[node.name])
        await self._processes.restart([node.name])
        await until_ready(self.system, node, self._ready_timeout_s, _nothing)

    async def _end_nodes(self, polite: Sequence[str]) -> None:
        """Politely the `polite`, then SIGKILL for all that are left."""
        await asyncio.gather(*(self._end_politely(self._nodes[name]) for name in polite))
        with contextlib.suppress(EnvironmentTrouble):  # the kernel does, with the world
            await self._processes.kill(list(self._nodes))

    async def _end_politely(self, node: Node) -> None:
        """By the system's own command or SIGTERM; by SIGKILL if it takes too long."""
        node.to_end = True
        failed = await stop_by_command(self.system, node, self._hosts[node.name])
        self._notices += [failed] if failed else []
        with contextlib.suppress(EnvironmentTrouble):
            await self._processes.end([node.name], signal.SIGTERM, GRACE_S)
        await self._processes.kill([node.name])

    async def _restart_politely(self, names: Sequence[str]) -> None:
        """Of these, those that live; whoever was paused is paused again."""
        states = await self._processes.states()
        alive = [name for name in names if states[name] != "dead"]
        await self._processes.resume(alive)
        await asyncio.gather(*(self._end_politely(self._nodes[name]) for name in alive))
        await self._processes.restart(alive)
        await self._processes.pause([name for name in alive if states[name] == "paused"])

    def _pid(self, name: str) -> int | None:
        node = self._nodes[name]
        return node.life.pid if node.alive and node.life is not None else None

    async def _wipe(self, node: Node) -> None:
        await keep_house(self.system, "wipe", node, self._hosts[node.name])
        for entry in node.plan.data.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def _gone(self, name: str, life: Life) -> None:
        if name in self._nodes:  # not an errand
            self._processes.gone(name, life)


class _Open:
    """Hosts have no doors: who is down refuses by itself."""

    def expect(self, node: str, addresses: Mapping[str, Address]) -> None: ...

    def down(self, node: str) -> None: ...


async def _nothing() -> None: ...


def _numbers(system: System) -> dict[str, int]:
    """The numbers of the ports, the same on every host."""
    framings = system.framings
    return {
        port: framing.port if framing.port is not None else FIRST_PORT + place
        for place, (port, framing) in enumerate(framings.items())
    }
