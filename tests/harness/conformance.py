"""What every cluster must do: the same clauses for each kind of cluster, the simulator included.

A clause is a coroutine that takes a Stage and asserts. To run them all, parametrize a test with
CLAUSES and call `asyncio.run(play(stage, clause))` on a stage made for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import pytest

from harness.contracts import Address, Cluster
from nemesis.capabilities import LinkReading, Network, Processes
from nemesis.faults import CLIENT, Link, LinkFault, Partition, Slow

LIMIT_S = 8.0
POLL_S = 0.01


class Stage(Protocol):
    """A cluster of at least three nodes, and how a client asks one of them something."""

    @property
    def cluster(self) -> Cluster: ...

    async def ask(self, address: Address) -> bool:
        """Does the node at this address answer within about half a second?"""
        ...


async def play(stage: Stage, clause: Callable[[Stage], Awaitable[None]]) -> None:
    """One clause on a fresh cluster, which is stopped whatever happens."""
    await stage.cluster.start()
    try:
        await clause(stage)
    finally:
        await stage.cluster.stop()


async def all_nodes_run_and_answer(stage: Stage) -> None:
    """After start every node runs, and answers at an address of its own."""
    cluster = stage.cluster
    addresses = [cluster.address(node) for node in cluster.nodes]
    assert len(set(addresses)) == len(cluster.nodes)
    assert [await stage.ask(address) for address in addresses] == [True] * len(addresses)
    assert await _processes(stage).states() == dict.fromkeys(cluster.nodes, "running")


async def every_link_is_read_and_reachable(stage: Stage) -> None:
    """A healthy network: a reading for each directed link, clients' included, all reachable."""
    nodes = stage.cluster.nodes
    links = {(a, b) for a in nodes for b in nodes if a != b}
    links |= {(CLIENT, n) for n in nodes} | {(n, CLIENT) for n in nodes}
    readings = await _network(stage).measure()
    assert set(readings) == links
    assert [link for link, reading in readings.items() if not reading.reachable] == []


async def killed_is_dead_until_restarted(stage: Stage) -> None:
    """kill is over when the node is dead; restart brings it back; neither is a crash."""
    processes, (first, *others) = _processes(stage), stage.cluster.nodes
    await processes.kill([first])
    assert await processes.states() == {first: "dead", **dict.fromkeys(others, "running")}
    assert not await stage.ask(stage.cluster.address(first))
    await processes.restart([first])
    await _until(lambda: stage.ask(stage.cluster.address(first)))
    assert (await processes.states())[first] == "running"
    assert list(stage.cluster.crashes()) == []


async def paused_is_silent_until_resumed(stage: Stage) -> None:
    """pause is over when the node is stopped; a paused node answers nobody; resume undoes it."""
    processes, first = _processes(stage), stage.cluster.nodes[0]
    await processes.pause([first])
    assert (await processes.states())[first] == "paused"
    assert not await stage.ask(stage.cluster.address(first))
    await processes.resume([first])
    assert (await processes.states())[first] == "running"
    assert await stage.ask(stage.cluster.address(first))


async def paused_can_be_killed(stage: Stage) -> None:
    """SIGKILL works on a stopped node, and its next life is not stopped."""
    processes, first = _processes(stage), stage.cluster.nodes[0]
    await processes.pause([first])
    await processes.kill([first])
    assert (await processes.states())[first] == "dead"
    await processes.restart([first])
    assert (await processes.states())[first] == "running"


async def process_orders_are_idempotent(stage: Stage) -> None:
    """Each order twice is as good as once; orders that fit no state change nothing."""
    processes, first = _processes(stage), stage.cluster.nodes[0]
    await processes.resume([first])
    await processes.restart([first])
    for _ in range(2):
        await processes.pause([first, first])
    for _ in range(2):
        await processes.kill([first])
    await processes.pause([first])
    await processes.resume([first])
    assert (await processes.states())[first] == "dead"


async def leaders_are_nodes(stage: Stage) -> None:
    """leaders() names nodes only, and never a dead one."""
    first = stage.cluster.nodes[0]
    await _processes(stage).kill([first])
    assert set(await stage.cluster.leaders()) <= set(stage.cluster.nodes) - {first}


