"""The namespaces cluster does what every cluster must, and what only hosts of their own can."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import psutil
import pytest

from harness.clusters.namespaces.cluster import NamespaceCluster
from harness.clusters.namespaces.hosts import CLIENT_IP, addresses
from harness.clusters.namespaces.network import Shaper
from harness.clusters.namespaces.switch import SwitchNetwork
from harness.contracts import Address, Command, EnvironmentTrouble, NodePlan
from tests.harness import conformance
from tests.harness.conformance import play
from tests.harness.namespaces.inside import run_inside
from tests.harness.toy_system import ToySystem, ask

NODES = ("n1", "n2", "n3")
NEEDS_A_SHAPER = {conformance.faults_add_up}
LIMIT_S = 8.0

# Leaves twice, as daemon(7) says, and starts a helper with a session of its own.
DAEMON = """
import os, subprocess, sys
for _ in range(2):
    if os.fork():
        os._exit(0)
    os.setsid()
subprocess.Popen(["sleep", "600"], start_new_session=True)
os.execv(sys.argv[1], sys.argv[1:])
"""


class DaemonSystem(ToySystem):
    """The toy, whose nodes go into the background."""

    def command(self, plan: NodePlan) -> Command:
        command = super().command(plan)
        return msgspec.structs.replace(
            command, argv=(sys.executable, "-IS", "-c", DAEMON, *command.argv)
        )


class HostStage:
    def __init__(
        self, folder: Path, system: ToySystem | None = None, shaper: Shaper | None = None
    ) -> None:
        self.cluster = NamespaceCluster(
            system or ToySystem(),
            NODES,
            folder,
            workload="register",
            options={},
            seed=1,
            shaper=shaper,
        )

    async def ask(self, address: Address) -> bool:
        try:
            async with asyncio.timeout(0.4):
                return bool(await ask(address, "ping"))
        except (OSError, EOFError, TimeoutError):
            return False


@contextlib.asynccontextmanager
async def started(system: ToySystem | None = None) -> AsyncIterator[HostStage]:
    with tempfile.TemporaryDirectory() as folder:
        stage = HostStage(Path(folder), system)
        await stage.cluster.start()
        try:
            yield stage
        finally:
            await stage.cluster.stop()


def all_clauses_on_the_bridge() -> None:
    for clause in conformance.CLAUSES:
        if clause not in NEEDS_A_SHAPER:
            with tempfile.TemporaryDirectory() as folder:
                print(clause.__name__)
                asyncio.run(play(HostStage(Path(folder)), clause))


def all_clauses_on_the_switch() -> None:
    for clause in conformance.CLAUSES:
        with tempfile.TemporaryDirectory() as folder:
            print(clause.__name__)
            log = Path(folder) / "switch.log"
            switch = SwitchNetwork(addresses(NODES), CLIENT_IP, 1, log=log)
            asyncio.run(play(HostStage(Path(folder), shaper=switch), clause))


def all_clauses_of_daemons() -> None:
    for clause in (
        conformance.all_nodes_run_and_answer,
        conformance.killed_is_dead_until_restarted,
        conformance.paused_is_silent_until_resumed,
        conformance.paused_can_be_killed,
        conformance.process_orders_are_idempotent,
        conformance.stop_is_idempotent_and_start_begins_anew,
    ):
        with tempfile.TemporaryDirectory() as folder:
            print(clause.__name__)
            asyncio.run(play(HostStage(Path(folder), DaemonSystem()), clause))


def of_host(name: str) -> list[psutil.Process]:
    """The processes in a host's network, the harness's own apart."""
    net = Path(f"/run/netns/{name}").stat().st_ino
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{process.pid}/ns/net").stat().st_ino == net:
                found.append(process)
    return found


def states(name: str) -> dict[str, str]:
    """By the end of the command. Who has died, and waits to be reaped, is none of them."""
    found = {}
    for process in of_host(name):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has been reaped; or is a zombie
            words, state = process.cmdline(), process.status()
            if words and not any(word.endswith("host.py") for word in words):
                found[" ".join(words)[-9:]] = state
    return found


async def _whole_hosts() -> None:
    async with started(DaemonSystem()) as stage:
        processes = stage.cluster.processes
        both = states("n1")
        assert len(both) == 2
        await processes.pause(["n1"])
        assert states("n1") == dict.fromkeys(both, psutil.STATUS_STOPPED)
        await processes.resume(["n1"])
        assert psutil.STATUS_STOPPED not in states("n1").values()
        await processes.kill(["n1"])
        assert states("n1") == {}
        assert len(states("n2")) == 2
        assert list(stage.cluster.crashes()) == []
        await processes.restart(["n1"])
        assert (await processes.states())["n1"] == "running"


def whole_hosts() -> None:
    asyncio.run(_whole_hosts())


async def _crashed_daemon() -> None:
    async with started(DaemonSystem()) as stage:
        (main,) = [p for p in of_host("n1") if any("toy_node" in word for word in p.cmdline())]
        main.send_signal(signal.SIGSEGV)
        async with asyncio.timeout(LIMIT_S):
            while not stage.cluster.crashes():  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.01)
        (sentence,) = stage.cluster.crashes()
        assert "n1 ended by itself (signal 11" in sentence
        assert states("n1") == {}


def crashed_daemon() -> None:
    asyncio.run(_crashed_daemon())


async def _without_a_host(stage: HostStage, which: int) -> None:
    keepers = [p for p in of_host("n1") if any("host.py" in w for w in p.cmdline())]
    assert len(keepers) == 2
    sorted(keepers, key=lambda p: p.pid)[which].kill()
    async with asyncio.timeout(LIMIT_S):
        while of_host("n1"):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
        while (await stage.cluster.processes.states())["n1"] != "dead":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    with pytest.raises(EnvironmentTrouble, match="keeper of the node processes ended"):
        await stage.cluster.processes.restart(["n1"])
    assert (await stage.cluster.processes.states())["n2"] == "running"


async def _keepers() -> None:
    for which in (0, 1):  # the outer process of a host, and the first one inside
        with pytest.raises(EnvironmentTrouble, match=r"lost hosts .* Host n1: the keeper"):
            async with started() as stage:
                await _without_a_host(stage, which)


def keepers_killed() -> None:
    asyncio.run(_keepers())


@pytest.mark.parametrize("unprivileged", [False, True], ids=["as we are", "as nobody"])
def test_conformance_on_the_bridge(unprivileged: bool) -> None:
    """Every clause of the kit that needs no shaper, with and without rights."""
    run_inside(all_clauses_on_the_bridge, unprivileged=unprivileged)


@pytest.mark.parametrize("unprivileged", [False, True], ids=["as we are", "as nobody"])
def test_conformance_on_the_switch(unprivileged: bool) -> None:
    """Every clause of the kit."""
    run_inside(all_clauses_on_the_switch, unprivileged=unprivileged)


def test_conformance_of_nodes_in_the_background() -> None:
    """A program that daemonises is kept like any other."""
    run_inside(all_clauses_of_daemons)


def test_orders_reach_all_processes_of_a_host() -> None:
    """Those with sessions of their own, and of no other host."""
    run_inside(whole_hosts)


def test_a_daemon_that_crashes_is_told() -> None:
    """With its signal; what it has left goes with it."""
    run_inside(crashed_daemon)


def test_a_keeper_that_is_killed_is_told() -> None:
    """Its node dies, later orders and the end say why, and other hosts live on."""
    run_inside(keepers_killed)
