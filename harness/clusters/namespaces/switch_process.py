"""The switch: a process of its own that carries every packet between hosts and clients.

Rules
1. Whose packet it is, its addresses say: source and destination lead to the way of that link. What
   belongs to no link (IPv6, multicast, a foreign address) goes nowhere.
2. A packet on a quiet way is read, counted and written, nothing else: that is the fast path.
3. One thread. A device is read for at most BURST packets before the next has its turn, and commands
   are among them, so that none starves.
4. It lives as long as its standard input: with the harness it ends, however that ends.

Commands, a JSON object a line on standard input, each answered on standard output with its number:
  {"do": "wire", "hosts": {NAME: IP}, "client": IP, "seed": N, "probe_port": N, "tun": BOOL}
  {"do": "apply", "id": N, "fault": FAULT}    {"do": "undo", "id": N}    {"do": "count"}
  -> {"number": N, "value": VALUE} or {"number": N, "error": TEXT}

Sources: epoll(7); that an epoll file can itself be waited for, with a finer time limit: select(2).
"""

from __future__ import annotations

import heapq
import itertools
import os
import select
import sys
from collections.abc import Callable
from functools import partial
from itertools import permutations
from typing import Any

import msgspec

from harness.clock import NS_PER_S, monotonic_ns
from harness.clusters.namespaces import switch_devices, switch_packets
from harness.clusters.namespaces.switch_devices import Port
from harness.clusters.namespaces.switch_rules import Way
from nemesis.faults import CLIENT, LinkFault

BURST = 64
PACKET_BYTES_MAX = 2048  # above the MTU and an Ethernet header
READ_BYTES = 65536


class Wire(msgspec.Struct, tag="wire", tag_field="do"):
    number: int
    hosts: dict[str, str]
    client: str
    seed: int
    probe_port: int
    tun: bool


class Apply(msgspec.Struct, tag="apply", tag_field="do"):
    number: int
    id: int
    fault: LinkFault


class Undo(msgspec.Struct, tag="undo", tag_field="do"):
    number: int
    id: int


class Count(msgspec.Struct, tag="count", tag_field="do"):
    number: int


class Timer:
    """A callback of the loop. Implements harness.clusters.shaping.Handle."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Loop:
    """Files and timers. Implements harness.clusters.shaping.Clock."""

    def __init__(self) -> None:
        self.running = True
        self._epoll = select.epoll()
        self._ready: dict[int, Callable[[], None]] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()

    def time(self) -> float:
        return monotonic_ns() / NS_PER_S

    def call_at(self, when: float, callback: Callable[[], None], /) -> Timer:
        timer = Timer(callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def read(self, file: int, ready: Callable[[], None]) -> None:
        """Call `ready` while there is something to read."""
        self._ready[file] = ready
        self._epoll.register(file, select.EPOLLIN)

    def run(self) -> None:
        ready, poll = self._ready, self._epoll.poll
        while self.running:
            if self._timers:
                self._wait()
                events = poll(0)
            else:
                events = poll()
            for file, _ in events:
                ready[file]()
            if self._timers:
                self._ring()

    def _wait(self) -> None:
        """Until a file is ready or the first timer due. epoll alone would round up to a whole
        millisecond, which shows in small delays."""
        patience_s = max(0.0, self._timers[0][0] - self.time())
        select.select([self._epoll], [], [], patience_s)

    def _ring(self) -> None:
        now_s = self.time()
        while self._timers and self._timers[0][0] <= now_s:
            timer = heapq.heappop(self._timers)[2]
            if timer.callback is not None:
                timer.callback()


class Switch:
    def __init__(self) -> None:
        self._loop = Loop()
        self._ways: dict[bytes, tuple[Way, int]] = {}  # by the addresses, with where to write
        self._links: dict[tuple[str, str], Way] = {}
        self._faults: dict[int, LinkFault] = {}
        self._probe_port = 0
        self._input = b""
        self._decode = msgspec.json.Decoder(Wire | Apply | Undo | Count).decode

    def run(self) -> None:
        """Serves until standard input ends."""
        self._loop.read(sys.stdin.fileno(), self._hear)
        self._loop.run()

    def _hear(self) -> None:
        data = os.read(sys.stdin.fileno(), READ_BYTES)
        if not data:
            self._loop.running = False
            return
        *lines, self._input = (self._input + data).split(b"\n")
        for line in lines:
            command = self._decode(line)
            try:
                _say(number=command.number, value=self._obey(command))
            except OSError as wrong:
                _say(number=command.number, error=str(wrong))

    def _obey(self, command: Wire | Apply | Undo | Count) -> Any:
        match command:
            case Wire():
                return self._wire(command)
            case Apply(id=id_, fault=fault):
                self._faults[id_] = fault
                for link in dict.fromkeys(fault.links):
                    self._links[link].apply(id_, fault)
                return None
            case Undo(id=id_):
                fault = self._faults.pop(id_)
                for link in dict.fromkeys(fault.links):
                    self._links[link].undo(id_)
                return None
            case Count():
                return [[src, dst, way.counted()] for (src, dst), way in self._links.items()]

    def _wire(self, command: Wire) -> None:
        hosts = {**command.hosts, CLIENT: command.client}
        make = switch_devices.tun_ports if command.tun else switch_devices.packet_ports
        ports = {port.host: port for port in make(hosts)}
        self._probe_port = command.probe_port
        for src, dst in permutations(ports.values(), 2):
            send, answer = partial(_write, dst.file), partial(_write, src.file)
            way = Way(
                src.host, dst.host, command.seed, self._loop, send=send, answer=answer, at=src.at
            )
            self._links[src.host, dst.host] = way
            self._ways[switch_packets.flow_of(src.ip, dst.ip)] = (way, dst.file)
        for port in ports.values():
            self._loop.read(port.file, self._carrier(port))

    def _carrier(self, port: Port) -> Callable[[], None]:
        """What reads from a port: the fast path, with all it needs in its own variables."""
        file, at, probe_port = port.file, port.at, self._probe_port
        protocol, key, key_end = at + 9, at + 12, at + 20
        ways, read, write = self._ways, os.read, os.write

        def carry() -> None:
            for _ in range(BURST):
                try:
                    data = read(file, PACKET_BYTES_MAX)
                except OSError:  # empty, or its device is down and has nothing to say
                    return
                found = ways.get(data[key:key_end])
                if found is None:
                    continue
                way, out = found
                probe = data[protocol] == switch_packets.UDP and switch_packets.is_udp_of(
                    data, at, probe_port
                )
                if not way.quiet:
                    way.carry(data, probe=probe)
                    continue
                try:
                    write(out, data)
                except OSError:  # as in _write
                    continue
                if not probe:
                    way.traffic.counts.forwarded += 1

        return carry


def _write(file: int, data: bytes) -> None:
    try:
        os.write(file, data)
    except OSError:  # the receiver's device is down or full: a packet lost as on any network
        return


def _say(**answer: Any) -> None:
    os.write(sys.stdout.fileno(), msgspec.json.encode(answer) + b"\n")


if __name__ == "__main__":
    Switch().run()
