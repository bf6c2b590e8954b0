"""The loop in virtual time: its order is its own, and what cannot go on is said."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import weakref
from collections.abc import Callable, Iterator

import pytest

from harness.simulation import loop as loops
from harness.simulation.loop import Stalled, VirtualClock, VirtualLoop


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    made = VirtualLoop()
    yield made
    made.end_tasks()
    made.close()


def test_what_is_due_at_one_moment_happens_in_the_order_of_asking(loop: VirtualLoop) -> None:
    """Rule 1, whichever way it was asked for."""
    seen: list[str] = []
    loop.call_later(0.001, seen.append, "later")
    loop.at(1_000_000, seen.append, "at")
    loop.call_at(0.001, seen.append, "call_at")
    loop.at(500_000, seen.append, "earlier")
    loop.call_soon(seen.append, "soon")
    loop.at(1_000_000, seen.append, "last")

    loop.run_until_complete(asyncio.sleep(0.002))

    assert ["soon", "earlier", "later", "at", "call_at", "last"] == seen


def test_time_jumps_to_what_is_due_and_no_further(loop: VirtualLoop) -> None:
    """A day passes at once, to the nanosecond."""
    loop.run_until_complete(asyncio.sleep(86_400))
    assert 86_400 * 10**9 == loop.now_ns


def test_what_was_due_in_the_past_happens_now(loop: VirtualLoop) -> None:
    """Time never goes back."""
    times: list[int] = []
    loop.run_until_complete(asyncio.sleep(1))
    loop.at(5, lambda _: times.append(loop.now_ns), None)
    loop.run_until_complete(asyncio.sleep(1))
    assert [10**9] == times


@pytest.mark.parametrize("delay_s", [0.0, 1.0])
def test_what_is_cancelled_does_not_happen(loop: VirtualLoop, delay_s: float) -> None:
    """Neither at once nor later."""
    seen: list[int] = []
    handle = loop.call_later(delay_s, seen.append, 1) if delay_s else loop.call_soon(seen.append, 1)
    handle.cancel()
    loop.run_until_complete(asyncio.sleep(2))
    assert ([], True) == (seen, handle.cancelled())


def test_a_time_out_comes_at_its_time(loop: VirtualLoop) -> None:
    """asyncio's own means work, in virtual time."""

    async def wait() -> int:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.25):
                await asyncio.Event().wait()
        return loop.now_ns

    assert 250_000_000 == loop.run_until_complete(wait())


def test_streams_of_tasks_interleave_as_they_ask(loop: VirtualLoop) -> None:
    """Tasks, futures and gather: the order follows from the program."""
    seen: list[str] = []

    async def count(name: str) -> None:
        for step in range(3):
            seen.append(f"{name}{step}")
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(count("a"), count("b"))

    loop.run_until_complete(main())
    assert ["a0", "b0", "a1", "b1", "a2", "b2"] == seen


def test_a_loop_with_nothing_to_do_while_somebody_waits_is_stalled(loop: VirtualLoop) -> None:
    """Rule 3: it would wait for ever."""
    with pytest.raises(Stalled, match="nothing is due any more"):
        loop.run_until_complete(asyncio.Event().wait())


def _world(loop: VirtualLoop) -> None:
    def again(_: None) -> None:
        loop.at(loop.now_ns, again, None)

    again(None)


def _tasks(loop: VirtualLoop) -> None:
    async def spin() -> None:
        while True:  # noqa: ASYNC110 - what is to be noticed
            await asyncio.sleep(0)

    loop.spinning = loop.create_task(spin())  # type: ignore[attr-defined]  # somebody holds it


