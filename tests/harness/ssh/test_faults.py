"""Faults of hosts over ssh are done, seen and undone; what cannot be is refused beforehand."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from harness.clusters.ssh.cluster import SshCluster
from nemesis.capabilities import refusals
from nemesis.evidence import of_links
from nemesis.faults import (
    CLIENT,
    CorruptDisk,
    Duplicate,
    Fault,
    FillDisk,
    Link,
    Lose,
    Partition,
    SkewClock,
    Slow,
    Throttle,
    TruncateDisk,
)
from nemesis.schedule import Schedule, Step
from tests.harness.namespaces.inside import run_inside
from tests.harness.ssh.hosts import SshHosts
from tests.harness.ssh.test_cluster import cluster_on
from tests.harness.toy_system import ask

Act = Callable[[SshHosts, SshCluster], Awaitable[None]]


def on_a_cluster(count: int, act: Act, **options: str) -> None:
    async def main() -> None:
        cluster = cluster_on(hosts, Path(folder), **options)
        await cluster.start()
        try:
            await act(hosts, cluster)
        finally:
            await cluster.stop()

    with SshHosts(count) as hosts, tempfile.TemporaryDirectory() as folder:
        asyncio.run(main())


def five_hosts_and_every_link_fault() -> None:
    on_a_cluster(5, _links)


async def _links(hosts: SshHosts, cluster: SshCluster) -> None:
    network = cluster.network
    half, rest = hosts.names[:2], hosts.names[2:]
    halves = tuple((a, b) for a in half for b in rest) + tuple((b, a) for a in half for b in rest)
    faults = (
        Partition(links=halves),
        Partition(links=halves[:3], mode="reset"),
        Partition(links=((CLIENT, "n5"), ("n4", CLIENT))),
    )
    cut: set[Link] = set()
    for number, fault in enumerate(faults):
        before = await network.measure()
        await network.apply(number, fault)
        now = await network.measure()
        assert of_links(fault, before, now).in_effect
        cut |= set(fault.links)
        assert cut == {link for link, reading in now.items() if not reading.reachable}
    for number in range(len(faults)):
        await network.undo(number)
    assert all(reading.reachable for reading in (await network.measure()).values())


def test_five_hosts_and_every_cut() -> None:
    """Halves, a cut that resets and cuts of clients, each measured on its own links and added to
    those before; undone, all is open."""
    run_inside(five_hosts_and_every_link_fault)


def losses_and_narrow_links_show_in_traffic() -> None:
    on_a_cluster(2, _traffic, directory="/var/tmp/an odd 'place' $HOME")


async def _traffic(hosts: SshHosts, cluster: SshCluster) -> None:
    network, n1 = cluster.network, cluster.address("n1")
    for fault in (
        Lose(links=(("n1", "n2"),), probability=0.5),
        Throttle(links=(("n1", "n2"),), bytes_per_s=20_000),
    ):
        before = await network.measure()
        await network.apply(1, fault)
        for number in range(40):
            await ask(n1, f"send n2 {number}{'x' * 300}")
        async with asyncio.timeout(10):
            while not of_links(fault, before, await network.measure()).in_effect:
                await ask(n1, "send n2 more")
        await network.undo(1)
    assert "antipaxos" in hosts.on("n1", "nft", "list", "tables")
    assert "htb" not in hosts.on("n1", "tc", "qdisc", "show", "dev", "eth0")
    expected = {f"{number}{'x' * 300}" for number in range(40)}
    async with asyncio.timeout(10):
        while not expected <= set(await ask(cluster.address("n2"), "inbox")):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def test_losses_and_narrow_links_show_in_traffic() -> None:
    """Evidence comes from what nodes sent; the stream itself comes through in the end. (Nor does an
    odd directory trouble any shell.)"""
    run_inside(losses_and_narrow_links_show_in_traffic)


def disks_are_damaged_while_their_nodes_are_dead() -> None:
    on_a_cluster(2, _disks)


async def _disks(hosts: SshHosts, cluster: SshCluster) -> None:
    stored = "/var/tmp/antipaxos-root/nodes/n1/data/log"
    writing = f"i=0; while [ $i -lt 1000 ]; do echo entry; i=$((i+1)); done > {stored}"
    hosts.on("n1", "sh", "-c", f"{writing}; head -c 5000 /dev/zero >> {stored}")
    whole = "entry\n" * 1000
    for _ in range(2):
        await cluster.disks.apply(1, CorruptDisk(nodes=("n1",), records=3))
    assert (await cluster.processes.states())["n1"] == "dead"
    kept = hosts.on("n1", "head", "-c", "6000", stored)
    places = [i for i, (a, b) in enumerate(zip(whole, kept, strict=True)) if a != b]
    assert 1 <= len(places) <= 3
    assert max(places) < 3000
    await cluster.disks.apply(2, TruncateDisk(nodes=("n1",), bytes=5600))
    assert hosts.on("n1", "stat", "-c", "%s", stored).strip() == "400"
    readings = await cluster.disks.measure()
    assert [reading.full for reading in readings.values()] == [False, False]
    assert readings["n1"].corrupted == len(places)
    assert readings["n1"].truncated == 5600
    assert readings["n2"].corrupted == 0
    assert readings["n2"].sync_ms > 0
    await cluster.disks.undo(1)
    await cluster.processes.restart(["n1"])
    assert (await cluster.processes.states())["n1"] == "running"


def test_disks_are_damaged_while_their_nodes_are_dead() -> None:
    """Bits flip in what a file holds, not in its end nor in the zeros behind it, once for each
    fault; the file written last is cut short; the other node's disk is whole."""
    run_inside(disks_are_damaged_while_their_nodes_are_dead)


