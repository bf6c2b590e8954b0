"""Clocks of nodes: monotonic, and otherwise as wrong as faults make them."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from harness.simulation.clocks import NodeClock
from harness.simulation.loop import VirtualLoop
from harness.simulation.timers import Timers
from nemesis.faults import SkewClock

S, MS = 10**9, 10**6


def test_a_right_clock_shows_true_time() -> None:
    """And is known to."""
    clock = NodeClock()
    assert clock.never_wrong
    assert 123.0 == clock.local_ns(123)


def test_a_drift_grows_from_the_moment_of_the_fault() -> None:
    """Rule 1: a tenth more of what passes, and nothing at once."""
    clock = NodeClock()
    clock.apply(1, SkewClock(drift=0.1), 10 * S)
    assert [10 * S, 21 * S] == [round(clock.local_ns(at)) for at in (10 * S, 20 * S)]
    assert 1.1 == clock.reading(20 * S)[1]


def test_a_clock_set_back_stands_until_its_time_has_come() -> None:
    """Rule 1: it never goes back."""
    clock = NodeClock()
    clock.apply(1, SkewClock(offset_ms=-1000), 5 * S)
    assert [5 * S, 5 * S, 5.5 * S] == [clock.local_ns(at) for at in (5 * S, 6 * S, 6.5 * S)]
    assert (-1000.0, 1.0) == clock.reading(7 * S)


def test_a_clock_that_is_set_right_stands_if_it_was_ahead() -> None:
    """Undoing is a change like any."""
    clock = NodeClock()
    clock.apply(1, SkewClock(offset_ms=500), 1 * S)
    clock.undo(1, 2 * S)
    assert [2.5 * S, 2.5 * S, 3 * S] == [clock.local_ns(at) for at in (2 * S, 2.4 * S, 3 * S)]
    assert not clock.never_wrong


def test_drifts_that_add_up_to_a_clock_running_backwards_stop_it() -> None:
    """And nothing that it will never show is waited for."""
    clock = NodeClock()
    clock.apply(1, SkewClock(drift=-0.6), 0)
    clock.apply(2, SkewClock(drift=-0.6), 10 * S)
    assert [4 * S, 4 * S] == [round(clock.local_ns(at)) for at in (10 * S, 20 * S)]
    assert clock.due_ns(5 * S, 20 * S) is None
    assert 20 * S == clock.due_ns(4 * S, 20 * S)


skews = st.builds(
    SkewClock,
    offset_ms=st.sampled_from([-2000.0, -1.0, 0.0, 700.0]),
    drift=st.sampled_from([-1.5, -0.9, -0.1, 0.0, 0.3, 4.0]),
)
changes = st.tuples(st.integers(0, 3 * S), st.integers(1, 3), st.none() | skews)


@given(st.lists(changes, max_size=8), st.lists(st.integers(0, S), max_size=5))
def test_a_clock_never_goes_back(
    faults: list[tuple[int, int, SkewClock | None]], looks: list[int]
) -> None:
    """Rule 1, whatever faults come and go together."""
    clock, now_ns, shown = NodeClock(), 0, 0.0
    for wait_ns, id_, fault in faults:
        now_ns += wait_ns
        if fault is None:
            clock.undo(id_, now_ns)
        else:
            clock.apply(id_, fault, now_ns)
        for look_ns in looks:
            now_ns += look_ns
            local_ns = clock.local_ns(now_ns)
            assert local_ns >= shown
            shown = local_ns


def rung(fault: SkewClock, at_s: float = 0.5) -> list[tuple[str, float]]:
    """When timers of 1 s and 2 s, set at 0, ring in true time under a fault at `at_s`."""
    loop, clock = VirtualLoop(), NodeClock()
    found: list[tuple[str, float]] = []
    timers = Timers(loop, clock, lambda name: found.append((name, round(loop.time(), 6))))
    timers.set("one", 1.0)
    timers.set("two", 2.0)

    def skew(_: None) -> None:
        clock.apply(1, fault, loop.now_ns)
        timers.skew()

    loop.at(round(at_s * S), skew, None)
    loop.run_until_complete(asyncio.sleep(10))
    loop.close()
    return found


def test_a_jump_forward_rings_at_once_what_it_passed() -> None:
    """Rule 2: the second is nearer by the jump."""
    assert [("one", 0.5), ("two", 1.2)] == rung(SkewClock(offset_ms=800))


def test_a_jump_back_lets_timers_wait_longer() -> None:
    """Rule 2: by the time that the clock stands."""
    assert [("one", 1.8), ("two", 2.8)] == rung(SkewClock(offset_ms=-800))


def test_a_fast_clock_rings_early_and_a_slow_one_late() -> None:
    """Rule 2."""
    assert [("one", 0.75), ("two", 1.25)] == rung(SkewClock(drift=1.0))
    assert [("one", 1.5), ("two", 3.5)] == rung(SkewClock(drift=-0.5))


def test_a_clock_that_stops_rings_nothing() -> None:
    """It shows no time that has not come."""
    assert [] == rung(SkewClock(drift=-1.0))


@given(st.floats(0, 5), st.floats(-0.9, 3), st.floats(0, 2))
def test_a_timer_never_finds_its_time_still_to_come(
    delay_s: float, drift: float, at_s: float
) -> None:
    """A machine that sets its timer again for the rest would do so for ever at one moment."""
    loop, clock = VirtualLoop(), NodeClock()
    deadline_s: list[float] = []

    def ring(_: str) -> None:
        assert timers.now_s() >= deadline_s[0]

    timers = Timers(loop, clock, ring)

    def begin(_: None) -> None:
        clock.apply(1, SkewClock(drift=drift), loop.now_ns)
        timers.skew()
        deadline_s.append(timers.now_s() + delay_s)
        timers.set("t", delay_s)

    loop.at(round(at_s * S), begin, None)
    loop.run_until_complete(asyncio.sleep(60))
    loop.close()


def test_a_timer_set_again_rings_once_and_a_cancelled_one_never() -> None:
    """Timers, rule 2."""
    loop, found = VirtualLoop(), []
    timers = Timers(loop, NodeClock(), lambda name: found.append((name, loop.now_ns)))
    timers.set("a", 1.0)
    timers.set("a", 2.0)
    timers.set("b", 1.0)
    timers.cancel("b")
    loop.run_until_complete(asyncio.sleep(5))
    loop.close()
    assert [("a", 2 * S + 1)] == found
