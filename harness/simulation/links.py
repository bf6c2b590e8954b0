"""Links of the simulated network: how long a frame takes, and whether it comes at all.

Rules
1. A link between nodes promises nothing: each frame has a delay of its own, so later ones may pass
   earlier ones (`ordered` links keep the order). A link between a client and a node carries byte
   streams, as TCP does: nothing is lost or passed, and a silent cut holds everything back.
2. What a link does is the sum of the faults in force on it, judged when a frame is sent and, for
   cuts and holds, again when it arrives: a cut takes what is under way between nodes.
3. Each kind of chance has a stream of choices of its own for each link. Its numbers are 0 where
   nothing happens beyond the least: no extra delay, not lost, not doubled.
4. A probe is a frame that no fault but cut, hold and delay touches, and that no counter counts.

The faults are those of nemesis.faults; the counters mean what nemesis.capabilities says.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf
from random import Random
from typing import Any

import msgspec

from harness.simulation.choices import Choices, Stream
from harness.simulation.loop import VirtualLoop
from nemesis.faults import (
    Corrupt,
    Duplicate,
    Hold,
    Link,
    LinkFault,
    Lose,
    Partition,
    Reorder,
    Slow,
    Throttle,
    slowness_ms,
)

NS_PER_US = 1000
DELAYED_MIN_NS = 1_000_000  # a frame that faults make so late counts as delayed


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """What a link without faults takes, in microseconds: at least `least_us`, and up to `spread_us`
    more, evenly or (`tail`) exponentially with that mean."""

    least_us: int = 200
    spread_us: int = 800
    tail: bool = False

    def extra(self, random: Random) -> int:
        if self.tail:
            return int(random.expovariate(1) * self.spread_us)
        return int(random.random() * self.spread_us)


class Counts:
    """Of frames, since the cluster started."""

    __slots__ = ("corrupted", "delayed", "dropped", "duplicated", "forwarded", "reordered")

    def __init__(self) -> None:
        self.forwarded = self.dropped = self.duplicated = 0
        self.reordered = self.delayed = self.corrupted = 0


class Rules:
    """The faults in force on one link, added up."""

    def __init__(self, faults: dict[int, LinkFault]) -> None:
        every = list(faults.values())
        cuts = [f for f in every if isinstance(f, Partition)]
        self.cut = bool(cuts)
        self.reset = any(f.mode == "reset" for f in cuts)
        self.hold = any(isinstance(f, Hold) for f in every)
        self.slows = [f for f in every if isinstance(f, Slow)]
        self.loses = [f for f in every if isinstance(f, Lose)]
        self.duplicates = [f for f in every if isinstance(f, Duplicate)]
        self.reorders = [f for f in every if isinstance(f, Reorder)]
        self.corrupts = [f for f in every if isinstance(f, Corrupt)]
        rates = [f.bytes_per_s for f in every if isinstance(f, Throttle)]
        self.rate = min(rates) if rates else inf
        self.shut = self.cut or self.hold


class Frame(msgspec.Struct, gc=False):  # a Struct is built in a third of a class's time
    """A message on its way. `message`: as the receiver is handed it, None where each receiver
    decodes `payload` for itself. `number`: how many the link had carried before it. `id`: in the
    world's log."""

    message: Any
    payload: bytes
    number: int = 0
    sent_ns: int = 0
    id: int = 0


Deliver = Callable[[str, Frame], None]  # src, frame


