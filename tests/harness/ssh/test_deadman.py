"""Hosts heal by themselves when nobody drives them any more, and belong to one run at a time."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from harness.contracts import EnvironmentTrouble
from nemesis.faults import CLIENT, Partition, Throttle
from tests.harness.namespaces.inside import ROOT, run_inside
from tests.harness.ssh.hosts import SshHosts
from tests.harness.ssh.test_cluster import cluster_on

LEASE_S = 3
HEAL_LIMIT_S = 10.0

CONTROLLER = """
import asyncio, json, sys
from pathlib import Path
from harness.clusters.ssh.cluster import SshCluster
from nemesis.faults import CLIENT, Partition, Throttle
from tests.harness.toy_system import ToySystem

async def main():
    options, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
    cluster = SshCluster(ToySystem(), ("n1", "n2"), folder, workload="register", options={},
                         seed=1, cluster_options=options)
    await cluster.start()
    cut = (("n1", "n2"), (CLIENT, "n1"), ("n1", CLIENT))
    await cluster.network.apply(1, Partition(links=cut))
    await cluster.network.apply(2, Throttle(links=(("n1", "n2"),)))
    await cluster.processes.pause(["n2"])
    print("broken", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def _controller(hosts: SshHosts, folder: str) -> subprocess.Popen[str]:
    options = hosts.options(upload=str(ROOT / "tests/harness/toy_node.py"), lease_s=str(LEASE_S))
    controller = subprocess.Popen(
        [sys.executable, "-c", CONTROLLER, json.dumps(options), folder],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert controller.stdout is not None
    assert controller.stdout.readline() == "broken\n"
    return controller


def _left(hosts: SshHosts, name: str) -> list[str]:
    """What is not as it was: nodes and watches, rules, queues."""
    ours = [p.name() for p in hosts.processes(name) if "/var/tmp/antipaxos" in _argv(p)]
    rules = hosts.on(name, "nft", "list", "tables").split()
    queues = hosts.on(name, "tc", "qdisc", "show", "dev", "eth0")
    return ours + rules + (["htb"] if "htb" in queues else [])


def _argv(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


async def _until_healed(hosts: SshHosts) -> None:
    async with asyncio.timeout(HEAL_LIMIT_S):
        while any(_left(hosts, name) for name in hosts.names):  # noqa: ASYNC110 - on the hosts
            await asyncio.sleep(0.1)


def a_killed_controller_leaves_whole_hosts() -> None:
    with SshHosts(2) as hosts, tempfile.TemporaryDirectory() as folder:
        with _controller(hosts, folder) as controller:
            for name in hosts.names:
                assert "antipaxos" in _left(hosts, name)
            assert "htb" in _left(hosts, "n1")
            controller.send_signal(signal.SIGKILL)
        asyncio.run(_until_healed(hosts))


def test_a_killed_controller_leaves_whole_hosts() -> None:
    """SIGKILL with links cut and narrow and a node paused: some seconds later no rule, no queue, no
    process of ours is on any host."""
    run_inside(a_killed_controller_leaves_whole_hosts)


def hosts_belong_to_one_run() -> None:
    with SshHosts(3) as hosts, tempfile.TemporaryDirectory() as folder:

        async def second() -> None:
            cluster = cluster_on(hosts, Path(folder))
            await cluster.start()
            try:
                states = await cluster.processes.states()
                assert states == dict.fromkeys(hosts.names, "running")
                readings = await cluster.network.measure()
                assert all(reading.reachable for reading in readings.values())
            finally:
                await cluster.stop()

        with _controller(hosts, folder) as controller:
            with pytest.raises(EnvironmentTrouble, match=r"is held by another run .*which goes on"):
                asyncio.run(second())
            assert controller.poll() is None
            assert "antipaxos" in _left(hosts, "n1")
            assert "running" in hosts.on("n1", "sh", "/var/tmp/antipaxos-root/host", "state", "n1")
            assert _left(hosts, "n3") == []
            controller.send_signal(signal.SIGKILL)
        asyncio.run(second())
        assert [_left(hosts, name) for name in hosts.names] == [[], [], []]


def test_hosts_belong_to_one_run() -> None:
    """A second run is refused while the first one lives, which notices nothing, though one of the
    hosts was free; it takes over when the first has died, of which nothing is left."""
    run_inside(hosts_belong_to_one_run)


def a_host_that_hears_nothing_is_told_of() -> None:
    async def main() -> None:
        cluster = cluster_on(hosts, Path(folder), lease_s=str(LEASE_S))
        await cluster.start()
        try:
            await cluster.network.apply(1, Partition(links=((CLIENT, "n1"),)))
            await cluster.network.apply(2, Throttle(links=(("n1", "n2"),)))
            await cluster.processes.end_beats()
            await _until_healed(hosts)
            cluster.processes.begin_beats()
            async with asyncio.timeout(HEAL_LIMIT_S):
                while len(cluster.crashes()) < 2:  # noqa: ASYNC110 - another task's doing
                    await asyncio.sleep(0.05)
        finally:
            await cluster.stop()
        assert all("healed itself" in crash for crash in cluster.crashes())
        assert all("lease_s" in crash for crash in cluster.crashes())

    with SshHosts(2) as hosts, tempfile.TemporaryDirectory() as folder:
        asyncio.run(main())


def test_a_host_that_hears_nothing_is_told_of() -> None:
    """Where only the words stopped and we live on, the run says why its nodes are gone."""
    run_inside(a_host_that_hears_nothing_is_told_of)
