"""Slow and narrow links by tc: pure text and figures.

Rules
1. What a sends to b is shaped where it leaves, at a: our table marks the packet with a class, and
   the class queues it. Unmarked packets, our own connection's among them, pass at once.
2. While a fault is in force the device has a queue of ours at its root; deleting that brings back
   the one that the kernel gives it. Each device that has one is noted on the host first, so that
   its dead-man timer finds it.
3. A class whose link has no fault left keeps what it holds, and gets nothing more, until the last
   fault of the host is undone: to take it away would drop what waits there.

Sources: tc-htb(8), tc-netem(8). An htb class is chosen by a packet's priority where its major
number is the queue's.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping, Sequence

from harness.clusters.ssh.firewall import TABLE
from nemesis.faults import LinkFault, Slow, Throttle

WIDE = "10gbit"
LINE_BYTES = 1600  # a bucket must hold one packet, and no more, or short loads are not slowed
WAITING_MAX = 10_000  # packets

Shaping = Slow | Throttle


# Of both, "$1" is the folder in which the devices are noted that have a queue of ours.
ROOTS_GONE = """
for shaped in "$1"/*; do
  [ -e "$shaped" ] || continue
  tc qdisc del dev "${shaped##*/}" root
  rm -f "$shaped"
done
"""
ROOT = """
if [ ! -e "$1"/@DEVICE@ ]; then
  mkdir -p "$1" && : > "$1"/@DEVICE@ || exit 1
  tc qdisc replace dev @DEVICE@ root handle 1: htb || exit 1
fi
"""


def roots(devices: Sequence[str]) -> str:
    """Shell lines that put our queue at the root of each device that has none."""
    return "".join(ROOT.replace("@DEVICE@", shlex.quote(device)) for device in devices)


def leaf(device: str, minor: int, faults: Sequence[LinkFault]) -> str:
    """Shell lines after which the class `minor` does what the faults on its link sum up to."""
    rate = min((f.bytes_per_s for f in faults if isinstance(f, Throttle)), default=0)
    slow = [fault for fault in faults if isinstance(fault, Slow)]
    width = f"{rate}bps burst {LINE_BYTES} cburst {LINE_BYTES}" if rate else WIDE
    queue = f"netem limit {WAITING_MAX} {_delay(slow)}" if slow else f"pfifo limit {WAITING_MAX}"
    return (
        f"tc class replace dev {device} parent 1: classid 1:{minor} htb rate {width} || exit 1\n"
        # Replacing one kind by another in place is refused; a new queue under the handle is not.
        f"tc qdisc del dev {device} parent 1:{minor} 2> /dev/null\n"
        f"tc qdisc add dev {device} parent 1:{minor} {queue} || exit 1"
    )


def marks(classes: Mapping[str, int]) -> str:
    """The transaction that sends what goes to each address into its class."""
    rules = [
        f"add rule {TABLE} marks ip daddr {address} meta priority set 1:{minor:x}"
        for address, minor in classes.items()
    ]
    return "\n".join([f"flush chain {TABLE} marks", *rules]) + "\n"


def waited(shown: str) -> dict[int, int]:
    """By class, how many times a packet had to wait, from `tc -s class show`."""
    found = re.findall(r"class htb 1:([0-9a-f]+) .*?overlimits (\d+)", shown, re.DOTALL)
    return {int(minor, 16): int(times) for minor, times in found}


def refusal(fault: Shaping, lacking_htb: str, lacking_netem: str) -> str:
    """Why a host cannot do it; empty if it can."""
    if isinstance(fault, Slow) and fault.distribution == "exponential":
        return "the kernel's netem draws no exponential delays: use normal, uniform or constant"
    return lacking_htb or (lacking_netem if isinstance(fault, Slow) else "")


def _delay(slow: Sequence[Slow]) -> str:
    """Delays add up, and so do their variances."""
    mean_us = round(1000 * sum(fault.mean_ms for fault in slow))
    varying = [fault for fault in slow if fault.distribution != "constant"]
    jitter_us = round(1000 * math.hypot(*(fault.jitter_ms for fault in varying)))
    if not jitter_us:
        return f"delay {mean_us}us"
    normal = any(fault.distribution == "normal" for fault in varying)
    return f"delay {mean_us}us {jitter_us}us" + (" distribution normal" if normal else "")
