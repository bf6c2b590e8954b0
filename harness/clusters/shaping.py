"""What one directed link does to what it carries: the sum of the faults applied to it.

Rules
1. A link without faults is `quiet` and holds nothing: whoever feeds it may write straight through.
2. Every random choice is drawn when a frame arrives, from the generator of the link, in a fixed
   order: loss, duplication, then for each copy delay and reordering. The same traffic under the
   same faults meets the same fate; probes draw elsewhere and shift nothing.
3. A waiting parcel keeps its draws. When a fault comes or goes, all due times are computed anew
   from the draws of the faults still in force, so a healed link does not go on being slow.
4. Delay keeps order: due times never go back along a link. Only Reorder lets a frame be passed.
5. A silent cut loses whole frames, those in flight included, and holds back everything else:
   pieces of a byte stream, and the opening and ending of connections, as TCP would retransmit
   them. So a node that dies behind a cut is not seen to die before the cut heals. A link that
   holds keeps everything so, whole frames too; when it is let go, all is due at once, in order.
6. Counters count what happened, when it happened, never what was meant to happen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from heapq import heapify, heappop, heappush
from math import inf
from random import Random
from typing import Protocol

import msgspec

from nemesis.faults import (
    Corrupt,
    Duplicate,
    Hold,
    LinkFault,
    Lose,
    Partition,
    Reorder,
    Slow,
    Throttle,
    slowness_ms,
    tag,
)

DELAYED_MIN_S = 0.001  # a frame counts as delayed if it waited at least this long


class Handle(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    """The part of an event loop that a link needs; times in seconds, monotonic."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], None], /) -> Handle: ...


class Counts:
    """Frames (chunks, for byte streams) of a link since it was made."""

    __slots__ = ("delayed", "dropped", "duplicated", "forwarded", "reordered")

    def __init__(self) -> None:
        self.forwarded = self.dropped = self.duplicated = self.reordered = self.delayed = 0


class Lane(Protocol):
    """What a link delivers into: one direction of one connection, or a probe."""

    counts: Counts
    random: Random
    last_seq: int  # of the parcels delivered so far, the highest number; -1 before the first
    latest_s: float  # the latest due time given to a parcel of this lane

    def deliver(self, data: bytes) -> None: ...

    def queued(self, change_bytes: int) -> None:
        """This many more (or, negative, fewer) bytes of the lane wait in the link."""
        ...


class Rules(msgspec.Struct, frozen=True):
    """The faults of a link, sorted by what they do; `rate` is in bytes per second, inf if free."""

    cut: bool
    held: bool
    reset: bool
    losses: tuple[float, ...]
    doublings: tuple[float, ...]
    slows: tuple[tuple[int, Slow], ...]
    reorders: tuple[tuple[int, Reorder], ...]
    rate: float

    @classmethod
    def of(cls, faults: Mapping[int, LinkFault]) -> Rules:
        cuts = [fault.mode for fault in faults.values() if isinstance(fault, Partition)]
        rates = [fault.bytes_per_s for fault in faults.values() if isinstance(fault, Throttle)]
        return cls(
            cut="silent" in cuts,
            held=any(isinstance(fault, Hold) for fault in faults.values()),
            reset="reset" in cuts,
            losses=tuple(f.probability for f in faults.values() if isinstance(f, Lose)),
            doublings=tuple(f.probability for f in faults.values() if isinstance(f, Duplicate)),
            slows=tuple((id_, f) for id_, f in faults.items() if isinstance(f, Slow)),
            reorders=tuple((id_, f) for id_, f in faults.items() if isinstance(f, Reorder)),
            rate=min(rates, default=inf),
        )


