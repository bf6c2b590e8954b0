"""Hosts and nodes that will not do, each named with what was tried and what to do."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest

from harness.clusters.ssh import connection
from harness.clusters.ssh.cluster import SshCluster
from harness.contracts import Command, EnvironmentTrouble, NodePlan
from nemesis.faults import Throttle
from tests.harness.namespaces.inside import run_inside
from tests.harness.ssh.hosts import SshHosts
from tests.harness.ssh.test_cluster import cluster_on
from tests.harness.toy_system import NODE, ToySystem


def _trouble(cluster: SshCluster) -> str:
    with pytest.raises(EnvironmentTrouble) as told:
        asyncio.run(cluster.start())
    return str(told.value)


def every_bad_host_is_told_at_once() -> None:
    connection.RENEW_LIMIT_S = 0.3
    lacking = {"n1": ["/usr/bin/setsid"]}
    with SshHosts(3, lacking=lacking) as hosts, tempfile.TemporaryDirectory() as folder:
        hosts.down("n2")
        hosts.down("n3")
        hosts.new_key("n3.key")
        hosts.up("n3")
        told = _trouble(cluster_on(hosts, Path(folder))).split("\n")
        assert len(told) == 3
        assert told[0].startswith("node n1's host root@10.99.0.1 has no setsid")
        assert told[1].startswith("node n2's host root@10.99.0.2 cannot be reached")
        assert told[2].startswith("root@10.99.0.3 shows a host key that is not the known one")


def test_every_bad_host_is_told_at_once() -> None:
    """One that lacks a program, one that is away, one with another key: three sentences."""
    run_inside(every_bad_host_is_told_at_once)


def no_sudo_is_told() -> None:
    with SshHosts(1) as hosts, tempfile.TemporaryDirectory() as folder:
        hosts.program("sudo", "#!/bin/sh\necho sudo: a password is required >&2\nexit 1\n")
        told = _trouble(cluster_on(hosts, Path(folder), sudo="yes"))
        assert "n1's host root@10.99.0.1 refuses 'sudo -n true': sudo: a password" in told
        assert "NOPASSWD" in told


def test_no_sudo_is_told() -> None:
    """A host where sudo asks, or is not there, is found before anything is done."""
    run_inside(no_sudo_is_told)


def root_is_asked_for_by_sudo_alone() -> None:
    with SshHosts(2) as hosts, tempfile.TemporaryDirectory() as folder:
        hosts.program("sudo", f'#!/bin/sh\necho "$*" >> {folder}/asked\nshift && exec "$@"\n')
        cluster = cluster_on(hosts, Path(folder), sudo="yes")

        async def main() -> None:
            await cluster.start()
            try:
                await cluster.network.apply(1, Throttle(links=(("n1", "n2"),)))
            finally:
                await cluster.stop()

        asyncio.run(main())
        asked = (Path(folder) / "asked").read_text()
        for needed in (
            "-n true",
            "-n nft",
            "-n unshare",
            "-n sh -c",
            "/host guard",
            "/host release",
        ):
            assert needed in asked
        assert "/host start" not in asked


def test_root_is_asked_for_by_sudo_alone() -> None:
    """Where sudo=yes, what needs root goes through `sudo -n`, and nodes do not."""
    run_inside(root_is_asked_for_by_sudo_alone)


def a_full_disk_is_told() -> None:
    with SshHosts(1, disk="16k") as hosts, tempfile.TemporaryDirectory() as folder:
        told = _trouble(cluster_on(hosts, Path(folder)))
        assert "has 1" in told
        assert "KiB free" in told
    with SshHosts(1, disk="2m") as hosts, tempfile.TemporaryDirectory() as folder:
        big = Path(folder) / "big"
        big.write_bytes(bytes(4 << 20))
        told = _trouble(cluster_on(hosts, Path(folder), upload=f"{NODE},{big}"))
        assert "does not take" in told
        assert "directory" in told


def test_a_full_disk_is_told() -> None:
    """Found at the first look, or where an upload meets it."""
    run_inside(a_full_disk_is_told)


class Wrong(ToySystem):
    """A toy whose command is another, or that is never ready."""

    def __init__(self, *argv: str) -> None:
        self._argv = argv

    def command(self, plan: NodePlan) -> Command:
        return Command(argv=self._argv) if self._argv else super().command(plan)

    async def ready(self, *_: object) -> bool:
        return False


def _told_of(hosts: SshHosts, system: ToySystem, **more: Any) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return _trouble(
            SshCluster(
                system,
                hosts.names,
                Path(folder),
                workload="register",
                seed=1,
                cluster_options=hosts.options(upload=NODE),
                **{"options": {}, "ready_timeout_s": 0.5, **more},
            )
        )


def nodes_that_do_not_start_are_told() -> None:
    with SshHosts(2) as hosts:
        told = _told_of(hosts, ToySystem(), options={"die": "n2"}, ready_timeout_s=10)
        assert "node n2 ended at start (exit status 1). The last lines of its log" in told
        assert "cannot go on: the toy was told to die" in told
        told = _told_of(hosts, Wrong("no-such-program", "it's"))
        assert "exit status 127: its program is not there" in told
        assert "no-such-program" in told
        told = _told_of(hosts, Wrong())
        assert "runs on root@10.99.0.1 but is not ready after 0.5 s" in told
        for name in hosts.names:
            assert [words for words in hosts.commands(name) if "toy" in words] == []


def test_nodes_that_do_not_start_are_told() -> None:
    """One that ends, one that does not exist, one that is never ready; and none is left running."""
    run_inside(nodes_that_do_not_start_are_told)
