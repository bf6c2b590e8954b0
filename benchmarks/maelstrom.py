"""Messages a second through the router of a maelstrom cluster, beside a bare loop over pipes.

    python -m benchmarks.maelstrom [--seconds 3]

Nodes n1 and n2 send each other lines that were made before, WINDOW under way each; they look at
nothing but the newlines, so that the router is what is measured. The bare loop copies what one node
writes to the other and back, and reads nothing of it. A fault on the links takes each message the
long way; this one loses none. With a latency, no more can arrive than are under way in its time.
The claim is 40,000 messages a second.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import selectors
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.clock import NS_PER_S, monotonic_ns
from harness.clusters.maelstrom.cluster import MaelstromCluster
from harness.clusters.maelstrom.settings import settings
from harness.systems.command import CommandSystem
from harness.systems.reading import specification
from nemesis.faults import LinkFault, Lose

CLAIM = 40_000
WINDOW = 200  # messages: few enough to fit a pipe, or the bare loop would wait for itself
NODE = Path(__file__).with_name("maelstrom_node.py")

LINKS = (("n1", "n2"), ("n2", "n1"))

SYSTEM = """
name: ball
command: ["{{python}}", -S, {node}, "{window}"]
workloads: [echo]
client: {{protocol: maelstrom}}
"""
INIT = b'{"src":"c0","dest":"%s","body":{"type":"init","msg_id":1,"node_id":"%s"}}\n'

# The options of the cluster, and a fault on every link.
NETWORKS: dict[str, tuple[dict[str, str], LinkFault | None]] = {
    "as it is": ({}, None),
    "a fault on each link": ({}, Lose(links=LINKS, probability=0.0)),
    "latency 1 ms, exponential": (
        {"latency_ms": "1", "latency_distribution": "exponential"},
        None,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    seconds = parser.parse_args().seconds
    bare = bare_rate(seconds)
    print(f"{'bare loop over pipes':<28} {bare:>10,.0f} messages/s")
    for name, (options, fault) in NETWORKS.items():
        rate = asyncio.run(router_rate(seconds, options, fault))
        ratios = f"{rate / bare:.2f} of the bare loop, {rate / CLAIM:.1f}x of the claim"
        print(f"{'router, ' + name:<28} {rate:>10,.0f} messages/s   {ratios}")


async def router_rate(seconds: float, options: dict[str, str], fault: LinkFault | None) -> float:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        file = folder / "system.yaml"
        file.write_text(SYSTEM.format(node=NODE, window=WINDOW))
        cluster = MaelstromCluster(
            CommandSystem(specification(file)),
            ("n1", "n2"),
            folder,
            workload="echo",
            options={},
            seed=1,
            settings=settings(options),
        )
        await cluster.start()
        try:
            if fault is not None:
                await cluster.network.apply(1, fault)
            links = [cluster.network.links[way] for way in LINKS]
            began_ns, before = monotonic_ns(), sum(link.counts.forwarded for link in links)
            await asyncio.sleep(seconds)
            after = sum(link.counts.forwarded for link in links)
            return (after - before) * NS_PER_S / (monotonic_ns() - began_ns)
        finally:
            await cluster.stop()


def bare_rate(seconds: float) -> float:
    """The same nodes, their pipes joined by a loop that only copies."""
    nodes = {
        name: subprocess.Popen(
            [sys.executable, "-S", str(NODE), str(WINDOW)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        for name in (b"n1", b"n2")
    }
    try:
        with selectors.DefaultSelector() as selector:
            for (name, node), other in zip(nodes.items(), reversed(nodes.values()), strict=True):
                assert node.stdin is not None
                assert node.stdout is not None
                assert other.stdin is not None
                os.write(node.stdin.fileno(), INIT % (name, name))
                os.read(node.stdout.fileno(), 65536)  # init_ok
                selector.register(node.stdout.fileno(), selectors.EVENT_READ, other.stdin.fileno())
            return _copied(selector, seconds)
    finally:
        for node in nodes.values():
            node.kill()
            node.wait()
            for pipe in (node.stdin, node.stdout):
                assert pipe is not None
                pipe.close()


def _copied(selector: selectors.DefaultSelector, seconds: float) -> float:
    lines = 0
    began_ns = now_ns = monotonic_ns()
    while now_ns - began_ns < seconds * NS_PER_S:
        for key, _ in selector.select(1.0):
            data = os.read(key.fd, 1 << 20)
            lines += data.count(b"\n")
            os.write(key.data, data)
        now_ns = monotonic_ns()
    return lines * NS_PER_S / (now_ns - began_ns)


if __name__ == "__main__":
    main()
