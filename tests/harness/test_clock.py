"""Time: one monotonic clock, and one that tests move by hand."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

from harness.clock import ManualClock, MonotonicClock, folder_time, sleep, sleep_until


def test_folder_names_are_utc_and_sort_by_time() -> None:
    """The same moment has the same name in every time zone."""
    moment = datetime(2024, 3, 1, 0, 30, 5, tzinfo=timezone(timedelta(hours=1)))
    assert folder_time(moment) == "20240229T233005Z"
    assert folder_time(moment.astimezone(UTC)) == folder_time(moment)


def test_monotonic_time_counts_from_its_origin() -> None:
    """Two clocks with one origin agree; time does not go back."""
    clock = MonotonicClock()
    same = MonotonicClock(clock.origin_ns)
    readings = [clock.now_ns(), same.now_ns(), clock.now_ns()]
    assert readings == sorted(readings)
    assert readings[0] >= 0


def test_a_wait_on_a_real_clock_ends_not_before_its_moment() -> None:
    """sleep_until wakes at or after the moment, and one that is past ends at once."""

    async def wait() -> tuple[int, int]:
        clock = MonotonicClock()
        until_ns = clock.now_ns() + 2_000_000
        await sleep_until(clock, until_ns)
        woke_ns = clock.now_ns()
        await sleep_until(clock, 0)
        return until_ns, woke_ns

    until_ns, woke_ns = asyncio.run(wait())
    assert until_ns <= woke_ns + 1000  # asyncio rounds to floating point seconds


def test_a_manual_clock_calls_in_order_of_time() -> None:
    """Each callback sees its own moment; what was cancelled is not called."""
    clock = ManualClock()
    seen: list[tuple[str, int]] = []
    for name, at in (("b", 20), ("a", 10), ("late", 50)):
        clock.call_at(at, lambda name=name: seen.append((name, clock.now_ns())))  # type: ignore[misc]
    clock.call_at(15, lambda: seen.append(("cancelled", 0))).cancel()
    clock.advance(30)
    assert seen == [("a", 10), ("b", 20)]
    assert clock.now_ns() == 30
    assert clock.advance_to_next()
    assert seen[-1] == ("late", 50)
    assert not clock.advance_to_next()


def test_a_cancelled_sleep_leaves_nothing_due() -> None:
    """Cancelling a wait takes its callback with it."""

    async def cancel() -> bool:
        clock = ManualClock()
        waiting = asyncio.create_task(sleep(clock, 1.0))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        return clock.advance_to_next()

    assert asyncio.run(cancel()) is False
