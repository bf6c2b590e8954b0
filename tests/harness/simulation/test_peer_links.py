"""Links between nodes: what they promise, which is nothing, and what faults do to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.simulation.choices import Choices, Stream
from harness.simulation.links import Frame, Latency, PeerLink, alter
from harness.simulation.loop import VirtualLoop
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
)

US = 1000
Arrival = tuple[int, int]  # microseconds, which frame
FIXED = Latency(least_us=200, spread_us=0)


class Run:
    """One link; frames and faults by the microsecond at which they come."""

    def __init__(self, latency: Latency = FIXED, seed: int = 1, ordered: bool = False) -> None:
        self.loop = VirtualLoop()
        self.arrived: list[Arrival] = []
        self.messages: list[object] = []
        self.lost: list[int] = []
        self.link = PeerLink(
            ("a", "b"),
            self.loop,
            Choices(seed),
            latency,
            self._deliver,
            ordered=ordered,
            lost=lambda _, frame: self.lost.append(frame.number),
        )

    def _deliver(self, src: str, frame: Frame) -> None:
        assert src == "a"
        self.arrived.append((self.loop.now_ns // US, frame.number))
        self.messages.append(msgspec.msgpack.decode(frame.payload))

    def at(self, us: int, act: Callable[[], object]) -> None:
        self.loop.at(us * US, lambda _: act(), None)

    def send(self, *times_us: int, message: object = ("m", 1)) -> Run:
        payload = msgspec.msgpack.encode(message)
        for us in times_us:
            self.at(us, lambda: self.link.send(Frame(None, payload)))
        return self

    def fault(self, fault: LinkFault, since_us: int, until_us: int | None, id_: int = 1) -> Run:
        self.at(since_us, lambda: self.link.apply(id_, fault))
        if until_us is not None:
            self.at(until_us, lambda: self.link.undo(id_))
        return self

    def end(self) -> Run:
        self.loop.run_until_complete(asyncio.sleep(100))
        self.loop.close()
        return self


@given(
    st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 99), st.lists(st.integers(0, 9999))
)
def test_every_frame_arrives_within_the_bounds_of_the_latency(
    least_us: int, spread_us: int, seed: int, times_us: list[int]
) -> None:
    """T7, the synchronous model: at least the least, and less than the spread beyond it."""
    latency = Latency(least_us=least_us, spread_us=spread_us)
    run = Run(latency, seed).send(*sorted(times_us)).end()
    sent = sorted(times_us)
    assert sorted(number for _, number in run.arrived) == list(range(len(sent)))
    assert all(
        least_us <= us - sent[number] < least_us + max(1, spread_us) for us, number in run.arrived
    )


def test_frames_pass_each_other_unless_order_is_kept() -> None:
    """Rule 1; `order=fifo` is one TCP connection."""
    wide = Latency(least_us=0, spread_us=10_000)
    times = range(0, 1000, 10)
    free, kept = Run(wide).send(*times).end(), Run(wide, ordered=True).send(*times).end()
    assert [n for _, n in free.arrived] != sorted(n for _, n in free.arrived)
    assert 0 == free.link.counts.reordered  # that is how the link is, and no fault's doing
    assert [n for _, n in kept.arrived] == list(range(100))
    assert 0 == kept.link.counts.reordered


spans = st.tuples(st.integers(0, 60), st.integers(1, 30))


def in_force(spans_: list[tuple[int, int]], us: int) -> bool:
    return any(begin * 10 + 5 <= us < (begin + length) * 10 + 5 for begin, length in spans_)


def expected(
    times: list[int], cuts: list[tuple[int, int]], holds: list[tuple[int, int]]
) -> list[Arrival]:
    """The slow obvious way: each frame on its own."""
    found = []
    for number, us in enumerate(times):
        arrival = us + 200
        if in_force(cuts, us) or in_force(cuts, arrival):
            continue
        if in_force(holds, arrival):
            arrival = next(
                t for t in range(arrival // 10 * 10 + 5, 9999, 10) if not in_force(holds, t)
            )
            if in_force(cuts, arrival):
                continue
        found.append((arrival, number))
    return sorted(found)


@given(
    times=st.lists(st.integers(0, 80).map(lambda n: n * 10), max_size=12).map(sorted),
    cuts=st.lists(spans, max_size=3),
    holds=st.lists(spans, max_size=3),
    reset=st.booleans(),
)
def test_cuts_and_holds_do_to_each_frame_what_they_say(
    times: list[int], cuts: list[tuple[int, int]], holds: list[tuple[int, int]], reset: bool
) -> None:
    """Rule 2: a cut takes what is sent and what is under way, a hold keeps it and lets it go in
    order; overlapping faults add up."""
    run = Run().send(*times)
    cut = Partition(mode="reset" if reset else "silent")
    for id_, (begin, length) in enumerate(cuts):
        run.fault(cut, begin * 10 + 5, (begin + length) * 10 + 5, id_)
    for id_, (begin, length) in enumerate(holds, 50):
        run.fault(Hold(), begin * 10 + 5, (begin + length) * 10 + 5, id_)
    # When both change at one moment, the order of the orders decides; the oracle knows moments.
    moments = [m for b, n in (*cuts, *holds) for m in (b, b + n)]
    if len(set(moments)) < len(moments):
        return
    run.end()
    assert expected(times, cuts, holds) == run.arrived
    assert len(times) - len(run.arrived) == run.link.counts.dropped == len(run.lost)


def test_what_arrives_when_a_hold_ends_stands_behind_what_was_held() -> None:
    """In the very moment; else a fifo link would hand out a later frame first."""
    run = Run(ordered=True).send(0, 10, 300)
    run.fault(Hold(), 100, None)
    run.at(500, lambda: run.link.undo(1))  # before the third arrives, at the same microsecond
    assert [(500, 0), (500, 1), (500, 2)] == run.end().arrived


def test_a_hold_that_comes_back_at_once_lets_nothing_through() -> None:
    """Undone and applied again in one moment: nothing has moved."""
    run = Run().send(0).fault(Hold(), 100, 500, 1)
    run.fault(Hold(), 500, 900, 2)
    assert [(900, 0)] == run.end().arrived


def test_a_fault_is_in_force_once_and_unknown_ones_are_undone_in_peace() -> None:
    """Rule 1 of breaking."""
    run = Run().send(300)
    run.fault(Partition(), 0, 200)
    run.at(100, lambda: run.link.apply(1, Partition()))
    run.at(250, lambda: run.link.undo(1))
    assert [(500, 0)] == run.end().arrived


def test_a_lossy_link_loses_by_its_probability() -> None:
    """And each loss is counted and told."""
    run = Run().fault(Lose(probability=0.3), 0, None).send(*range(1, 2001)).end()
    assert 500 < run.link.counts.dropped == len(run.lost) < 700
    assert 2000 == run.link.counts.forwarded + run.link.counts.dropped


def test_losses_add_up_as_independent_chances() -> None:
    """Two faults of one half each spare a quarter."""
    run = Run().fault(Lose(probability=0.5), 0, None, 1).fault(Lose(probability=0.5), 0, None, 2)
    run.send(*range(1, 2001)).end()
    assert 420 < len(run.arrived) < 580


def test_doubled_frames_come_twice() -> None:
    """The copy comes after its original, soon or up to about a second late."""
    latency = Latency(least_us=200, spread_us=800)
    run = Run(latency).fault(Duplicate(probability=1.0), 0, None).send(*range(1, 101)).end()
    assert [2] * 100 == [sum(n == number for _, n in run.arrived) for number in range(100)]
    first = {number: us for us, number in reversed(run.arrived)}
    late_us = [us - first[number] for us, number in run.arrived if us != first[number]]
    assert all(200 <= us - (number + 1) < 1000 for number, us in first.items())
    assert max(late_us) < 2**20 + 1000
    assert (100, 100) == (run.link.counts.duplicated, run.link.counts.forwarded)


def test_reordered_frames_wait_within_the_window() -> None:
    """Later ones pass them, and that is counted."""
    run = Run().fault(Reorder(probability=0.5, window_ms=5), 0, None)
    run.send(*range(1, 1001, 10)).end()
    assert all(200 <= us - (1 + number * 10) <= 5200 for us, number in run.arrived)
    assert 10 < run.link.counts.reordered


def test_a_slow_link_delays_by_the_distribution() -> None:
    """Constant ones all alike."""
    run = Run().fault(Slow(mean_ms=20, jitter_ms=0, distribution="constant"), 5, 100)
    run.send(10, 200).end()
    assert [(400, 1), (20_210, 0)] == run.arrived


def test_a_throttled_link_sends_one_byte_after_the_other() -> None:
    """Frames of ten bytes at 1000 bytes a second are 10 ms apart."""
    payload = "x" * 9  # and one byte of its own
    run = Run().fault(Throttle(bytes_per_s=1000), 0, None).send(1, 1, 1, message=payload).end()
    assert [10_201, 20_201, 30_201] == [us for us, _ in run.arrived]
    assert 3 == run.link.counts.delayed


def test_a_corrupted_frame_is_another_message() -> None:
    """The receiver is handed what was never sent, of the same shape, and it is counted."""
    message = {"ballot": [3, "n1"], "value": "v", "last": None}
    run = Run().fault(Corrupt(probability=1.0), 0, None)
    run.send(*range(1, 201), message=message).end()
    assert 200 == run.link.counts.corrupted == len(run.messages)
    assert all(isinstance(m, dict) and m.keys() == message.keys() for m in run.messages)
    assert message not in run.messages


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.text(max_size=2), inner, min_size=1, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=50)
@given(plain, st.integers(0, 1000))
def test_to_alter_a_message_is_to_change_it(value: object, seed: int) -> None:
    """Else a lie would be counted that nobody told; and what comes of it can be sent."""
    other = alter(value, Stream(str(seed)))
    assert value != other
    msgspec.msgpack.encode(other)


@pytest.mark.parametrize(
    ("fault", "delay_us"),
    [
        (None, 200),
        (Partition(), None),
        (Lose(probability=1.0), 200),
        (Slow(mean_ms=3, jitter_ms=0, distribution="constant"), 3200),
    ],
)
def test_a_probe_tells_how_the_link_is(fault: LinkFault | None, delay_us: int | None) -> None:
    """Rule 4: cuts and delays touch it, chance and counters do not."""
    run, seen = Run(), []
    if fault is not None:
        run.fault(fault, 0, None)
    run.at(10, lambda: run.link.probe(seen.append))
    run.end()
    assert [None if delay_us is None else delay_us * US] == seen
    assert 0 == run.link.counts.forwarded + run.link.counts.dropped


def test_a_held_probe_finds_nobody() -> None:
    """Nothing comes through, as behind a cut, and nobody has to wait for that."""
    run, seen = Run().fault(Hold(), 0, None), []
    run.at(10, lambda: run.link.probe(seen.append))
    run.end()
    assert [None] == seen
