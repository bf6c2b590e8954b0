"""etcd on the clusters of the harness: from nothing to a write that all read; what is refused."""

import asyncio
import tempfile
from pathlib import Path

import pytest

from harness.clusters.local import LocalCluster
from harness.clusters.namespaces.cluster import NamespaceCluster
from harness.contracts import Cluster, EnvironmentTrouble
from harness.systems.etcd import Etcd
from tests.harness.etcd.members import VERSIONS, needs_version, operation
from tests.harness.namespaces.inside import run_inside

LIMIT_S = 5.0


async def write_and_read(etcd: Etcd, cluster: Cluster) -> list[object]:
    """What each node reads after one of them was written to."""
    seen = []
    for number, node in enumerate(cluster.nodes):
        client = etcd.client(node, cluster.address(node), "register", LIMIT_S)
        await client.open()
        if number == 0:
            await client.invoke(operation("write", 5))
        seen.append((await client.invoke(operation("read"))).value)
        await client.close()
    return seen


def test_one_member_runs_on_the_local_cluster(version: str, tmp_path: Path) -> None:
    """Rule: a single member needs no address that others know it by."""
    etcd, options = Etcd(), {"version": version}

    async def main() -> tuple[list[object], tuple[str, ...]]:
        cluster = LocalCluster(
            etcd, ("n1",), tmp_path, workload="register", options=options, seed=1
        )
        await cluster.start()
        try:
            return await write_and_read(etcd, cluster), await cluster.leaders()
        finally:
            await cluster.stop()

    assert ([5], ("n1",)) == asyncio.run(main())


def test_several_members_on_the_local_cluster_are_refused(tmp_path: Path) -> None:
    """Rule: every link has an address of its own there: the sentence names the cluster to use."""

    async def main() -> None:
        nodes = ("n1", "n2", "n3")
        cluster = LocalCluster(Etcd(), nodes, tmp_path, workload="register", options={}, seed=1)
        with pytest.raises(EnvironmentTrouble, match="Use --cluster namespaces"):
            await cluster.start()
        await cluster.stop()

    asyncio.run(main())


def on_hosts(version: str) -> None:
    async def main(folder: Path) -> None:
        etcd, nodes = Etcd(), ("n1", "n2", "n3")
        cluster = NamespaceCluster(
            etcd, nodes, folder, workload="register", options={"version": version}, seed=1
        )
        await cluster.start()
        try:
            assert [5, 5, 5] == await write_and_read(etcd, cluster)
            assert 1 == len(await cluster.leaders())
            addresses = {node: cluster.address(node) for node in nodes}
            digests = await etcd.digests(addresses)
            assert list(nodes) == [digest.node for digest in digests]
            assert 1 == len({(digest.position, digest.value) for digest in digests})
        finally:
            await cluster.stop()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder)))


@pytest.mark.parametrize("version", VERSIONS)
def test_three_members_run_on_hosts_of_their_own(version: str) -> None:
    """Rule: unmodified, on their standard ports; what one has written all read."""
    needs_version(version)
    run_inside(on_hosts, version)


def dead_on_arrival() -> None:
    with tempfile.TemporaryDirectory() as folder:

        async def main(binary: str) -> str:
            options = {"binary": binary}
            cluster = NamespaceCluster(
                Etcd(), ("n1",), Path(folder), workload="register", options=options, seed=1
            )
            with pytest.raises(EnvironmentTrouble) as trouble:
                await cluster.start()
            await cluster.stop()
            return str(trouble.value)

        missing = asyncio.run(main("/nowhere/etcd"))
        assert "n1" in missing
        assert "/nowhere/etcd" in missing
        assert "node n1 ended at start (exit status 1)" in asyncio.run(main("/bin/false"))


def test_a_binary_that_is_none_is_told_with_its_node() -> None:
    """Rule: a program that is not there, or ends, is trouble that names the node."""
    run_inside(dead_on_arrival)
