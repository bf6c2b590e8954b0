"""The local cluster: node processes on loopback, behind links of the harness. No root.

Rules
1. A start wipes what an earlier run left in the nodes' folders (the logs are kept), and either all
   nodes are ready or none runs. Several nodes must be able to reach one another: systems that
   cannot would be blamed for the harness's mistake.
2. Over its lives a node keeps data, ports, links and trace file.
3. Whatever happens to the harness, the keeper ends the nodes (see keeper). `stop` ends them
   politely: SIGTERM, a grace, SIGKILL.
4. Leaders are asked directly, past the links, and only of nodes that can answer: faults must not
   blind the nemesis.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import msgspec

from harness.clusters.chores import keep_logs, prepare, stop_by_command
from harness.clusters.links import CLIENT_PORT, PEER_PORT, LinkNetwork
from harness.clusters.ports import Port, take
from harness.clusters.processes import Node, NodeProcesses
from harness.clusters.readiness import READY_LIMIT_S, all_or_none, until_ready
from harness.clusters.supervisor import Life, OnProcess, Supervisor
from harness.contracts import Address, EnvironmentTrouble, NodePlan, System
from nemesis.faults import CLIENT

LEADERS_LIMIT_S = 1.0
GRACE_S = 2.0


class LocalCluster:
    """Implements harness.contracts.Cluster and nemesis.capabilities.Breakable."""

    def __init__(
        self,
        system: System,
        nodes: Sequence[str],
        folder: Path,
        *,
        workload: str,
        options: Mapping[str, str],
        seed: int,
        ready_timeout_s: float = READY_LIMIT_S,
        on_process: OnProcess | None = None,
    ) -> None:
        """`folder`: of the run; each node gets `nodes/<name>/` there. `on_process(pid,
        create_time, name)` hears of every process that is started, the keeper included."""
        self.system = system
        self._names = tuple(nodes)
        self._folder = folder.absolute()
        self._workload = workload
        self._options = dict(options)
        self._seed = seed
        self._ready_timeout_s = ready_timeout_s
        # Ports are no part of what a seed repeats: two runs of one seed may share the machine.
        self._ports = Random(f"{seed}-{os.getpid()}-{self._folder}")
        self._nodes: dict[str, Node] = {}
        self._notices: list[str] = []
        self._network = LinkNetwork(self._names, system.framings, seed)
        self._supervisor = Supervisor(on_process, self._gone)
        self._processes = NodeProcesses(
            self._nodes, lambda _node: self._supervisor, self._network, system.command
        )

    @property
    def nodes(self) -> tuple[str, ...]:
        return self._names

    @property
    def network(self) -> LinkNetwork:
        return self._network

    @property
    def processes(self) -> NodeProcesses:
        return self._processes

    # Programs as they are, on the disks and clocks of this machine: those it does not break.
    @property
    def disks(self) -> None:
        return None

    @property
    def clocks(self) -> None:
        return None

    @property
    def clients(self) -> None:
        return None

    @property
    def traitors(self) -> None:
        return None

    @property
    def members(self) -> None:
        return None

    @property
    def versions(self) -> None:
        return None

    @property
    def notices(self) -> Sequence[str]:
        return tuple(dict.fromkeys(self._notices))

    def address(self, node: str) -> Address:
        return self._network.address(CLIENT, node)

    def crashes(self) -> Sequence[str]:
        return self._processes.crashes()

    async def leaders(self) -> tuple[str, ...]:
        states = await self._processes.states()
        running = {
            name: node.plan.listen[CLIENT_PORT]
            for name, node in self._nodes.items()
            if states[name] == "running"
        }
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
            await self.stop()
            raise

    async def stop(self) -> None:
        states = await self._processes.states()
        for node in self._nodes.values():
            node.to_end = True
        if not self._supervisor.lost:
            await self._end_nodes([name for name in states if states[name] == "running"])
        await self._supervisor.close()
        await self._network.close()
        for node in self._nodes.values():
            node.release_ports()
            self._notices += keep_logs(self.system, node)

    async def _start(self) -> None:
        if len(self._names) > 1 and PEER_PORT not in self.system.framings:
            raise EnvironmentTrouble(
                f"system {self.system.name} has no port '{PEER_PORT}', so {len(self._names)} nodes "
                "of it cannot reach one another. Run one (--nodes 1), or declare the port and give "
                "each node the addresses of its peers."
            )
        self._network.open(self._ports)
        self._nodes.update((name, self._plan(name)) for name in self._names)
        await self._supervisor.open(self._folder / "nodes" / "keeper.log")
        await all_or_none(self._bring_up(node) for node in self._nodes.values())

    def _plan(self, name: str) -> Node:
        """Wipes the node's folder and reserves its ports."""
        home = self._folder / "nodes" / name
        data, trace = home / "data", home / "trace.jsonl"
        if data.exists():
            shutil.rmtree(data)
        trace.unlink(missing_ok=True)
        data.mkdir(parents=True)
        ports = {port: take(self._ports) for port in self.system.framings}
        peers = [other for other in self._names if other != name and PEER_PORT in ports]
        plan = NodePlan(
            name=name,
            data=data,
            listen=_addresses(ports),
            peers={other: self._network.address(name, other) for other in peers},
            trace=trace,
            seed=Random(f"{self._seed}-{name}").getrandbits(32),
            workload=self._workload,
            options=self._options,
        )
        return Node(plan, ports, home / "log")

    async def _bring_up(self, node: Node) -> None:
        """Start the node and wait until it serves; once more if somebody took its port."""
        try:
            await self._until_ready(node)
        except EnvironmentTrouble:
            taken = [port.number for port in node.ports.values() if not port.hold()]
            if node.alive or not taken:
                raise
            node.release_ports()
            node.ports = {port: take(self._ports) for port in node.ports}
            node.plan = msgspec.structs.replace(node.plan, listen=_addresses(node.ports))
            self._processes.forget_crashes(node.name)
            try:
                await self._until_ready(node)
            except EnvironmentTrouble as again:
                raise EnvironmentTrouble(
                    f"another program took port {taken[0]} of node {node.name}, and a second "
                    f"start on other ports failed too: {again}"
                ) from again

    async def _until_ready(self, node: Node) -> None:
        await prepare(self.system, node, self._supervisor)
        await self._processes.restart([node.name])
        await until_ready(
            self.system,
            node,
            self._ready_timeout_s,
            lambda: self._network.until_up(node.name),
        )

    async def _end_nodes(self, polite: Sequence[str]) -> None:
        """By the system's own command or SIGTERM the `polite`, which can hear it; then SIGKILL for
        all that are left."""
        ending = (stop_by_command(self.system, self._nodes[n], self._supervisor) for n in polite)
        self._notices += [told for told in await asyncio.gather(*ending) if told]
        with contextlib.suppress(EnvironmentTrouble):  # they had their time
            await self._processes.end(polite, signal.SIGTERM, GRACE_S)
        with contextlib.suppress(EnvironmentTrouble):  # the keeper tries again when it ends
            await self._processes.kill(list(self._nodes))

    def _gone(self, name: str, life: Life) -> None:
        if name in self._nodes:  # not an errand
            self._processes.gone(name, life)


def _addresses(ports: Mapping[str, Port]) -> dict[str, Address]:
    return {name: port.address for name, port in ports.items()}
