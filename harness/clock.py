"""The one home of time in the harness.

Rules
1. Durations and the times of operations come from one monotonic clock of this machine, counted in
   nanoseconds from the origin of a run. Wall time names folders and nothing else.
2. Nothing sleeps for a guessed while: a wait has a moment at which it ends, or a callback.
3. Code that waits takes a Clock, so that its tests bring a ManualClock and never wait.

CLOCK_MONOTONIC is what nodes stamp their protocol events with, and what asyncio schedules by: a
run merges those events by subtracting `origin_ns`.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

NS_PER_S = 1_000_000_000


class Wakeup(Protocol):
    """A callback that is due; `cancel` is idempotent, and harmless after it was called."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Nanoseconds since an origin, never going back."""

    def now_ns(self) -> int: ...

    def call_at(self, time_ns: int, callback: Callable[[], None]) -> Wakeup:
        """Call from the running event loop at `time_ns`, or as soon as possible if it is past."""
        ...


def monotonic_ns() -> int:
    """Nanoseconds on CLOCK_MONOTONIC, whose zero means nothing: only differences do."""
    return time.monotonic_ns()


def cpu_ns() -> int:
    """Nanoseconds that processors have worked for this process: what a measurement costs, whoever
    else uses the machine. Only differences mean anything."""
    return time.process_time_ns()


def utc_now() -> datetime:
    """Wall time, for names and for people."""
    return datetime.now(UTC)


def folder_time(moment: datetime) -> str:
    """A moment as the name of a folder: sorts by time and holds no character a shell minds."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


class MonotonicClock:
    """Time since this object was made, or since `origin_ns` on CLOCK_MONOTONIC."""

    def __init__(self, origin_ns: int | None = None) -> None:
        self.origin_ns = monotonic_ns() if origin_ns is None else origin_ns

    def now_ns(self) -> int:
        return time.monotonic_ns() - self.origin_ns

    def call_at(self, time_ns: int, callback: Callable[[], None]) -> Wakeup:
        # asyncio's own clock is the same CLOCK_MONOTONIC, in seconds.
        return asyncio.get_running_loop().call_at((self.origin_ns + time_ns) / NS_PER_S, callback)


class ManualClock:
    """Time that stands still until it is moved, for tests."""

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns
        self._due: list[tuple[int, int, _ManualWakeup]] = []
        self._order = itertools.count()

    def now_ns(self) -> int:
        return self._now_ns

    def call_at(self, time_ns: int, callback: Callable[[], None]) -> Wakeup:
        wakeup = _ManualWakeup(callback)
        heapq.heappush(self._due, (time_ns, next(self._order), wakeup))
        return wakeup

    def advance(self, by_ns: int) -> None:
        """Move on by `by_ns`, calling what falls due on the way, each at its own moment."""
        end_ns = self._now_ns + by_ns
        while self._due and self._due[0][0] <= end_ns:
            self.advance_to_next()
        self._now_ns = end_ns

    def advance_to_next(self) -> bool:
        """Move to the next moment at which something is due, and call it; False if nothing is."""
        while self._due:
            time_ns, _, wakeup = heapq.heappop(self._due)
            if wakeup.callback is not None:
                self._now_ns = max(self._now_ns, time_ns)
                wakeup.callback()
                return True
        return False


class _ManualWakeup:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


async def sleep_until(clock: Clock, time_ns: int) -> None:
    """Wait until the clock shows `time_ns`; cancelling the wait leaves nothing behind."""
    done = asyncio.get_running_loop().create_future()
    wakeup = clock.call_at(time_ns, lambda: None if done.done() else done.set_result(None))
    try:
        await done
    finally:
        wakeup.cancel()


async def sleep(clock: Clock, duration_s: float) -> None:
    await sleep_until(clock, clock.now_ns() + round(duration_s * NS_PER_S))
