"""The ssh cluster does what every cluster must, on five hosts that it reaches by SSH alone."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from harness.clusters.ssh.cluster import SshCluster
from harness.contracts import Address
from tests.harness import conformance
from tests.harness.conformance import play
from tests.harness.namespaces.inside import run_inside
from tests.harness.ssh.hosts import SshHosts
from tests.harness.toy_system import NODE, ToySystem, ask

NODES = 3


def cluster_on(hosts: SshHosts, folder: Path, **options: str) -> SshCluster:
    return SshCluster(
        ToySystem(),
        hosts.names,
        folder,
        workload="register",
        options={},
        seed=7,
        cluster_options=hosts.options(**{"upload": NODE, **options}),
    )


class SshStage:
    def __init__(self, hosts: SshHosts, folder: Path) -> None:
        self.cluster = cluster_on(hosts, folder)

    async def ask(self, address: Address) -> bool:
        try:
            async with asyncio.timeout(0.4):
                return bool(await ask(address, "ping"))
        except (OSError, EOFError, TimeoutError):
            return False


# What needs delays, which the kernel may not have.
NEEDS_NETEM = {conformance.faults_add_up}


def clauses(names: list[str]) -> None:
    with SshHosts(NODES) as hosts:
        for clause in conformance.CLAUSES:
            if clause.__name__ in names:
                print(clause.__name__, flush=True)
                with tempfile.TemporaryDirectory() as folder:
                    asyncio.run(play(SshStage(hosts, Path(folder)), clause))


def test_conformance() -> None:
    """Every clause of the kit that needs no delays."""
    run_inside(clauses, [c.__name__ for c in conformance.CLAUSES if c not in NEEDS_NETEM])


def test_conformance_needs_no_rights() -> None:
    """Nobody may have hosts with sshd in a world of his own, and cut them off from one another."""
    some = (conformance.all_nodes_run_and_answer, conformance.partition_is_directed_and_heals)
    run_inside(clauses, [clause.__name__ for clause in some], unprivileged=True)