class PeerLink:
    """Carries what one node sends to another. `deliver` is the receiver's."""

    def __init__(
        self,
        link: Link,
        loop: VirtualLoop,
        choices: Choices,
        latency: Latency,
        deliver: Deliver,
        *,
        ordered: bool = False,
        pace: Callable[[Link, Random], int] | None = None,
        lost: Callable[[Link, Frame], None] | None = None,
    ) -> None:
        """`pace`: a scheduler's own extra delay of a frame, in microseconds, in place of the
        latency's. `lost`: hears of frames that will not arrive."""
        self.link = link
        self.counts = Counts()
        self.rules = Rules({})
        self.sent = 0
        self._src, self._deliver = link[0], deliver
        self._loop, self._choices, self._latency = loop, choices, latency
        self._name = f"{link[0]}>{link[1]}"
        self._delays = choices.stream(self._name)
        self._least_ns = latency.least_us * NS_PER_US
        self._extra_us = self._drawn_delay(pace)
        self._ordered, self._lost = ordered, lost
        self._faults: dict[int, LinkFault] = {}
        self._quiet = True
        self._held: list[Frame] = []
        self._latest_ns = 0  # arrival of the last frame, where order is kept
        self._free_ns = 0  # when a throttled wire has sent what it was given
        self._last_number = -1

    def tap(self, hear: Callable[[Link, Frame], None]) -> None:
        """`hear` is told of each frame, right before its receiver is handed it."""
        deliver = self._deliver

        def both(src: str, frame: Frame) -> None:
            hear(self.link, frame)
            deliver(src, frame)

        self._deliver = both

    def _drawn_delay(self, pace: Callable[[Link, Random], int] | None) -> Callable[[], int]:
        """What draws the microseconds that a frame takes beyond the least."""
        if pace is not None:
            return partial(self._delays.take, partial(pace, self.link))
        if self._latency.tail:
            return partial(self._delays.take, self._latency.extra)
        return partial(self._delays.fraction, self._latency.spread_us)

    def send(self, frame: Frame) -> None:
        frame.number = self.sent
        self.sent += 1
        loop = self._loop
        now_ns = frame.sent_ns = loop.now_ns
        if self._quiet:
            due_ns = now_ns + self._least_ns + self._extra_us() * NS_PER_US
            if self._ordered:
                due_ns = self._latest_ns = max(due_ns, self._latest_ns)
            loop.at(due_ns, self._arrive, frame)
        else:
            self._send_under_faults(frame)

    def _send_under_faults(self, frame: Frame) -> None:
        rules, now_ns = self.rules, self._loop.now_ns
        if rules.cut or self._drawn("lose", rules.loses):
            self._drop(frame)
            return
        self._free_ns = max(now_ns, self._free_ns)
        if rules.rate < inf:
            self._free_ns += int(len(frame.payload) / rules.rate * 1e9)
        due_ns = self._free_ns + self._travel_ns()
        # What is slow shows in a probe; what a throttled wire keeps waiting only here.
        self.counts.delayed += self._free_ns - now_ns >= DELAYED_MIN_NS
        if self._drawn("corrupt", rules.corrupts):
            frame = self._corrupted(frame)
        if self._ordered:
            due_ns = self._latest_ns = max(due_ns, self._latest_ns)
        if self._drawn("reorder", rules.reorders):
            window_ms = max(f.window_ms for f in rules.reorders)
            due_ns += self._fraction("reorder by", window_ms * 1000) * NS_PER_US
        self._loop.at(due_ns, self._arrive, frame)
        if self._drawn("duplicate", rules.duplicates):
            self.counts.duplicated += 1
            again_ns = max(due_ns, now_ns + self._travel_ns()) + self._later_ns()
            self._loop.at(again_ns, self._arrive_again, frame)

    def _later_ns(self) -> int:
        """How much later the second copy of a frame comes: of any magnitude up to a second, for
        what is repeated within an instant is answered as one; where it comes when others have
        spoken meanwhile, it does harm."""
        later = self._stream("duplicate later")
        return later.take(lambda random: int(2 ** (20 * random.random()) - 1)) * NS_PER_US

    def _travel_ns(self) -> int:
        extra_us = self._extra_us()
        for fault in self.rules.slows:
            extra_us += self._stream("slow").take(partial(slowness_us, fault))
        return self._least_ns + extra_us * NS_PER_US

    def probe(self, back: Callable[[int | None], None]) -> None:
        """Call back with the nanoseconds a frame takes now, None if nothing comes through."""
        sent_ns = self._loop.now_ns
        delay_us = sum(slowness_us(f, Random(0)) for f in self.rules.slows)
        due_ns = sent_ns + self._least_ns + delay_us * NS_PER_US

        def arrive(_: None) -> None:
            back(None if self.rules.shut else self._loop.now_ns - sent_ns)

        self._loop.at(due_ns, arrive, None)

    def _arrive(self, frame: Frame) -> None:
        if not self._quiet:
            if self.rules.cut:
                self._drop(frame)
                return
            if self.rules.hold or self._held:
                self._held.append(frame)
                return
        counts = self.counts
        counts.forwarded += 1
        if frame.number > self._last_number:
            self._last_number = frame.number
        elif self.rules.reorders:  # a link passes frames by itself: that is no fault's doing
            counts.reordered += 1
        self._deliver(self._src, frame)

    def _arrive_again(self, frame: Frame) -> None:
        """The second copy of a doubled frame counts as nothing but doubled."""
        if self.rules.cut:
            return
        if self.rules.hold or self._held:
            self._held.append(frame)
        else:
            self._deliver(self._src, frame)

    def _drop(self, frame: Frame) -> None:
        self.counts.dropped += 1
        if self._lost is not None:
            self._lost(self.link, frame)

    def apply(self, id_: int, fault: LinkFault) -> None:
        self._faults[id_] = fault
        self._change()

    def undo(self, id_: int) -> None:
        if self._faults.pop(id_, None) is not None:
            self._change()

    def _change(self) -> None:
        self.rules = Rules(self._faults)
        self._quiet = not self._faults and not self._held
        if not self.rules.hold and self._held:
            self._loop.at(self._loop.now_ns, self._release, None)

    def _release(self, _: None) -> None:
        """Held frames arrive, in the order in which they came; until then what arrives at the same
        moment stands behind them."""
        if self.rules.hold:
            return
        released, self._held = self._held, []
        self._quiet = not self._faults
        for frame in released:
            self._arrive(frame)

    def _stream(self, kind: str) -> Stream:
        return self._choices.stream(f"{self._name} {kind}")

    def _drawn(self, kind: str, faults: list[Any]) -> bool:
        """Does chance strike? 0 where it does not."""
        if not faults:
            return False
        spared = 1.0
        for fault in faults:
            spared *= 1 - fault.probability
        return self._stream(kind).take(lambda random: int(random.random() >= spared)) > 0

    def _fraction(self, kind: str, of_us: float) -> int:
        return self._stream(kind).take(lambda random: int(random.random() * of_us))

    def _corrupted(self, frame: Frame) -> Frame:
        self.counts.corrupted += 1
        altered = alter(msgspec.msgpack.decode(frame.payload), self._stream("corrupt what"))
        payload = msgspec.msgpack.encode(altered)
        return Frame(None, payload, frame.number, frame.sent_ns, frame.id)


