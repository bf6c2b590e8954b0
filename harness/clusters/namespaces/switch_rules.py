"""One directed link of the switch: the packet's way from the device of one host to another's.

Rules
1. What a link does to what it carries is the Link of `clusters.shaping`, the same that local
   clusters have, with every packet a whole frame: draws, sums of faults, order, release. Added is
   what only packets can meet: corruption, and resets made of segments.
2. A way without faults is `quiet`: the switch writes straight through and only counts.
3. Whether and how a packet is altered is drawn when it arrives, from a generator of its own; it
   counts as corrupted when it is delivered, and stays altered when the fault is undone meanwhile.
4. A link that resets is cut, and answers TCP with resets to both sides. They pass by the rules of
   the links, as the network they come from is not the one that is broken. A connection that is
   silent while the link resets is not reset: nobody asks after it.
5. Probes have a lane of their own, with its own generator and counters: measuring changes neither
   the fate of the packets of systems nor what is counted of them.
6. What waits in a link is bounded: beyond QUEUE_BYTES_MAX packets are dropped, and counted so.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec

from harness.clusters.namespaces import switch_packets
from harness.clusters.shaping import Clock, Counts, Link
from nemesis.faults import Corrupt, LinkFault, Partition

QUEUE_BYTES_MAX = 16 * 2**20

Send = Callable[[bytes], None]


class Altered(bytes):
    """A packet whose payload is not what was sent."""


class Lane:
    """Where a way delivers to. Implements harness.clusters.shaping.Lane."""

    def __init__(self, random: Random, send: Send) -> None:
        self.counts = Counts()
        self.corrupted = 0
        self.random = random
        self.last_seq = -1
        self.latest_s = 0.0
        self.waiting_bytes = 0
        self._send = send

    def deliver(self, data: bytes) -> None:
        self.corrupted += isinstance(data, Altered)
        self._send(data)

    def queued(self, change_bytes: int) -> None:
        self.waiting_bytes += change_bytes


class Way:
    """The directed link from `src` to `dst`. `send` writes to the device of `dst`, `answer` to that
    of `src`; packets begin `at` bytes into what is carried."""

    def __init__(
        self, src: str, dst: str, seed: int, clock: Clock, *, send: Send, answer: Send, at: int
    ) -> None:
        self.link = Link(src, dst, seed, clock)
        self.traffic = Lane(self.link.random, send)
        self.probes = Lane(self.link.probe_random, send)
        self.quiet = True
        self._send = send
        self._answer = answer
        self._at = at
        self._altering = Random(f"{seed}-{src}-{dst}-corrupt")
        self._corruptions: dict[int, float] = {}  # probability, by the id of the fault
        self._resets: set[int] = set()

    def apply(self, id: int, fault: LinkFault) -> None:  # noqa: A002
        if isinstance(fault, Corrupt):
            self._corruptions[id] = fault.probability
        elif isinstance(fault, Partition) and fault.mode == "reset":
            self._resets.add(id)
            fault = msgspec.structs.replace(fault, mode="silent")
        self.link.apply(id, fault)
        self.quiet = self.link.quiet

    def undo(self, id: int) -> None:  # noqa: A002
        self._corruptions.pop(id, None)
        self._resets.discard(id)
        self.link.undo(id)
        self.quiet = self.link.quiet

    def carry(self, data: bytes, *, probe: bool = False) -> None:
        """A packet has come, and the way is not quiet."""
        lane = self.probes if probe else self.traffic
        if lane.waiting_bytes > QUEUE_BYTES_MAX:
            lane.counts.dropped += 1
            return
        if self._resets:
            self._reset(data)  # and the link, which is cut, drops and counts it
        elif self._corruptions and not probe:
            data = self._perhaps_altered(data)
        self.link.carry(lane, (data,))

    def counted(self) -> dict[str, int]:
        """The counters of a nemesis.capabilities.LinkReading."""
        counts = self.traffic.counts
        return {
            "forwarded": counts.forwarded,
            "dropped": counts.dropped,
            "duplicated": counts.duplicated,
            "reordered": counts.reordered,
            "delayed": counts.delayed,
            "corrupted": self.traffic.corrupted,
        }

    def _reset(self, data: bytes) -> None:
        answers = switch_packets.resets(data, self._at)
        if answers is not None:
            to_sender, to_receiver = answers
            self._answer(to_sender)
            if to_receiver is not None:
                self._send(to_receiver)

    def _perhaps_altered(self, data: bytes) -> bytes:
        # sum, not any: the number of draws must not hang on their outcome.
        hits = sum(self._altering.random() < p for p in self._corruptions.values())
        changed = switch_packets.altered(data, self._at, self._altering) if hits else None
        return data if changed is None else Altered(changed)
