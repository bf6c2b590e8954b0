"""What the runner adds to an operation: the dispatch loop, its journal and its client of etcd,
beside a bare loop of http.client, on the same three members of etcd, turn about.

    python -m benchmarks.runner [--operations 1500] [--turns 9] [--version 3.5]

Claims: under 1 ms more at the median operation, under 10 % less throughput. Half of the operations
are reads, half writes, of one key; as many clients each, a thread or a worker.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from random import Random
from statistics import median

from harness.clock import MonotonicClock, monotonic_ns
from harness.clusters.namespaces import world
from harness.clusters.namespaces.cluster import NamespaceCluster
from harness.contracts import Address, System
from harness.generators import Context, Request, generate, limit
from harness.loop import Loop
from harness.store.journal import Journal
from harness.systems import system

CLIENTS = (1, 10, 30)
KEY = base64.b64encode(b"x").decode()
TIMEOUT_S = 5.0
Measured = tuple[float, float]  # operations a second, median in milliseconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--operations", type=int, default=1500)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--version", default="3.5")
    given = parser.parse_args()
    words = [str(given.operations), str(given.turns), given.version]
    ran = subprocess.run(
        world.command([sys.executable, "-m", "benchmarks.runner", "inside", *words]),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    sys.exit(ran.returncode)


def inside(operations: int, turns: int, version: str) -> None:
    world.prepare()
    of = system("etcd")
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        cluster = NamespaceCluster(
            of,
            ("n1", "n2", "n3"),
            Path(folder),
            workload="register",
            options={"version": version},
            seed=1,
        )
        runner.run(cluster.start())
        try:
            compare(of, cluster.address("n1"), Path(folder), runner, operations, turns)
        finally:
            runner.run(cluster.stop())


def compare(
    of: System,
    address: Address,
    folder: Path,
    runner: asyncio.Runner,
    operations: int,
    turns: int,
) -> None:
    print(f"{'clients':>7} {'bare op/s':>10} {'runner op/s':>12} {'ratio':>6}  median, ms more")
    for clients in CLIENTS:
        pairs = []
        for turn in range(turns):
            alone = bare(address, clients, operations)
            journal = folder / f"{clients}-{turn}.jsonl"
            pairs.append((alone, runner.run(ours(of, address, clients, operations, journal))))
        share = median(mine[0] / alone[0] for alone, mine in pairs)
        more_ms = median(mine[1] - alone[1] for alone, mine in pairs)
        print(
            f"{clients:>7} {median(alone[0] for alone, _ in pairs):>10,.0f} "
            f"{median(mine[0] for _, mine in pairs):>12,.0f} {share:>6.2f}  {more_ms:+.3f}",
            flush=True,
        )


def bare(address: Address, clients: int, operations: int) -> Measured:
    took_ms: list[float] = []

    def work(seed: int) -> None:
        random, connection = Random(seed), http.client.HTTPConnection(*address)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(operations // clients):
            began_ns = monotonic_ns()
            if random.random() < 0.5:
                connection.request("POST", "/v3/kv/range", json.dumps({"key": KEY}))
            else:
                value = base64.b64encode(str(number).encode()).decode()
                body = json.dumps({"key": KEY, "value": value})
                connection.request("POST", "/v3/kv/put", body)
            json.loads(connection.getresponse().read())
            took_ms.append((monotonic_ns() - began_ns) / 1e6)
        connection.close()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(clients)]
    began_ns = monotonic_ns()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(took_ms) / (monotonic_ns() - began_ns) * 1e9, median(took_ms)


async def ours(of: System, address: Address, clients: int, operations: int, file: Path) -> Measured:
    journal = Journal(file)
    loop = Loop(
        journal=journal,
        clock=MonotonicClock(),
        nodes=("n1",),
        workers=clients,
        client=lambda node: of.client(node, address, "register", TIMEOUT_S),
        seed=1,
        operation_limit_s=3 * TIMEOUT_S,
    )

    def make(number: int, context: Context) -> Request:
        if context.random.random() < 0.5:
            return Request("read", key="x")
        return Request("write", number, "x")

    began_ns = monotonic_ns()
    await loop.run(limit(operations, generate(make)))
    took_ns = monotonic_ns() - began_ns
    await loop.close()
    events = journal.operations
    journal.close()
    called: dict[object, int] = {}
    took_ms = []
    for event in events:
        if event.type == "invoke":
            called[event.process] = event.time
        else:
            took_ms.append((event.time - called[event.process]) / 1e6)
    return len(took_ms) / took_ns * 1e9, median(took_ms)


if __name__ == "__main__":
    if sys.argv[1:2] == ["inside"]:
        inside(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    else:
        main()
