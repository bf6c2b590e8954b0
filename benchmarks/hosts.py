"""How long hosts of their own take: five of them up and down, and three nodes of etcd until a
write is committed, from nothing.

    python -m benchmarks.hosts [--times 5]

Claims: five hosts up in 0.3 s and down in 0.1 s, a keeper answering in each; a write committed by
etcd 4 s after the command was typed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from threading import Event

from harness.clock import monotonic_ns
from harness.clusters.namespaces import hosts, world
from harness.clusters.namespaces.network import HostNetwork

UP_CLAIM_S, DOWN_CLAIM_S, COMMIT_CLAIM_S = 0.3, 0.1, 4.0
ANTIPAXOS = str(Path(sys.executable).with_name("antipaxos"))
LIMIT_S = 60.0
POLL_S = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    measured = [inside() for _ in range(times)]
    told("five hosts up", [up_s for up_s, _ in measured], UP_CLAIM_S)
    told("five hosts down", [down_s for _, down_s in measured], DOWN_CLAIM_S)
    told("etcd's first commit", [first_commit() for _ in range(times)], COMMIT_CLAIM_S)


def told(what: str, took_s: list[float], claim_s: float) -> None:
    middle, most = median(took_s), max(took_s)
    print(
        f"{what:<22} median {middle * 1000:6.0f} ms, at most {most * 1000:6.0f} ms: "
        f"{middle / claim_s:.2f}x of the claim",
        flush=True,
    )


def inside() -> tuple[float, float]:
    """One measurement in a world of its own, for the first hosts of a world are what a run has."""
    ran = subprocess.run(
        world.command([sys.executable, "-m", "benchmarks.hosts", "inside"]),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT_S,
    )
    up_s, down_s = json.loads(ran.stdout)
    return up_s, down_s


async def up_and_down() -> tuple[float, float]:
    addresses = hosts.addresses([f"n{number}" for number in range(1, 6)])
    with tempfile.TemporaryDirectory() as folder:
        homes = {name: Path(folder) / name for name in addresses}
        for home in homes.values():
            home.mkdir()
        began_ns = monotonic_ns()
        network = HostNetwork(addresses, None)
        await network.open()
        keepers = hosts.Hosts(None, lambda *_: None)
        await keepers.open(homes, addresses, [])
        await asyncio.gather(
            *(
                keepers[name].start(name, ["true"], home, {}, home / "log")
                for name, home in homes.items()
            )
        )
        up_ns = monotonic_ns()
        await keepers.close()
        await network.close()
        return (up_ns - began_ns) / 1e9, (monotonic_ns() - up_ns) / 1e9


def first_commit() -> float:
    """Seconds from the start of the command to a write that etcd has acknowledged."""
    words = ["--system", "etcd", "--nodes", "3", "--faults", "none", "--time-limit", "60"]
    with tempfile.TemporaryDirectory() as home:
        began_ns = monotonic_ns()
        process = subprocess.Popen(
            [ANTIPAXOS, "run", *words],
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        history = Path(home) / "antipaxos-runs" / "latest" / "history.jsonl"
        while not committed(history):
            if process.poll() is not None or monotonic_ns() - began_ns > LIMIT_S * 1e9:
                process.kill()
                raise SystemExit("the run ended before anything was committed")
            Event().wait(POLL_S)
        took_s = (monotonic_ns() - began_ns) / 1e9
        process.send_signal(signal.SIGINT)
        process.wait(LIMIT_S)
    return took_s


def committed(history: Path) -> bool:
    try:
        lines = history.read_bytes().split(b"\n")[:-1]
    except OSError:
        return False
    return any(event["type"] == "ok" and event["f"] == "write" for event in map(json.loads, lines))


if __name__ == "__main__":
    if sys.argv[1:] == ["inside"]:
        world.prepare()
        print(json.dumps(asyncio.run(up_and_down())))
    else:
        main()
