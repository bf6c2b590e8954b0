"""The ssh cluster: nodes as daemons on remote Linux hosts, one host each.

Rules
1. A host is taken at the start and given back at the stop. One that another run holds is refused;
   one whose run has died is healed first. Either all nodes are ready or none runs.
2. Everything of ours on a host lies in one directory, one firewall table and the queues of the
   devices that faults shaped; the directory stays, for what is in it may be looked at.
3. Whatever happens here, a dead-man timer on each host undoes all faults there and ends the node,
   `lease_s` after the last word from here.
4. Leaders are asked from the clients' address, and only of nodes that run: a cut between clients
   and a node hides its leader from the nemesis, as it does from the clients.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from harness.clusters.ssh import clockwork
from harness.clusters.ssh.clocks import SshClocks
from harness.clusters.ssh.clockwork import Offset
from harness.clusters.ssh.daemons import BEAT_S, Node, SshProcesses, words
from harness.clusters.ssh.disks import SshDisks
from harness.clusters.ssh.firewall import PROBE_PORT
from harness.clusters.ssh.host import INSTALL_LIMIT_S, Host
from harness.clusters.ssh.keepsakes import keep
from harness.clusters.ssh.lines import RemoteLines
from harness.clusters.ssh.network import SshNetwork
from harness.clusters.ssh.options import mistakes_of, settings
from harness.clusters.ssh.survey import look
from harness.clusters.ssh.together import together
from harness.contracts import Address, EnvironmentTrouble, Housekeeping, NodePlan, System
from nemesis.faults import link_names

OnProcess = Callable[[int, float, str], None]

READY_LIMIT_S = 30.0
READY_POLL_S = 0.02
LEADERS_LIMIT_S = 1.0
STOP_LIMIT_S = 20.0
KEEP_LIMIT_S = 60.0
FIRST_PORT = 7001  # of those that have no standard number
CLIENT_PORT, PEER_PORT = "client", "peer"
ALIVE_BEATS = 3


class SshCluster:
    """Implements harness.contracts.Cluster and nemesis.capabilities.Breakable."""

    clients = traitors = members = versions = None

    def __init__(
        self,
        system: System,
        nodes: Sequence[str],
        folder: Path,
        *,
        workload: str,
        options: Mapping[str, str],
        seed: int,
        cluster_options: Mapping[str, str],
        ready_timeout_s: float = READY_LIMIT_S,
        on_process: OnProcess | None = None,
    ) -> None:
        """`folder`: of the run; what each node leaves comes to `nodes/<name>/` there. Processes are
        on other machines, so `on_process` hears of none: the hosts' dead-man timers end them.
        Raises ValueError on mistaken cluster options."""
        del on_process
        mistakes = mistakes_of(cluster_options, len(nodes))
        if mistakes:
            raise ValueError("\n".join(mistakes))
        self.system = system
        self.notices: list[str] = []  # sentences for the report, complete after `stop`
        self._settings = settings(cluster_options)
        self._names = tuple(nodes)
        self._folder = folder.absolute()
        self._workload = workload
        self._options = dict(options)
        self._seed = seed
        self._ready_timeout_s = ready_timeout_s
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._hosts: dict[str, Host] = {}
        self._nodes: dict[str, Node] = {}
        self._offsets: dict[str, Offset] = {}
        self._taken: set[str] = set()  # by name: what another run holds is not ours to give back
        self._network = SshNetwork(self._hosts, self._look_at_once)
        self._processes = SshProcesses(self._nodes, system.command, self._owner)
        self._disks = SshDisks(self._nodes, self._processes, self._settings.python, seed)
        self._clocks = SshClocks(self._nodes, allowed=self._settings.clock == "machine")

    @property
    def nodes(self) -> tuple[str, ...]:
        return self._names

    @property
    def network(self) -> SshNetwork:
        return self._network

    @property
    def processes(self) -> SshProcesses:
        return self._processes

    @property
    def disks(self) -> SshDisks:
        return self._disks

    @property
    def clocks(self) -> SshClocks:
        return self._clocks

    def address(self, node: str) -> Address:
        """The host's address as we reach it: what it calls itself may be known behind it only."""
        host, plan = self._hosts[node], self._nodes[node].plan
        return host.connection.reached_at, plan.listen[CLIENT_PORT][1]

    def lines(self) -> RemoteLines:
        """What the nodes write there: it is fetched in the end only."""
        return RemoteLines(self._nodes)

    def crashes(self) -> Sequence[str]:
        return self._processes.crashes()

    async def leaders(self) -> tuple[str, ...]:
        try:
            async with asyncio.timeout(LEADERS_LIMIT_S):
                states = await self._processes.states()
                running = {n: self.address(n) for n, state in states.items() if state == "running"}
                return await self.system.leaders(running)
        except (TimeoutError, EnvironmentTrouble):
            return ()

    # --- before the start

    async def survey(self) -> None:
        """Connect to the hosts and look at what they offer; `start` does so too. Asked for before
        the refusals of faults, it spares them to wait. Raises EnvironmentTrouble with what is wrong
        with each host."""
        if not self._hosts:
            targets = zip(self._names, self._settings.targets, strict=False)
            self._hosts.update((n, Host(n, t, self._settings)) for n, t in targets)
        unseen = [host for host in self._hosts.values() if host.facts is None]
        await together(host.thread(partial(self._look, host)) for host in unseen)

    def _look(self, host: Host) -> None:
        host.facts = look(host.connection, host.sudo, host.home, self._settings.python)

    def _look_at_once(self) -> Mapping[str, Host]:
        """The hosts, looked at. Where nobody did, the caller waits: a schedule is judged before
        anything else runs, and only once."""
        if not self._hosts or any(host.facts is None for host in self._hosts.values()):
            try:
                with ThreadPoolExecutor(1) as beside:  # this thread's loop may be running
                    beside.submit(lambda: asyncio.run(self.survey())).result()
            finally:
                for host in self._hosts.values():
                    host.connection.cut()  # it may be that no run follows
        return self._hosts

    # --- start and stop

    async def start(self) -> None:
        if self._taken:
            await self.stop()
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Also gives the hosts back, fetches what the nodes left, and closes the connections."""
        await self._processes.end_beats()
        if self._taken:
            ours = [node for name, node in self._nodes.items() if name in self._taken]
            for node in ours:
                node.to_end = True
            told = await together(self._give_back(node) for node in ours)
            self.notices += [sentence for sentences in told for sentence in sentences]
            self._taken.clear()
        for host in self._hosts.values():
            host.close()
        self._hosts.clear()

    async def _start(self) -> None:
        if len(self._names) > 1 and PEER_PORT not in self.system.framings:
            raise EnvironmentTrouble(
                f"system {self.system.name} has no port '{PEER_PORT}', so {len(self._names)} nodes "
                "of it cannot reach one another. Run one (--nodes 1), or declare the port and give "
                "each node the addresses of its peers."
            )
        await self.survey()
        self._nodes.clear()
        self._offsets.clear()
        self._processes.forget()
        self._disks.forget()
        self._nodes.update((name, self._node(name)) for name in self._names)
        self._processes.begin_beats()
        await together(self._take(node) for node in self._nodes.values())
        await self._network.open()
        await self._check_links()
        await together(self._bring_up(node) for node in self._nodes.values())

    def _node(self, name: str) -> Node:
        log = self._folder / "nodes" / name / "log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
        return Node(self._hosts[name], self._plan(name), log)

    def _plan(self, name: str) -> NodePlan:
        hosts = {n: host.known.address for n, host in self._hosts.items()}
        ports = {
            port: framing.port or FIRST_PORT + i
            for i, (port, framing) in enumerate(self.system.framings.items())
        }
        peers = [other for other in self._names if other != name and PEER_PORT in ports]
        home = Path(self._hosts[name].node_home)
        return NodePlan(
            name=name,
            data=home / "data",
            listen={port: (hosts[name], number) for port, number in ports.items()},
            peers={other: (hosts[other], ports[PEER_PORT]) for other in peers},
            trace=home / "trace.jsonl",
            seed=Random(f"{self._seed}-{name}").getrandbits(32),
            workload=self._workload,
            options=self._options,
            hosts=hosts,
        )

    async def _take(self, node: Node) -> None:
        """Make the host ours: nobody else's run, nothing left of an earlier one."""
        host, root = node.host, node.host.known.root
        holder = await host.holder()
        if holder and await self._goes_on(host, holder):
            raise EnvironmentTrouble(
                f"{host} is held by another run ({holder.split()[0]}), which goes on. Wait for its "
                "end, or use other hosts or another directory."
            )
        self._taken.add(node.name)
        await host.install_script()
        await host.order("release", root=root)
        await self._run_all("wipe", node)
        await host.order("fresh", node.name)
        await self._processes.guard(node, str(self._settings.lease_s))
        await host.upload()
        await self._run_all("install", node)
        command = clockwork.teller(host.known, self._settings.python)
        if command:
            self._offsets[node.name] = await host.thread(
                lambda: clockwork.ask(host.connection, command)
            )

    async def _goes_on(self, host: Host, holder: str) -> bool:
        """Does its holder still send words? One that was killed does not."""
        for _ in range(ALIVE_BEATS):
            await asyncio.sleep(BEAT_S)
            now = await host.holder()
            if now != holder:
                return bool(now)
        return False

    async def _run_all(self, what: Any, node: Node) -> None:
        """The system's own commands around a node's life. Raises EnvironmentTrouble."""
        if not isinstance(self.system, Housekeeping):
            return
        for command in self.system.commands(what, node.plan):
            folder, *argv = words(command, node.plan, node.host)
            script = 'mkdir -p "$1"; cd "$1" && shift && exec "$@"'
            ended = await node.host.run(
                ["sh", "-c", script, what, folder, *argv],
                limit_s=INSTALL_LIMIT_S,
                idempotent=False,
            )
            if ended.status != 0:
                raise EnvironmentTrouble(
                    f"node {node.name} on {node.host.target} failed to {what}: "
                    f"'{' '.join(argv[1:])}' ended with status {ended.status}: {ended.complaint}"
                )

    async def _check_links(self) -> None:
        """A link that carries no probe before anything was cut would spoil every evidence."""
        readings = await self._network.measure()
        shut = link_names([link for link, reading in readings.items() if not reading.reachable])
        if shut:
            raise EnvironmentTrouble(
                f"nothing comes through {', '.join(shut[:5])}"
                f"{f' and {len(shut) - 5} more links' if len(shut) > 5 else ''}, though nothing is "
                f"cut: probes are datagrams to UDP port {PROBE_PORT} of each host. Let them "
                "pass the firewalls in between."
            )

    async def _bring_up(self, node: Node) -> None:
        """Start the node and wait until it serves."""
        name, address = node.name, self.address(node.name)
        await self._processes.restart([name])
        try:
            async with asyncio.timeout(self._ready_timeout_s):
                while not await self.system.ready(name, address):
                    if await self._processes.state(name) == "dead":
                        raise EnvironmentTrouble(
                            f"node {name} ended at start ({await self._processes.ending(name)})."
                        )
                    await asyncio.sleep(READY_POLL_S)
        except TimeoutError:
            raise EnvironmentTrouble(
                f"node {name} runs on {node.host.target} but is not ready after "
                f"{self._ready_timeout_s:g} s: it does not serve clients at "
                f"{address[0]}:{address[1]}. {await self._processes.last_lines(name)}"
            ) from None
        except EnvironmentTrouble as wrong:
            raise EnvironmentTrouble(f"{wrong} {await self._processes.last_lines(name)}") from wrong

    async def _give_back(self, node: Node) -> list[str]:
        """End the node, undo everything on its host, keep what it left."""
        host, name = node.host, node.name
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                with contextlib.suppress(EnvironmentTrouble):  # those left are killed below
                    if await self._processes.state(name) == "running":  # others cannot hear
                        await self._run_all("stop", node)
                        await self._processes.end([name])
                await host.order("release", root=host.known.root)
        except (EnvironmentTrouble, TimeoutError) as wrong:
            return [
                f"{host} could not be given back ({wrong or 'it did not answer in time'}): its "
                f"dead-man timer heals it within {self._settings.lease_s} s of our last word."
            ]
        try:
            async with asyncio.timeout(KEEP_LIMIT_S):
                last = await self._last_offset(node)
                logs = self.system.logs(node.plan) if isinstance(self.system, Housekeeping) else ()
                return await keep(node, logs, self._offsets.get(name), last)
        except (EnvironmentTrouble, TimeoutError) as wrong:
            return [
                f"Not all that node {name} wrote could be fetched "
                f"({wrong or f'it took more than {KEEP_LIMIT_S:g} s'}); it is still in "
                f"{host.target}:{host.node_home}."
            ]

    async def _last_offset(self, node: Node) -> Offset | None:
        if node.name not in self._offsets:
            return None
        host = node.host
        command = clockwork.teller(host.known, self._settings.python)
        return await host.thread(lambda: clockwork.ask(host.connection, command))
