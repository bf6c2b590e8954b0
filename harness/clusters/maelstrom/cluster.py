"""The maelstrom cluster: node processes that speak JSON on standard input and output. No root.

Rules
1. A start wipes what an earlier run left in the nodes' folders (the logs are kept), and either all
   nodes have answered their init or none runs.
2. Over its lives a node keeps its data directory, which is its working directory, its port for
   clients and its trace file. Each life gets an init: what a node remembers, it has on disk.
3. What a node writes to standard error is its log. Standard output is for messages only.
4. Whatever happens to the harness, the keeper ends the nodes (see keeper). `stop` kills them: the
   protocol has no farewell, and what runs here must stand a SIGKILL.

Sources: Maelstrom's doc/protocol.md; init has ten seconds there, READY_LIMIT_S here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from harness.clusters.maelstrom.clients import Door
from harness.clusters.maelstrom.network import MaelstromNetwork
from harness.clusters.maelstrom.pipes import Pipes
from harness.clusters.maelstrom.router import Router
from harness.clusters.maelstrom.services import services
from harness.clusters.maelstrom.settings import Settings
from harness.clusters.maelstrom.topologies import neighbours
from harness.clusters.maelstrom.ways import Weather
from harness.clusters.ports import take
from harness.clusters.processes import Node, NodeProcesses
from harness.clusters.readiness import all_or_none
from harness.clusters.supervisor import Life, OnProcess, Supervisor
from harness.contracts import Address, Command, EnvironmentTrouble, NodePlan, System

READY_LIMIT_S = 30.0
SILENT_AFTER_S = 5.0  # a node that was started just before the end may take its time
CLIENT_PORT = "client"
WITH_TOPOLOGY = "broadcast"  # the workload whose nodes are told of their neighbours

# Opens the pipes by name and becomes the node, with the pid that the keeper knows.
_ON_PIPES = ("/bin/sh", "-c", 'exec "$@" <"$0/stdin" >"$0/stdout"')


class MaelstromCluster:
    """Implements harness.contracts.Cluster and nemesis.capabilities.Breakable."""

    # Programs as they are, on the disks and clocks of this machine: those it does not break.
    disks = clocks = clients = traitors = members = versions = None

    def __init__(
        self,
        system: System,
        nodes: Sequence[str],
        folder: Path,
        *,
        workload: str,
        options: Mapping[str, str],
        seed: int,
        settings: Settings | None = None,
        ready_timeout_s: float = READY_LIMIT_S,
        on_process: OnProcess | None = None,
    ) -> None:
        """`folder`: of the run; each node gets `nodes/<name>/` there. `on_process(pid,
        create_time, name)` hears of every process that is started, the keeper included."""
        self.system = system
        self._names = tuple(nodes)
        self._folder = folder.absolute()
        self._workload, self._options = workload, dict(options)
        self._seed = seed
        self._settings = settings or Settings()
        self._ready_timeout_s = ready_timeout_s
        # Ports are no part of what a seed repeats: two runs of one seed may share the machine.
        self._ports = Random(f"{seed}-{os.getpid()}-{self._folder}")
        self._nodes: dict[str, Node] = {}
        self._doors: dict[str, Door] = {}
        self._router: Router | None = None
        self._network = MaelstromNetwork(self._names, seed)
        self._never_up: list[str] = []
        self._supervisor = Supervisor(on_process, self._gone)
        self._processes = NodeProcesses(
            self._nodes, lambda _node: self._supervisor, self, self._command
        )

    @property
    def nodes(self) -> tuple[str, ...]:
        return self._names

    @property
    def network(self) -> MaelstromNetwork:
        return self._network

    @property
    def processes(self) -> NodeProcesses:
        return self._processes

    async def leaders(self) -> tuple[str, ...]:
        """The protocol has no word for it."""
        return ()

    def address(self, node: str) -> Address:
        return self._doors[node].address

    @property
    def notices(self) -> Sequence[str]:
        """What nodes did against the protocol, and those that never answered the init of their
        last life."""
        return [*self._mistakes(), *self._never_up]

    def crashes(self) -> Sequence[str]:
        return self._processes.crashes()

    async def start(self) -> None:
        await self.stop()
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        self._never_up = [*self._never_up, *self._silent()]
        for node in self._nodes.values():
            node.to_end = True
        with contextlib.suppress(EnvironmentTrouble):  # the keeper tries again when it ends
            await self._processes.kill(list(self._nodes))
        await self._supervisor.close()
        if self._router is not None:
            self._router.close()
        self._network.close()
        for door in self._doors.values():
            await door.close()

    def expect(self, node: str, addresses: Mapping[str, Address]) -> None:
        """See harness.clusters.processes.Doorkeeper: its door opens when it has answered init."""

    def down(self, node: str) -> None:
        """Likewise: the node was reaped."""
        assert self._router is not None, "nodes run between start and stop"
        self._router.end(node)
        self._doors[node].cut_off()

    async def _start(self) -> None:
        self._never_up = []
        weather = None if self._settings.calm else Weather(self._settings, self._seed)
        self._network.open(weather, self._refresh)
        self._router = Router(
            self._names,
            self._network.links,
            new_link=self._network.new_link,
            services=services(self._seed),
            weather=weather,
            neighbours=self._neighbours(),
            on_stage=self._refresh,
        )
        self._doors = {
            name: Door(name, take(self._ports), self._router, self._lets_in) for name in self._names
        }
        self._nodes.update((name, self._plan(name)) for name in self._names)
        await self._supervisor.open(self._folder / "nodes" / "keeper.log")
        await all_or_none(self._bring_up(node) for node in self._nodes.values())

    def _neighbours(self) -> Mapping[str, Sequence[str]] | None:
        if self._workload != WITH_TOPOLOGY:
            return None
        return neighbours(self._settings.topology, self._names)

    def _plan(self, name: str) -> Node:
        """Wipes the node's folder."""
        home = self._folder / "nodes" / name
        data, trace = home / "data", home / "trace.jsonl"
        if data.exists():
            shutil.rmtree(data)
        trace.unlink(missing_ok=True)
        data.mkdir(parents=True)
        plan = NodePlan(
            name=name,
            data=data,
            listen={CLIENT_PORT: self._doors[name].address},
            peers={},
            trace=trace,
            seed=Random(f"{self._seed}-{name}").getrandbits(32),
            workload=self._workload,
            options=self._options,
        )
        return Node(plan, {}, home / "log")

    def _command(self, plan: NodePlan) -> Command:
        """The system's, between pipes that were opened for this life. Raises EnvironmentTrouble if
        there is no such program: the shell would say so in the log only."""
        assert self._router is not None, "nodes are started between start and stop"
        command = self.system.command(plan)
        path = {**os.environ, **command.env}.get("PATH", os.defpath)
        cwd = command.cwd or plan.data
        program = command.argv[0]
        if shutil.which(cwd / program if os.sep in program else program, path=path) is None:
            raise EnvironmentTrouble(
                f"node {plan.name} cannot be started: there is no program {program!r} that may be "
                "executed. Correct the command of its system: the program must be on the PATH, or "
                "given by its whole path (beside the system's file: {here}/...)."
            )
        home, name, router = plan.data.parent, plan.name, self._router
        pipes = Pipes(home, lambda data: router.feed(name, data), lambda: router.deaf(name))
        router.begin(name, pipes)
        return Command(
            argv=(*_ON_PIPES, str(home), *command.argv), env=command.env, cwd=command.cwd
        )

    async def _bring_up(self, node: Node) -> None:
        assert self._router is not None, "made just before"
        seat = self._router.seat(node.name)
        await self._processes.restart([node.name])
        assert node.life is not None, "it was started above"
        settled = asyncio.create_task(seat.settled.wait())
        ended = asyncio.create_task(node.life.gone.wait())
        try:
            await asyncio.wait(
                (settled, ended),
                timeout=self._ready_timeout_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            settled.cancel()
            ended.cancel()
        if seat.stage == "up":
            return
        if not node.alive:
            wrong = f"node {node.name} ended at start ({node.life.ending})"
        elif seat.refusal:
            wrong = f"node {node.name} runs, but {seat.refusal}"
        else:
            request = "topology" if seat.stage == "told" else "init"
            wrong = (
                f"node {node.name} runs, but has not answered {request} after "
                f"{self._ready_timeout_s:g} s: it must read it from standard input, and write "
                f"{request}_ok, with in_reply_to, to standard output, and flush it"
            )
        told = (f"{wrong}.", *self._mistakes(), node.last_lines())
        raise EnvironmentTrouble(" ".join(told))

    def _lets_in(self, node: str) -> bool:
        assert self._router is not None, "there are doors"
        return self._router.seat(node).stage == "up" and not self._network.is_reset(node)

    def _refresh(self, node: str) -> None:
        """The node has come or gone, or its link to clients has changed."""
        door = self._doors.get(node)
        if door is None:
            return
        door.refresh()
        if self._network.is_reset(node):
            door.reset()

    def _mistakes(self) -> list[str]:
        return [] if self._router is None else self._router.mistakes.sentences()

    def _silent(self) -> list[str]:
        """The living that should have answered the init of this life, and have not."""
        if self._router is None:
            return []
        told = []
        for name, node in self._nodes.items():
            seat = self._router.seat(name)
            late = self._router.age_s(name) > SILENT_AFTER_S
            if node.alive and seat.stage != "up" and (seat.refusal or late):
                reason = seat.refusal or "has not answered the init of this life"
                told.append(f"node {name} runs, but {reason}.")
        return told

    def _gone(self, name: str, life: Life) -> None:
        self._processes.gone(name, life)
