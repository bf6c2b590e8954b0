"""The reference under load: throughput, first commit, and how long a leader's loss is felt.

Five nodes with real fsync, ten clients, everything through the harness's links, nothing broken but
what the table names. Run it with: python -m benchmarks.reference
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from pathlib import Path

from checkers.history import History, Operation
from checkers.statistics import statistics
from checkers.verdict import Recording
from harness.clock import MonotonicClock, monotonic_ns
from harness.clusters.local import LocalCluster
from harness.contracts import Client
from harness.generators import Request, generate, time_limit
from harness.loop import Loop
from harness.store.journal import Journal
from harness.systems import system

NODES = ("n1", "n2", "n3", "n4", "n5")
CLIENTS = 10
LOAD_S = 8.0
ROUNDS = 5


def main() -> None:
    print(f"{len(NODES)} nodes, {CLIENTS} clients, real fsync, through the links\n")
    for options in ({}, {"learning": "all"}, {"reads": "quorum"}):
        with tempfile.TemporaryDirectory() as folder:
            rate, p50, p99 = asyncio.run(throughput(Path(folder), options))
        named = ", ".join(f"{k} {v}" for k, v in options.items()) or "defaults"
        print(
            f"committed operations a second, {named:24} {rate:8,.0f}   "
            f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"
        )
    firsts, changes = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            first, change = asyncio.run(first_and_failover(Path(folder)))
        firsts.append(first)
        changes.append(change)
    print(f"start to first commit, s        {_spread(firsts)}")
    print(f"leader's kill to next commit, s {_spread(changes)}")


def _spread(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    return f"median {ordered[len(ordered) // 2]:.2f}, max {ordered[-1]:.2f} of {len(ordered)}"


async def throughput(folder: Path, options: dict[str, str]) -> tuple[float, float, float]:
    """Successful operations a second, p50 and p99 in ms: reads and writes in equal shares."""
    cluster = LocalCluster(
        system("paxos"), NODES, folder, workload="register", options=options, seed=1
    )
    await cluster.start()
    try:
        journal = Journal(folder / "history.jsonl")
        loop = Loop(
            journal=journal,
            clock=MonotonicClock(),
            nodes=NODES,
            workers=CLIENTS,
            client=lambda node: _client(cluster, node),
            seed=1,
            operation_limit_s=5,
        )
        requests = generate(
            lambda n, _context: Request(
                "write" if n % 2 else "read", n if n % 2 else None, f"k{n % 50}"
            )
        )
        await loop.run(time_limit(LOAD_S, requests))
        await loop.close()
        journal.close()
    finally:
        await cluster.stop()
    found = statistics(Recording(history=History(journal.operations)))
    latency = found.latency["outcome:ok"]
    return found.availability.ok / LOAD_S, latency.p50_ms, latency.p99_ms


async def first_and_failover(folder: Path) -> tuple[float, float]:
    """Seconds from start to the first commit, and from the leader's kill to the next one."""
    cluster = LocalCluster(system("paxos"), NODES, folder, workload="register", options={}, seed=2)
    began_ns = monotonic_ns()
    try:
        await cluster.start()
        await _commit(cluster, NODES)
        first_s = (monotonic_ns() - began_ns) / 1e9
        (leader, *_) = await cluster.leaders()
        await cluster.processes.kill([leader])
        killed_ns = monotonic_ns()
        await _commit(cluster, [n for n in NODES if n != leader])
        return first_s, (monotonic_ns() - killed_ns) / 1e9
    finally:
        await cluster.stop()


def _client(cluster: LocalCluster, node: str) -> Client:
    return cluster.system.client(node, cluster.address(node), "register", 1.0)


async def _commit(cluster: LocalCluster, nodes: list[str] | tuple[str, ...]) -> None:
    """Write until one write is acknowledged, asking one node after another."""
    for attempt, node in enumerate(itertools.cycle(nodes)):
        client = cluster.system.client(node, cluster.address(node), "register", 0.2)
        try:
            await client.open()
            done = await client.invoke(Operation(0, 0, 0, "invoke", "write", attempt, "first"))
        except OSError:
            continue
        finally:
            await client.close()
        if done.type == "ok":
            return


if __name__ == "__main__":
    main()