def what_cannot_be_done_is_refused() -> None:
    with SshHosts(2, lacking={"n2": ["/usr/sbin/nft"]}) as hosts:
        for options, fault, reason in (
            ({}, Partition(), "cannot be done on node n2's host root@10.99.0.2"),
            ({}, Duplicate(), "hosts over ssh do not duplicate: no counter"),
            ({}, FillDisk(), "hosts over ssh do not fill-disk: their file systems"),
            ({}, SkewClock(offset_ms=100.0), "set the cluster option clock=machine"),
            ({"clock": "machine"}, SkewClock(drift=0.1), "not made to drift"),
            ({"clock": "machine"}, SkewClock(offset_ms=1.0, clock="monotonic"), "cannot be set"),
            ({"clock": "machine"}, SkewClock(offset_ms=100.0), ""),
            ({}, CorruptDisk(target="one"), ""),
        ):
            refused = _refused(hosts, options, fault)
            assert reason in refused
            assert bool(reason) == bool(refused)


def _refused(hosts: SshHosts, options: dict[str, str], fault: Fault) -> str:
    async def asked() -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            cluster = cluster_on(hosts, Path(folder), **options)
            steps = (Step(at_s=0, id=1, action="start", fault=fault),)
            try:
                return refusals(Schedule(seed=1, duration_s=1, steps=steps), cluster)
            finally:
                await cluster.stop()

    return "\n".join(asyncio.run(asked()))


def test_what_cannot_be_done_is_refused() -> None:
    """Before a run, by its host and with the reason, though nobody has looked at the hosts yet."""
    run_inside(what_cannot_be_done_is_refused)


def slow_is_done_where_the_kernel_can() -> None:
    async def act(_: SshHosts, cluster: SshCluster) -> None:
        fault = Slow(links=(("n1", "n2"),), mean_ms=60, distribution="constant")
        reason = cluster.network.refusal(fault)
        if reason is not None:
            assert "netem" in reason or "qdisc kind is unknown" in reason
            with pytest.raises(ValueError, match="'slow' cannot be done on node n1"):
                await cluster.network.apply(1, fault)
            return
        before = await cluster.network.measure()
        await cluster.network.apply(1, fault)
        assert of_links(fault, before, await cluster.network.measure()).in_effect

    on_a_cluster(2, act)


def test_slow_is_done_where_the_kernel_can() -> None:
    """Delays need netem: done and measured, or refused with what is lacking."""
    run_inside(slow_is_done_where_the_kernel_can)
