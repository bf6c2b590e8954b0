"""What nodes leave on their hosts is in the run's folder afterwards, told in our time."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

import pytest

from harness.clock import monotonic_ns
from harness.clusters.ssh.cluster import SshCluster
from harness.contracts import Command, NodePlan
from tests.harness.namespaces.inside import run_inside
from tests.harness.ssh.hosts import SshHosts
from tests.harness.ssh.test_cluster import cluster_on
from tests.harness.toy_system import NODE, ToySystem, ask


def what_a_node_leaves_comes_home() -> None:
    async def main(folder: Path) -> None:
        cluster = cluster_on(hosts, folder)
        await cluster.start()
        try:
            with pytest.raises((OSError, EOFError)):
                await ask(cluster.address("n1"), "exit 9")
            async with asyncio.timeout(5):
                while (await cluster.processes.states())["n1"] != "dead":  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            await cluster.processes.restart(["n1"])
            async with asyncio.timeout(5):
                while not await cluster.system.ready("n1", cluster.address("n1")):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            log = folder / "nodes/n1/log"
            async with asyncio.timeout(5):
                while "leaving, as asked" not in log.read_text():  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            hosts.cut_connections("n2")
            assert (await cluster.processes.states())["n2"] == "running"
        finally:
            await cluster.stop()
        (crash,) = cluster.crashes()
        assert crash.startswith("node n1 ended by itself (exit status 9)")
        assert "leaving, as asked" in crash
        assert cluster.notices == []
        assert log.read_text() == "leaving, as asked\n"
        assert (folder / "nodes/n1/trace.jsonl").read_text() == "restart\nrestart\n"
        assert (folder / "nodes/n2/trace.jsonl").read_text() == "restart\n"

    with SshHosts(2) as hosts, tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder)))


def test_what_a_node_leaves_comes_home() -> None:
    """A crash is told once, with status and log; logs, which are followed while the node runs, and
    traces of all lives are in the run's folder, though a connection was cut meanwhile."""
    run_inside(what_a_node_leaves_comes_home)


TELL = 'import time; print(\'{"time":%d,"node":"n"}\' % time.monotonic_ns())'


def traces_of_other_clocks_are_told_in_ours() -> None:
    async def main(folder: Path) -> None:
        cluster = cluster_on(hosts, folder)
        await cluster.start()
        try:
            before_ns = monotonic_ns()
            for name in hosts.names:
                trace = f"/var/tmp/antipaxos-root/nodes/{name}/trace.jsonl"
                hosts.on(
                    name, "sh", "-c", '"$1" -c "$2" > "$3"', "tell", sys.executable, TELL, trace
                )
            after_ns = monotonic_ns()
        finally:
            await cluster.stop()
        for name in hosts.names:
            (line,) = (folder / "nodes" / name / "trace.jsonl").read_text().splitlines()
            assert before_ns <= json.loads(line)["time"] <= after_ns

    with (
        SshHosts(2, ahead_s={"n2": 1_000_000}) as hosts,
        tempfile.TemporaryDirectory() as folder,
    ):
        asyncio.run(main(Path(folder)))


def test_traces_of_other_clocks_are_told_in_ours() -> None:
    """A host whose clock is days ahead, and one that shares ours: both traces fall between our own
    two looks at the clock."""
    run_inside(traces_of_other_clocks_are_told_in_ours)


LEASE_S = 3


class Kept(ToySystem):
    """A toy with housekeeping."""

    def commands(self, what: str, plan: NodePlan) -> list[Command]:
        note = f"echo {what} >> {plan.data.parent}.notes"
        wait = f"sleep {LEASE_S + 2 if what == 'install' else 0}"
        return [Command(argv=("sh", "-c", note)), Command(argv=("sh", "-c", wait), env={"A": "b"})]

    def logs(self, plan: NodePlan) -> list[Path]:
        return [Path(f"{plan.data.parent}.notes")]


def housekeeping_is_kept() -> None:
    with SshHosts(1) as hosts, tempfile.TemporaryDirectory() as folder:
        cluster = SshCluster(
            Kept(), ("n1",), Path(folder), workload="register", options={}, seed=1,
            cluster_options=hosts.options(upload=NODE, lease_s=str(LEASE_S)),
        )  # fmt: skip

        async def main() -> None:
            await cluster.start()
            await cluster.stop()

        asyncio.run(main())
        assert cluster.crashes() == []
        notes = Path(folder) / "nodes/n1/logs/n1.notes"
        assert notes.read_text().split() == ["wipe", "install", "stop"]


def test_housekeeping_is_kept() -> None:
    """The system's own commands run in their order, and the files that it names are fetched. An
    install that takes longer than the lease is no silence."""
    run_inside(housekeeping_is_kept)
