"""What a link does to frames, on a clock that the test turns: no sockets, no waiting."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clusters.shaping import Counts, Link
from nemesis.faults import (
    Duplicate,
    Hold,
    LinkFault,
    Lose,
    Partition,
    Reorder,
    Slow,
    Throttle,
)

CUT = Partition()
SLOW = Slow(mean_ms=100, distribution="constant")


class Turn:
    """A timer of the test clock."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class TestClock:
    __test__ = False

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.timers: list[tuple[float, int, Turn]] = []

    def time(self) -> float:
        return self.now_s

    def call_at(self, when: float, callback: Callable[[], None], /) -> Turn:
        turn = Turn(callback)
        heappush(self.timers, (when, len(self.timers), turn))
        return turn

    def pass_s(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while self.timers and self.timers[0][0] <= end_s:
            when, _, turn = heappop(self.timers)
            self.now_s = max(when, self.now_s)
            if turn.callback is not None:
                turn.callback()
        self.now_s = end_s


class Receiver:
    """A lane that keeps what arrives, with the time in ms since the test began."""

    def __init__(self, link: Link, clock: TestClock, random: Random | None = None) -> None:
        self.counts = link.counts
        self.random = random or link.random
        self.last_seq = -1
        self.latest_s = 0.0
        self.got: list[bytes] = []
        self.times_ms: list[int] = []
        self.waiting_bytes = 0
        self._clock = clock

    def deliver(self, data: bytes) -> None:
        self.got.append(data)
        self.times_ms.append(round((self._clock.now_s - 1000.0) * 1000))

    def queued(self, change_bytes: int) -> None:
        self.waiting_bytes += change_bytes


class Bench:
    """A link, a clock, and one receiver."""

    def __init__(self, *faults: LinkFault, seed: int = 1) -> None:
        self.clock = TestClock()
        self.link = Link("a", "b", seed, self.clock)
        for id_, fault in enumerate(faults):
            self.link.apply(id_, fault)
        self.lane = Receiver(self.link, self.clock)

    def send(self, *frames: bytes) -> None:
        self.link.carry(self.lane, frames)

    def send_many(self, count: int) -> list[bytes]:
        frames = [f"{n}".encode() for n in range(count)]
        for frame in frames:
            self.send(frame)
        return frames


def test_a_silent_cut_loses_frames_and_only_its_undo_heals() -> None:
    """Frames sent during the cut never arrive; two cuts are healed by two undos."""
    bench = Bench(CUT, CUT)
    bench.send(b"1")
    bench.link.undo(0)
    bench.send(b"2")
    bench.link.undo(1)
    bench.send(b"3")
    assert bench.lane.got == [b"3"]
    assert (bench.link.counts.dropped, bench.link.counts.forwarded) == (2, 1)


def test_a_cut_loses_frames_in_flight() -> None:
    """Once a cut is applied nothing arrives any more, however long it was under way."""
    bench = Bench(SLOW)
    bench.send(b"in flight")
    bench.clock.pass_s(0.05)
    bench.link.apply(7, CUT)
    bench.clock.pass_s(1)
    bench.link.undo(7)
    bench.clock.pass_s(1)
    assert bench.lane.got == []
    assert bench.link.counts.dropped == 1
    assert bench.lane.waiting_bytes == 0


def test_a_cut_holds_a_stream_back() -> None:
    """Pieces of a byte stream come after the heal, whole and in order, as retransmitted."""
    bench = Bench(CUT)
    for chunk in (b"1", b"2", b"3"):
        bench.link.carry_chunk(bench.lane, chunk)
    bench.clock.pass_s(10)
    assert bench.lane.got == []
    assert bench.lane.waiting_bytes == 3
    bench.link.undo(0)
    assert bench.lane.got == [b"1", b"2", b"3"]
    assert bench.link.counts.dropped == 0


def test_a_hold_keeps_all_and_lets_it_go_in_order() -> None:
    """What was in flight and what is sent meanwhile, frames and pieces of a stream, comes at once
    when the last of two holds is undone; nothing is lost."""
    bench = Bench(SLOW)
    bench.send(b"1")
    bench.link.apply(7, Hold())
    bench.link.apply(8, Hold())
    bench.send(b"2")
    bench.link.carry_chunk(bench.lane, b"3")
    bench.link.undo(7)
    bench.clock.pass_s(10)
    assert bench.lane.got == []
    assert bench.lane.waiting_bytes == 3
    bench.link.undo(8)
    assert bench.lane.got == [b"1", b"2", b"3"]
    assert (bench.link.counts.dropped, bench.link.counts.delayed) == (0, 3)
    assert bench.lane.times_ms == [10_000] * 3


def test_events_come_behind_what_was_sent_before() -> None:
    """The end of a connection does not overtake its bytes, not even those held by Reorder."""
    bench = Bench(Reorder(probability=1.0, window_ms=80))
    bench.send(b"1", b"2", b"3")
    bench.link.carry_event(bench.lane, lambda: bench.lane.deliver(b"end"))
    bench.clock.pass_s(0.2)
    assert sorted(bench.lane.got[:3]) == [b"1", b"2", b"3"]
    assert bench.lane.got[3:] == [b"end"]


def test_events_are_held_by_a_cut() -> None:
    """Nobody behind a cut learns that a connection ended, until the heal."""
    bench = Bench(CUT)
    bench.link.carry_event(bench.lane, lambda: bench.lane.deliver(b"end"))
    bench.clock.pass_s(10)
    assert bench.lane.got == []
    bench.link.undo(0)
    assert bench.lane.got == [b"end"]


@pytest.mark.parametrize("distribution", ["constant", "uniform", "normal", "exponential"])
def test_slow_delays_about_its_mean_and_keeps_order(distribution: str) -> None:
    """Each distribution has its mean; due times never go back, so order is kept."""
    fault = Slow(mean_ms=100, jitter_ms=30, distribution=distribution)  # type: ignore[arg-type]
    delays, bench = [], Bench(fault)
    frames = []
    for n in range(300):  # a second apart: none waits for the one before
        frames.append(f"{n}".encode())
        sent_ms = round((bench.clock.now_s - 1000.0) * 1000)
        bench.send(frames[-1])
        bench.clock.pass_s(1)
        delays.append(bench.lane.times_ms[-1] - sent_ms)
    assert 80 < sum(delays) / len(delays) < 120
    assert (len(set(delays)) == 1) == (distribution == "constant")
    burst = Bench(fault)
    frames = burst.send_many(50)
    burst.clock.pass_s(5)
    assert burst.lane.got == frames
    assert burst.link.counts.delayed == 50
    assert burst.link.counts.reordered == 0


def test_slow_faults_add_up_and_undoing_one_takes_its_part_away() -> None:
    """Two delays of 100 ms are 200 ms; what waits profits from the undo as well."""
    bench = Bench(SLOW, SLOW)
    bench.send(b"1")
    bench.clock.pass_s(0.25)
    assert bench.lane.times_ms == [200]
    bench.send(b"2")
    bench.link.undo(0)
    bench.clock.pass_s(0.2)
    assert bench.lane.times_ms == [200, 350]
    bench.send(b"3")
    bench.link.undo(1)
    assert bench.lane.times_ms == [200, 350, 450]


def test_loss_has_its_probability() -> None:
    """Of 1000 frames about 300 are lost, and each is counted."""
    bench = Bench(Lose(probability=0.3))
    frames = bench.send_many(1000)
    assert 250 < bench.link.counts.dropped < 350
    assert bench.link.counts.forwarded == 1000 - bench.link.counts.dropped
    assert bench.lane.got == [frame for frame in frames if frame in set(bench.lane.got)]


def test_duplicates_come_twice() -> None:
    """Every second frame twice, and counted as such."""
    bench = Bench(Duplicate(probability=0.5))
    frames = bench.send_many(1000)
    assert 400 < bench.link.counts.duplicated < 600
    assert len(bench.lane.got) == 1000 + bench.link.counts.duplicated
    assert list(dict.fromkeys(bench.lane.got)) == frames


def test_reordered_frames_are_passed() -> None:
    """Some frames arrive after later ones, none is lost, and those passed are counted."""
    bench = Bench(Reorder(probability=0.3, window_ms=50))
    frames = []
    for n in range(200):
        frames.append(f"{n}".encode())
        bench.send(frames[-1])
        bench.clock.pass_s(0.005)
    bench.clock.pass_s(1)
    assert sorted(bench.lane.got) == sorted(frames)
    passed = sum(
        int(frame) < max(map(int, bench.lane.got[: place + 1]))
        for place, frame in enumerate(bench.lane.got)
    )
    assert bench.link.counts.reordered == passed > 20


def test_a_throttled_link_carries_at_its_rate() -> None:
    """1000 bytes at 10,000 a second take 100 ms each, one after the other."""
    bench = Bench(Throttle(bytes_per_s=10_000))
    bench.send(bytes(1000), bytes(1000), bytes(1000))
    bench.clock.pass_s(1)
    assert bench.lane.times_ms == [100, 200, 300]


def test_the_slowest_of_two_throttles_rules() -> None:
    """In a row of wires the slowest sets the pace; its undo speeds up what waits."""
    bench = Bench(Throttle(bytes_per_s=1_000), Throttle(bytes_per_s=10_000))
    bench.send(bytes(1000), bytes(1000))
    bench.link.undo(0)
    bench.clock.pass_s(1)
    assert bench.lane.times_ms == [100, 200]


def test_a_throttled_backlog_does_not_burst_out_when_another_fault_comes() -> None:
    """A change of faults on a busy link must not count the wire idle since the first arrival."""
    bench = Bench(Throttle(bytes_per_s=1_000))
    bench.send(*[bytes(100)] * 20)
    bench.clock.pass_s(0.95)
    bench.link.apply(5, Lose(probability=0.0))
    assert len(bench.lane.got) == 9
    bench.clock.pass_s(1.01)
    assert len(bench.lane.got) == 19


def test_a_healed_link_delivers_its_backlog_at_once() -> None:
    """Nothing waits in a quiet link."""
    bench = Bench(Throttle(bytes_per_s=10), SLOW)
    frames = bench.send_many(100)
    bench.link.undo(0)
    bench.link.undo(1)
    assert bench.lane.got == frames
    assert bench.link.quiet
    assert bench.lane.waiting_bytes == 0


def test_the_same_seed_gives_the_same_fate_and_probes_do_not_change_it() -> None:
    """Decisions hang on seed, link and traffic; measuring draws elsewhere."""
    faults = (Lose(probability=0.4), Duplicate(probability=0.3), Reorder(probability=0.5))

    def fate(seed: int, probes: int) -> list[tuple[bytes, int]]:
        bench = Bench(*faults, seed=seed)
        prober = Receiver(bench.link, bench.clock, bench.link.probe_random)
        prober.counts = Counts()
        for n in range(100):
            for _ in range(probes):
                bench.link.carry(prober, [b"probe"])
            bench.send(f"{n}".encode())
            bench.clock.pass_s(0.001)
        bench.clock.pass_s(1)
        return list(zip(bench.lane.got, bench.lane.times_ms, strict=True))

    assert fate(5, 0) == fate(5, 3)
    assert fate(5, 0) != fate(6, 0)


def test_links_of_a_seed_differ() -> None:
    """Each directed link has its own generator, so that faults are not in step."""
    clock = TestClock()
    draws = [Link(a, b, 1, clock).random.random() for a, b in ("ab", "ba", "ac")]
    assert len(set(draws)) == 3


def test_a_forgotten_lane_gets_nothing_and_others_get_theirs() -> None:
    """A connection that is gone leaves the queue to the others."""
    bench = Bench(SLOW)
    other = Receiver(bench.link, bench.clock)
    bench.send(b"mine")
    bench.link.carry(other, [b"theirs"])
    bench.link.forget(bench.lane)
    bench.clock.pass_s(1)
    assert bench.lane.got == []
    assert other.got == [b"theirs"]


orderly: st.SearchStrategy[LinkFault] = st.one_of(
    st.builds(
        Slow,
        mean_ms=st.floats(0, 200),
        jitter_ms=st.floats(0, 100),
        distribution=st.sampled_from(["constant", "uniform", "normal", "exponential"]),
    ),
    st.builds(Throttle, bytes_per_s=st.integers(100, 10_000)),
    st.just(Hold()),
)
lossy: st.SearchStrategy[LinkFault] = st.one_of(
    orderly,
    st.just(CUT),
    st.builds(Lose, probability=st.floats(0, 1)),
    st.builds(Duplicate, probability=st.floats(0, 1)),
    st.builds(Reorder, probability=st.floats(0, 1), window_ms=st.floats(0, 300)),
)
steps = st.one_of(
    st.just("send"),
    st.floats(0, 0.5),
    st.integers(0, 3),  # undo
)


def play(bench: Bench, script: list[LinkFault | str | float | int]) -> list[bytes]:
    """Faults are applied under ids 0 to 3, in turn; an integer undoes."""
    sent: list[bytes] = []
    for place, step in enumerate(script):
        if step == "send":
            sent.append(f"{place}".encode())
            bench.send(sent[-1])
        elif isinstance(step, int):
            bench.link.undo(step)
        elif isinstance(step, float):
            bench.clock.pass_s(step)
        elif not isinstance(step, str):
            bench.link.apply(place % 4, step)
    for id_ in range(4):
        bench.link.undo(id_)
    return sent


@given(st.lists(st.one_of(steps, orderly), max_size=40))
def test_delay_throttle_and_hold_lose_nothing_and_keep_order(
    script: list[LinkFault | str | float | int],
) -> None:
    """Whatever comes and goes of them, what was sent is what arrives, in order."""
    bench = Bench()
    assert play(bench, script) == bench.lane.got
    assert bench.lane.waiting_bytes == 0


@given(st.lists(st.one_of(steps, lossy), max_size=40))
def test_every_frame_is_accounted_for(script: list[LinkFault | str | float | int]) -> None:
    """Each frame sent is forwarded or dropped, exactly one of them; copies are counted apart; and
    nothing arrives that was not sent."""
    bench = Bench()
    sent, counts = play(bench, script), bench.link.counts
    assert counts.forwarded + counts.dropped == len(sent)
    assert len(bench.lane.got) == counts.forwarded + counts.duplicated
    assert set(bench.lane.got) <= set(sent)
    assert bench.lane.waiting_bytes == 0