def slowness_us(fault: Slow, random: Random) -> int:
    """One delay of the fault, in microseconds."""
    return int(slowness_ms(fault, random) * 1000)


def alter(value: Any, stream: Stream) -> Any:
    """A message (plain values) with one scalar in it changed, as a flipped bit or a liar would."""
    places = list(_places(value, ()))
    if not places:
        return value
    return _changed(value, places[stream.below(len(places))], stream)


def _places(value: Any, at: tuple[Any, ...]) -> Any:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _places(part, (*at, key))
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from _places(part, (*at, index))
    else:
        yield at


def _changed(value: Any, at: tuple[Any, ...], stream: Stream) -> Any:
    if not at:
        return _other(value, stream)
    head, rest = at[0], at[1:]
    if isinstance(value, dict):
        return {k: _changed(v, rest, stream) if k == head else v for k, v in value.items()}
    return [_changed(v, rest, stream) if i == head else v for i, v in enumerate(value)]


def _other(value: Any, stream: Stream) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        other = value + (1, -1, 2, 7)[stream.below(4)]
        if 0 <= other < 1 << 63:
            return other
        return value - 1 if value > 0 else value + 1
    if isinstance(value, float):
        return -value or 1.0
    if isinstance(value, str) and value:
        at = stream.below(len(value))
        return value[:at] + chr((ord(value[at]) ^ 1) or 49) + value[at + 1 :]
    return 1