@pytest.mark.parametrize("spin", [_world, _tasks], ids=["world", "tasks"])
def test_a_world_that_acts_without_time_going_by_is_stalled(
    loop: VirtualLoop, spin: Callable[[VirtualLoop], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 3, as Zeno had it: by events of the world, and by tasks that only yield."""
    monkeypatch.setattr(loops, "EVENTS_PER_MOMENT_MAX", 1000)
    spin(loop)
    with pytest.raises(Stalled, match="time does not go on"):
        loop.run_until_complete(asyncio.sleep(1))


def test_many_events_at_many_moments_are_no_stall(
    loop: VirtualLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The count begins anew with each moment."""
    monkeypatch.setattr(loops, "EVENTS_PER_MOMENT_MAX", 10)

    async def main() -> None:
        for _ in range(100):
            await asyncio.sleep(0.001)

    loop.run_until_complete(main())


def test_an_executor_is_called_on_the_spot(loop: VirtualLoop) -> None:
    """Rule 2: it takes no time, and what it raises reaches who awaits it."""

    def broken() -> None:
        raise KeyError("gone")

    async def main() -> int:
        with pytest.raises(KeyError):
            await loop.run_in_executor(None, broken)
        return await loop.run_in_executor(None, int, "7")

    assert (7, 0) == (loop.run_until_complete(main()), loop.now_ns)


def test_tasks_left_over_are_ended_in_the_order_of_their_making(loop: VirtualLoop) -> None:
    """Each cleans up, also one that takes its time about it."""
    ended: list[int] = []

    async def stay(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.1)
            ended.append(number)

    kept = [loop.create_task(stay(number)) for number in range(20)]
    loop.run_until_complete(asyncio.sleep(0))
    loop.end_tasks()

    assert list(range(20)) == ended
    assert all(task.cancelled() for task in kept)


def test_what_a_callback_raises_ends_the_run(loop: VirtualLoop) -> None:
    """Nothing is swallowed: a callback's error is the run's."""
    loop.call_later(1, lambda: {}["gone"])
    with pytest.raises(KeyError):
        loop.run_until_complete(asyncio.sleep(2))


def test_what_a_world_event_raises_ends_the_run(loop: VirtualLoop) -> None:
    """The world's own events as well."""
    loop.at(1, lambda _: [][0], None)
    with pytest.raises(IndexError):
        loop.run_until_complete(asyncio.sleep(1))


def test_a_simulation_inside_a_coroutine_is_refused() -> None:
    """It would block the loop around it."""

    async def main() -> None:
        inner = VirtualLoop()
        sleeping = asyncio.sleep(1)
        try:
            inner.run_until_complete(sleeping)
        finally:
            sleeping.close()

    with pytest.raises(RuntimeError, match="not from a coroutine"):
        asyncio.run(main())


def test_a_closed_loop_runs_nothing() -> None:
    """It says so."""
    other = VirtualLoop()
    other.close()
    sleeping = asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="closed"):
        other.run_until_complete(sleeping)
    sleeping.close()


@pytest.mark.parametrize("name", ["add_signal_handler", "add_reader", "subprocess_exec"])
def test_what_a_world_has_not_is_refused_by_name(loop: VirtualLoop, name: str) -> None:
    """Sockets, processes, signals."""
    with pytest.raises(NotImplementedError, match=name):
        getattr(loop, name)()


def test_nobody_listens_in_an_empty_world(loop: VirtualLoop) -> None:
    """As a kernel would say it."""

    async def main() -> None:
        await asyncio.open_connection("n1", 1)

    with pytest.raises(ConnectionRefusedError):
        loop.run_until_complete(main())


def test_a_clock_begins_at_its_own_zero(loop: VirtualLoop) -> None:
    """harness.clock.Clock: now_ns from its making, call_at on its own scale."""
    loop.run_until_complete(asyncio.sleep(5))
    clock = VirtualClock(loop)
    rung: list[int] = []
    clock.call_at(2_000, lambda: rung.append(clock.now_ns()))
    clock.call_at(3_000, lambda: rung.append(-1)).cancel()
    loop.run_until_complete(asyncio.sleep(1))
    assert ([2_000], 10**9) == (rung, clock.now_ns())


class Ended:
    """Something that a weak reference can look at."""


def test_an_interrupt_is_not_lost_where_nobody_can_be_told(loop: VirtualLoop) -> None:
    """Ctrl-C that meets the end of a weak reference, where Python drops what is raised: the run
    ends all the same, though it would never end by itself."""
    met = []

    def interrupt(_: object) -> None:
        met.append(loop.now_ns)
        raise KeyboardInterrupt

    def tick(now_ns: int) -> None:
        if now_ns == 1000:
            ended = Ended()
            watched.append(weakref.ref(ended, interrupt))
            del ended
        loop.at(now_ns + 1000, tick, now_ns + 1000)

    watched: list[object] = []
    loop.at(0, tick, 0)
    before = sys.unraisablehook

    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(asyncio.sleep(1e12))

    assert [1000] == met
    assert before is sys.unraisablehook
    assert 7 == loop.run_until_complete(asyncio.sleep(0.001, 7))


def test_what_an_interrupt_broke_off_keeps_nobody_waiting(loop: VirtualLoop) -> None:
    """A task that cleans up by waiting for one that was interrupted in the middle of a step, in a
    world that goes on for ever by itself: ending the tasks ends."""
    promised = loop.create_future()

    def tick(now_ns: int) -> None:
        loop.at(now_ns + 1000, tick, now_ns + 1000)

    async def interrupted() -> None:
        raise KeyboardInterrupt

    async def waits() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(1e12)
        await promised

    async def main() -> None:
        await asyncio.gather(waits(), interrupted())

    loop.at(0, tick, 0)
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(main())

    loop.end_tasks()

    assert not promised.done()
