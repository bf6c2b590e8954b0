"""What `tc` is told, so that the kernel shapes links between hosts: pure text, and what it answers.

Rules
1. A link is shaped where its packets leave the bridge, on the world's end of the receiver's cable:
   there the sender's TCP does not learn of a loss, as it would from a queue of its own host. The
   clients sit on the bridge itself; what goes to them is shaped on the sender's eth0.
2. Each device has one htb at its root, with a class for each link. A table of our own on the bridge
   leads packets to it, by the priority that it gives them for their sender; at a sender's eth0 all
   is one class. What is in a class without faults passes at once.
3. The class limits the rate, and counts who had to wait; a netem below it delays and loses.
4. netem draws every packet's delay by itself and would let short ones overtake. With a rate,
   however high, no packet is due before the one before it: so order is kept, as Slow promises.
5. A change makes a new queue under a new handle, and what the old one held is lost: netem that is
   changed in place keeps every setting that is not mentioned.

Sources: tc-htb(8), tc-netem(8), nft(8) for `meta priority`; the kernel's net/sched/sch_netem.c for
rules 4 and 5 (netem_enqueue, netem_change) and for a jitter without distribution, which is uniform
(tabledist).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from nemesis.faults import CLIENT, Link, LinkFault, Lose, Slow, Throttle, tag

WIDE = "10gbit"
TABLE = "antipaxos_links"
BURST_BYTES = 1600  # one packet: a larger bucket would let short loads pass at any rate
_BUCKET = f"burst {BURST_BYTES} cburst {BURST_BYTES}"
QUANTUM_BYTES = 60_000  # or htb derives one from the rate, and complains of its size
WAITING_MAX = 100_000  # packets

Shaped = Slow | Lose | Throttle


class Spot(msgspec.Struct, frozen=True):
    """Where a link is shaped. `host`: in whose network, None: in ours. `number`: its class, from 1
    (the sender's number, see `marks`)."""

    host: str | None
    device: str
    number: int


def spots(hosts: Sequence[str], cable: Callable[[str], str]) -> dict[Link, Spot]:
    """For each link. `cable`: from the name of a host to its device at the bridge."""
    numbers = _numbers(hosts)
    found = {
        (src, dst): Spot(None, cable(dst), numbers[src])
        for dst in hosts
        for src in numbers
        if src != dst
    }
    return found | {(src, CLIENT): Spot(src, "eth0", numbers[src]) for src in hosts}


def marks(hosts: Mapping[str, str], client_ip: str) -> list[str]:
    """Rules of nft by which packets on the bridge find their classes, in place of any there were.
    `hosts`: name to address."""
    ips = {**hosts, CLIENT: client_ip}
    classes = ", ".join(f"{ips[name]} : 1:{n:x}" for name, n in _numbers(list(hosts)).items())
    return [
        f"table bridge {TABLE}",  # or it could not be deleted
        f"delete table bridge {TABLE}",
        f"table bridge {TABLE} {{",
        "  chain leaving {",
        "    type filter hook postrouting priority 0; policy accept;",
        f"    meta priority set ip saddr map {{ {classes} }}",
        "  }",
        "}",
    ]


def foundation(places: Collection[Spot]) -> list[str]:
    """Lines for tc that give the devices of these places their classes."""
    roots = {
        f"qdisc replace dev {spot.device} root handle 1: htb"
        + ("" if spot.host is None else f" default {spot.number:x}"): None
        for spot in places
    }
    return [*roots, *(_class(spot, WIDE) for spot in places)]


def change(spot: Spot, faults: Collection[LinkFault], turn: int) -> list[str]:
    """Lines after which the link does what these faults sum up to. `turn` is another at each change
    of the link: odd and even ones have different handles."""
    rates = [fault.bytes_per_s for fault in faults if isinstance(fault, Throttle)]
    words = [*_delay(faults), *_loss(faults)]
    queue = (
        f"netem limit {WAITING_MAX} {' '.join(words)}" if words else f"pfifo limit {WAITING_MAX}"
    )
    handle = 2 * spot.number + turn % 2
    return [
        _class(spot, f"{min(rates)}bps {_BUCKET}" if rates else WIDE),
        f"qdisc replace dev {spot.device} parent 1:{spot.number:x} handle {handle:x}: {queue}",
    ]


def waited(classes: bytes) -> dict[int, int]:
    """By number of the class, how often a packet had to wait for its rate; from
    `tc -s class show dev DEVICE`, which for htb knows no JSON."""
    found = re.findall(rb"class htb 1:([0-9a-f]+) .*?overlimits (\d+)", classes, re.DOTALL)
    return {int(minor, 16): int(times) for minor, times in found}


def lost(queues: bytes) -> dict[int, int]:
    """By number of the class, the packets that its netem of now took; from
    `tc -s -j qdisc show dev DEVICE`."""
    found: dict[int, int] = {}
    for queue in msgspec.json.decode(queues, type=list[dict[str, Any]]):
        major, _, minor = str(queue.get("parent", "")).partition(":")
        if major == "1" and queue["kind"] == "netem":
            found[int(minor, 16)] = int(queue["drops"])
    return found


def refusal(fault: LinkFault) -> str | None:
    """Why not by netem; None if it can. Of what it can do besides, it counts nothing, and a fault
    that nobody can see counts as not done."""
    if isinstance(fault, Slow) and fault.distribution == "exponential":
        return _needs_the_switch("slow", "netem draws no exponential delays")
    if isinstance(fault, Shaped):
        return None
    return _needs_the_switch(tag(fault), _WHY_NOT.get(tag(fault), "netem knows nothing like it"))


_WHY_NOT = {
    "hold": "netem cannot keep packets until it is told to let them go",
    "corrupt": "netem flips a bit and leaves the checksum, so that the receiver's kernel drops the "
    "packet and no system ever sees it",
    "reorder": "netem does not count what it reorders",
    "duplicate": "netem does not count what it doubles, and newer kernels refuse that "
    "beside any other netem of a device",
}


def _needs_the_switch(kind: str, reason: str) -> str:
    return (
        f"fault '{kind}' is beyond tc: {reason}. Let the switch carry the packets "
        "(--cluster-option network=switch)"
    )


def _numbers(hosts: Sequence[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate((*hosts, CLIENT), start=1)}


def _class(spot: Spot, rate: str) -> str:
    return (
        f"class replace dev {spot.device} parent 1: classid 1:{spot.number:x} htb rate {rate} "
        f"quantum {QUANTUM_BYTES}"
    )


def _delay(faults: Collection[LinkFault]) -> list[str]:
    """Delays add up, and so do their variances; a sum of different ones is taken as normal."""
    slow = [fault for fault in faults if isinstance(fault, Slow)]
    if not slow:
        return []
    mean_us = round(1000 * sum(fault.mean_ms for fault in slow))
    varying = [fault for fault in slow if fault.distribution != "constant" and fault.jitter_ms]
    if not varying:
        return [f"delay {mean_us}us"]
    jitter_us = round(1000 * math.hypot(*map(_deviation_ms, varying)))
    if [fault.distribution for fault in varying] == ["uniform"]:
        return [f"delay {mean_us}us {round(1000 * varying[0].jitter_ms)}us", f"rate {WIDE}"]
    return [f"delay {mean_us}us {jitter_us}us distribution normal", f"rate {WIDE}"]


def _deviation_ms(fault: Slow) -> float:
    """Of a uniform one the jitter is half the width."""
    return fault.jitter_ms / math.sqrt(3) if fault.distribution == "uniform" else fault.jitter_ms


def _loss(faults: Collection[LinkFault]) -> list[str]:
    kept = math.prod(1 - fault.probability for fault in faults if isinstance(fault, Lose))
    return [f"loss random {100 * (1 - kept):.6g}%"] if kept < 1 else []
