"""What the switch of user space costs between hosts, against the bridge of the kernel.

    python -m benchmarks.switch [--seconds 1.5] [--turns 3]

A client of the harness asks servers in five hosts for an echo of 64 bytes: over one connection, for
the time of a round trip, and over sixteen, for the rate. The ways of carrying take turns, each in a
fresh world; medians are shown. The claims are that the switch adds less than 0.1 ms to a round trip
and carries 30,000 requests a second. On a machine that others use as well the rate says little;
what the switch itself works for a request (its processor's time) says more.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import msgspec
import psutil

from harness.clock import NS_PER_S, monotonic_ns
from harness.clusters.namespaces import hosts, switch_devices, system_calls, world
from harness.clusters.namespaces.switch import SwitchNetwork

CLAIM_ADDED_US, CLAIM_PER_S = 100.0, 30_000.0
NAMES = ("n1", "n2", "n3", "n4", "n5")
PORT, CONNECTIONS, REQUEST = 7000, 16, bytes(64)
WAYS = ("bridge", "switch, tun", "switch, packet sockets")
LIMIT_S = 120.0


class Measured(msgspec.Struct, frozen=True):
    wired_ms: float
    round_trip_us: float
    per_s: float
    work_us: float  # of the switch, for a request; 0 where there is none


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.5, help="of each load")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--inside", choices=WAYS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        world.prepare()
        said = msgspec.json.encode(asyncio.run(measure(given.inside, given.seconds)))
        print(said.decode())
        return
    reason = world.obstacle()
    if reason is not None:
        sys.exit(reason)
    turns = [{way: in_a_world(way, given.seconds) for way in WAYS} for _ in range(given.turns)]
    show({way: middle([turn[way] for turn in turns]) for way in WAYS})


def in_a_world(way: str, seconds: float) -> Measured:
    again = [sys.executable, "-m", "benchmarks.switch", "--inside", way, "--seconds", f"{seconds}"]
    ran = subprocess.run(
        world.command(again),
        env={**os.environ, world.OWNER: "1 0.0"},
        stdout=subprocess.PIPE,
        timeout=LIMIT_S,
        check=True,
    )
    return msgspec.json.decode(ran.stdout, type=Measured)


def middle(runs: list[Measured]) -> Measured:
    fields = Measured.__struct_fields__
    return Measured(**{field: median(getattr(run, field) for run in runs) for field in fields})


def show(found: dict[str, Measured]) -> None:
    bridge = found["bridge"]
    print(
        f"{'way':<24} {'wired':>8} {'round trip':>11} {'added':>8} {'of claim':>9} "
        f"{'requests/s':>11} {'of bridge':>10} {'of claim':>9} {'work':>8}"
    )
    for way, run in found.items():
        added_us = run.round_trip_us - bridge.round_trip_us
        print(
            f"{way:<24} {run.wired_ms:>5.0f} ms {run.round_trip_us:>8.1f} us {added_us:>5.1f} us "
            f"{added_us / CLAIM_ADDED_US:>8.2f}x {run.per_s:>11,.0f} "
            f"{run.per_s / bridge.per_s:>9.2f}x {run.per_s / CLAIM_PER_S:>8.2f}x "
            f"{run.work_us:>5.1f} us"
        )


async def measure(way: str, seconds: float) -> Measured:
    """In a world: wire the hosts, serve in each, and load them."""
    addresses = hosts.addresses(NAMES)
    with tempfile.TemporaryDirectory() as place:
        if way == "switch, packet sockets":
            switch_devices.TUN = "/no/such/device"
        network = SwitchNetwork(addresses, hosts.CLIENT_IP, 1, log=Path(place) / "switch.log")
        began_ns = monotonic_ns()
        await (hosts.wire(addresses) if way == "bridge" else network.wire())
        wired_ms = (monotonic_ns() - began_ns) / 1e6
        with contextlib.ExitStack() as stack:
            for name, ip in addresses.items():
                stack.enter_context(serving(name, ip))
            ips = list(addresses.values())
            round_trip_us = await asyncio.to_thread(round_trip, ips[0], seconds)
            before_s = worked_s()
            per_s = await asyncio.to_thread(rate, ips, seconds)
            work_us = (worked_s() - before_s) * 1e6 / (per_s * seconds)
        await network.close()
    return Measured(wired_ms, round_trip_us, per_s, work_us)


def worked_s() -> float:
    """How long processors have worked for the switch of this world, if there is one."""
    times = [
        process.cpu_times()
        for process in psutil.process_iter()
        if process.cmdline()[-1:] == ["harness.clusters.namespaces.switch_process"]
    ]
    return sum(time.user + time.system for time in times)


@contextlib.contextmanager
def serving(name: str, ip: str) -> Iterator[None]:
    """An echo server in the host, by a fork: it needs nothing but what is imported already."""
    listener = system_calls.in_net(name, lambda: socket.create_server((ip, PORT)))
    child = os.fork()
    if child == 0:
        try:
            echo(listener)
        finally:
            os._exit(1)
    listener.close()
    try:
        yield
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def echo(listener: socket.socket) -> None:
    connections: dict[int, socket.socket] = {}
    with select.epoll() as ready:
        ready.register(listener, select.EPOLLIN)
        while True:
            for file, _ in ready.poll():
                if file == listener.fileno():
                    made, _address = listener.accept()
                    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    connections[made.fileno()] = made
                    ready.register(made, select.EPOLLIN)
                    continue
                data = connections[file].recv(65536)
                if data:
                    connections[file].send(data)
                else:
                    ready.unregister(file)
                    connections.pop(file).close()


def round_trip(ip: str, seconds: float) -> float:
    """The median, in microseconds, over one connection."""
    took_ns = []
    with dialled(ip) as connection:
        for _ in until(seconds):
            began_ns = monotonic_ns()
            connection.sendall(REQUEST)
            receive(connection)
            took_ns.append(monotonic_ns() - began_ns)
    return median(took_ns) / 1e3


def rate(ips: list[str], seconds: float) -> float:
    """Requests a second over all connections, one under way on each."""
    done = 0
    with contextlib.ExitStack() as stack, select.epoll() as ready:
        connections = [stack.enter_context(dialled(ips[n % len(ips)])) for n in range(CONNECTIONS)]
        by_file = {connection.fileno(): connection for connection in connections}
        for file, connection in by_file.items():
            ready.register(file, select.EPOLLIN)
            connection.sendall(REQUEST)
        began_ns = monotonic_ns()
        for _ in until(seconds):
            for file, _ in ready.poll():
                receive(by_file[file])
                by_file[file].sendall(REQUEST)
                done += 1
        took_s = (monotonic_ns() - began_ns) / NS_PER_S
        for connection in connections:  # to the last answer, or its server meets a reset
            receive(connection)
    return done / took_s


def until(seconds: float, now_ns: Callable[[], int] = monotonic_ns) -> Iterator[None]:
    end_ns = now_ns() + round(seconds * NS_PER_S)
    while now_ns() < end_ns:
        yield


def dialled(ip: str) -> socket.socket:
    made = socket.create_connection((ip, PORT), timeout=LIMIT_S)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def receive(connection: socket.socket) -> None:
    missing = len(REQUEST)
    while missing:
        data = connection.recv(missing)
        if not data:
            raise ConnectionError("a server of the benchmark ended")
        missing -= len(data)


if __name__ == "__main__":
    main()