async def partition_is_directed_and_heals(stage: Stage) -> None:
    """A silent cut is measured on its links and on no others; undo restores all."""
    a, b = stage.cluster.nodes[:2]
    await _network(stage).apply(1, Partition(links=((a, b),)))
    assert await _unreachable(stage) == {(a, b)}
    await _network(stage).undo(1)
    assert await _unreachable(stage) == set()


async def reset_partition_is_measured_and_heals(stage: Stage) -> None:
    """So is a cut that resets."""
    a, b = stage.cluster.nodes[:2]
    cut = ((a, b), (b, a))
    await _network(stage).apply(1, Partition(links=cut, mode="reset"))
    assert await _unreachable(stage) == set(cut)
    await _network(stage).undo(1)
    assert await _unreachable(stage) == set()


async def clients_can_be_cut_off(stage: Stage) -> None:
    """Clients are hosts like others: behind a cut a node does not answer them."""
    first = stage.cluster.nodes[0]
    for mode in ("silent", "reset"):
        cut = Partition(links=((CLIENT, first), (first, CLIENT)), mode=mode)
        await _network(stage).apply(1, cut)
        assert not await stage.ask(stage.cluster.address(first))
        await _network(stage).undo(1)
        assert await stage.ask(stage.cluster.address(first))


async def faults_add_up(stage: Stage) -> None:
    """Undoing one of two faults on a link leaves the other in force."""
    a, b = stage.cluster.nodes[:2]
    network = _network(stage)
    await network.apply(1, Partition(links=((a, b),)))
    await network.apply(2, Slow(links=((a, b),), mean_ms=60, distribution="constant"))
    await network.apply(3, Partition(links=((a, b),)))
    await network.undo(1)
    assert await _unreachable(stage) == {(a, b)}
    await network.undo(3)
    assert 60 <= _delay_ms((await network.measure())[a, b]) < 400
    await network.undo(2)
    assert _delay_ms((await network.measure())[a, b]) < 40


async def network_orders_are_idempotent(stage: Stage) -> None:
    """The same fault under the same id is one fault; undoing the unknown is no error."""
    a, b = stage.cluster.nodes[:2]
    network = _network(stage)
    for _ in range(2):
        await network.apply(7, Partition(links=((a, b),)))
    for _ in range(2):
        await network.undo(7)
    await network.undo(99)
    assert await _unreachable(stage) == set()


async def unknown_links_are_refused_whole(stage: Stage) -> None:
    """A fault with one unknown link is refused with the name, and touches none of its links."""
    a, b = stage.cluster.nodes[:2]
    fault: LinkFault = Partition(links=((a, b), (a, "nobody")))
    with pytest.raises(ValueError, match="nobody"):
        await _network(stage).apply(1, fault)
    assert await _unreachable(stage) == set()


async def stop_is_idempotent_and_start_begins_anew(stage: Stage) -> None:
    """Stopped twice, with a paused and a dead node, then started again: all nodes run."""
    cluster = stage.cluster
    await _processes(stage).pause(cluster.nodes[:1])
    await _processes(stage).kill(cluster.nodes[1:2])
    for _ in range(2):
        await cluster.stop()
    await cluster.start()
    await all_nodes_run_and_answer(stage)


CLAUSES: tuple[Callable[[Stage], Awaitable[None]], ...] = (
    all_nodes_run_and_answer,
    every_link_is_read_and_reachable,
    killed_is_dead_until_restarted,
    paused_is_silent_until_resumed,
    paused_can_be_killed,
    process_orders_are_idempotent,
    leaders_are_nodes,
    partition_is_directed_and_heals,
    reset_partition_is_measured_and_heals,
    clients_can_be_cut_off,
    faults_add_up,
    network_orders_are_idempotent,
    unknown_links_are_refused_whole,
    stop_is_idempotent_and_start_begins_anew,
)


def _network(stage: Stage) -> Network:
    assert stage.cluster.network is not None, "the kit is for clusters that can be broken"
    return stage.cluster.network


def _processes(stage: Stage) -> Processes:
    assert stage.cluster.processes is not None, "the kit is for clusters that can be broken"
    return stage.cluster.processes


async def _unreachable(stage: Stage) -> set[Link]:
    readings = await _network(stage).measure()
    return {link for link, reading in readings.items() if not reading.reachable}


def _delay_ms(reading: LinkReading) -> float:
    assert reading.delay_ms is not None, "nothing came through"
    return reading.delay_ms


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not await condition():  # noqa: ASYNC110 - what is awaited is another process's
            await asyncio.sleep(POLL_S)