class Parcel:
    """What waits in a link: a frame, a chunk of a stream, or (with `action`) an event in order."""

    __slots__ = ("action", "arrived_s", "copy", "data", "due_s", "holds", "lane", "seq", "waits")

    def __init__(self, seq: int, arrived_s: float, lane: Lane, data: bytes) -> None:
        self.seq = seq
        self.arrived_s = arrived_s
        self.lane = lane
        self.data = data
        self.action: Callable[[], None] | None = None
        self.copy = False
        self.due_s = inf
        self.waits: tuple[tuple[int, float], ...] = ()  # delays drawn, by the id of the fault
        self.holds: tuple[tuple[int, float], ...] | None = ()  # likewise of Reorder; None: no frame

    @property
    def whole(self) -> bool:
        """Is it a frame, which can be lost without harm to what follows?"""
        return self.holds is not None

    def __lt__(self, other: Parcel) -> bool:
        return (self.due_s, self.seq) < (other.due_s, other.seq)


class Link:
    """The directed link from `src` to `dst`: its faults, its queue, its counters."""

    def __init__(self, src: str, dst: str, seed: int, clock: Clock) -> None:
        self.ends = (src, dst)
        self.counts = Counts()
        self.random = Random(f"{seed}-{src}-{dst}")
        self.probe_random = Random(f"{seed}-{src}-{dst}-probe")
        self.quiet = True
        self.rules = Rules.of({})
        self._faults: dict[int, LinkFault] = {}
        self._clock = clock
        self._queue: list[Parcel] = []
        self._timer: Handle | None = None
        self._timer_s = inf
        self._seq = 0
        self._free_s = 0.0  # when the throttled wire has sent what it was given
        self._latest_s = 0.0  # the latest due time of a parcel that keeps order

    def apply(self, id: int, fault: LinkFault) -> None:  # noqa: A002
        if id not in self._faults:
            self._faults[id] = fault
            self._change()

    def undo(self, id: int) -> None:  # noqa: A002
        if self._faults.pop(id, None) is not None:
            self._change()

    def carry(self, lane: Lane, frames: Iterable[bytes]) -> None:
        """Whole frames, each on its own fate."""
        rules, now_s, random = self.rules, self._clock.time(), lane.random
        for data in frames:
            # sum, not any: the number of draws must not hang on their outcome.
            losses = sum(random.random() < p for p in rules.losses)
            copies = 1 + sum(random.random() < p for p in rules.doublings)
            if losses or rules.cut:
                lane.counts.dropped += 1
                continue
            for copy in range(copies):
                parcel = self._parcel(lane, data, now_s)
                parcel.copy = copy > 0
                parcel.waits = tuple((id_, slowness_ms(f, random) / 1000) for id_, f in rules.slows)
                parcel.holds = tuple(
                    (id_, random.uniform(0, f.window_ms) / 1000)
                    for id_, f in rules.reorders
                    if random.random() < f.probability
                )
                self._enqueue(parcel)
        self._deliver_due()

    def carry_chunk(self, lane: Lane, data: bytes) -> None:
        """A piece of a byte stream: it may wait, but is neither lost nor repeated nor passed."""
        parcel = self._parcel(lane, data, self._clock.time())
        parcel.waits = tuple(
            (id_, slowness_ms(f, lane.random) / 1000) for id_, f in self.rules.slows
        )
        parcel.holds = None
        self._enqueue(parcel)
        self._deliver_due()

    def carry_event(self, lane: Lane, action: Callable[[], None]) -> None:
        """Runs `action` once all that the lane sent before it has arrived or was lost."""
        parcel = self._parcel(lane, b"", self._clock.time())
        parcel.holds = None
        parcel.action = action
        self._enqueue(parcel)
        self._deliver_due()

    def forget(self, lane: Lane) -> None:
        """Takes out what waits for a lane that is gone."""
        kept = [parcel for parcel in self._queue if parcel.lane is not lane]
        if len(kept) != len(self._queue):
            heapify(kept)
            self._queue = kept
            self._set_timer()

    def close(self) -> None:
        self._queue.clear()
        self._set_timer()

    def _parcel(self, lane: Lane, data: bytes, now_s: float) -> Parcel:
        self._seq += 1
        return Parcel(self._seq, now_s, lane, data)

    def _enqueue(self, parcel: Parcel) -> None:
        self._time(parcel)
        heappush(self._queue, parcel)
        parcel.lane.queued(len(parcel.data))

    def _time(self, parcel: Parcel) -> None:
        """Sets when the parcel is due under the faults in force; inf while it is held back."""
        lane = parcel.lane
        if self.rules.cut or self.rules.held:
            parcel.due_s = inf
            return
        if parcel.action is not None:  # behind even those that Reorder holds back
            parcel.due_s = max(parcel.arrived_s, self._latest_s, lane.latest_s)
            return
        self._free_s = max(parcel.arrived_s, self._free_s) + len(parcel.data) / self.rules.rate
        wait_s = sum(s for id_, s in parcel.waits if id_ in self._faults)
        self._latest_s = max(self._free_s + wait_s, self._latest_s)
        hold_s = sum(s for id_, s in parcel.holds or () if id_ in self._faults)
        parcel.due_s = self._latest_s + hold_s
        lane.latest_s = max(parcel.due_s, lane.latest_s)

    def _change(self) -> None:
        """The faults have changed: rules, and the fate of everything that waits, anew."""
        self.rules = Rules.of(self._faults)
        self.quiet = not self._faults
        # A throttled wire is busy now: counted from old arrivals, a backlog would burst out.
        self._free_s = self._clock.time() if self.rules.rate < inf else 0.0
        self._latest_s = 0.0
        waiting = sorted(self._queue, key=lambda parcel: parcel.seq)
        self._queue = []
        for parcel in waiting:
            parcel.lane.latest_s = 0.0
        for parcel in waiting:
            if self.rules.cut and parcel.whole:
                parcel.lane.counts.dropped += not parcel.copy
                parcel.lane.queued(-len(parcel.data))
            else:
                self._time(parcel)
                heappush(self._queue, parcel)
        self._deliver_due()

    def _deliver_due(self) -> None:
        now_s = self._clock.time()
        while self._queue and self._queue[0].due_s <= now_s:
            self._deliver(heappop(self._queue), now_s)
        self._set_timer()

    def _deliver(self, parcel: Parcel, now_s: float) -> None:
        lane, counts = parcel.lane, parcel.lane.counts
        lane.queued(-len(parcel.data))
        if parcel.action is not None:
            parcel.action()
            return
        if parcel.copy:
            counts.duplicated += 1
        else:
            counts.forwarded += 1
            counts.delayed += now_s - parcel.arrived_s >= DELAYED_MIN_S
            counts.reordered += parcel.seq < lane.last_seq
        lane.last_seq = max(parcel.seq, lane.last_seq)
        lane.deliver(parcel.data)

    def _set_timer(self) -> None:
        due_s = self._queue[0].due_s if self._queue else inf
        if due_s == self._timer_s:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.call_at(due_s, self._ring) if due_s < inf else None
        self._timer_s = due_s

    def _ring(self) -> None:
        self._timer, self._timer_s = None, inf
        self._deliver_due()


def check(fault: LinkFault, framed: bool) -> str | None:
    """Why a link cannot carry the fault, as a sentence; None if it can."""
    if isinstance(fault, Corrupt):
        return (
            "fault 'corrupt' needs links that alter what they carry, which those between processes "
            "do not: use --cluster simulated, or packages without it (partitions, links, chaos)"
        )
    if isinstance(fault, Lose | Duplicate | Reorder):
        if not framed:
            return (
                f"fault '{tag(fault)}' needs whole frames, and this port is a byte stream: "
                "declare its framing (length or line) in the system, or use partition, slow or "
                "throttle"
            )
        if not 0 <= fault.probability <= 1:
            return f"fault '{tag(fault)}' has probability {fault.probability}, not within 0 to 1"
    if isinstance(fault, Throttle) and fault.bytes_per_s <= 0:
        return f"fault 'throttle' has bytes_per_s {fault.bytes_per_s}: give a rate above 0"
    return None
