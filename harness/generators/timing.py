"""Generators that say when.

Rules
1. Rates are of the whole generator, not of each worker.
2. `delay` keeps to a grid: operation n is due n * dt after the first, and what fell behind catches
   up. `stagger` is random, with mean dt, and makes up for at most CATCH_UP_NS: the lag of a timer,
   not a stall. A partition that held all workers for seconds does not end in a burst.
3. `time_limit` counts from the first operation that was taken, wherever the generator waited before
   it. Operations in flight at the limit are none of its business: the loop awaits them.
"""

from __future__ import annotations

import msgspec

from checkers.history import Operation
from harness.generators.contract import Answer, Context, Generator, Invocation, Pending, sooner
from harness.generators.sources import NOTHING

NS_PER_S = 1_000_000_000
CATCH_UP_NS = 10_000_000


def _nanoseconds(what: str, duration_s: float) -> int:
    if duration_s < 0:
        raise ValueError(f"{what} takes a duration in seconds of at least 0, got {duration_s}")
    return round(duration_s * NS_PER_S)


class _Stagger(msgspec.Struct, frozen=True):
    inner: Generator
    mean_ns: int
    due_ns: int | None = None

    def op(self, context: Context) -> tuple[Answer, Generator]:
        now_ns = context.time_ns
        due_ns = now_ns if self.due_ns is None else self.due_ns
        if now_ns < due_ns:
            return Pending(due_ns), self
        # Drawn before the inner generator draws, whose number of draws may change with its state.
        gap_ns = round(context.random.random() * 2 * self.mean_ns)
        answer, after = self.inner.op(context)
        if not isinstance(answer, Invocation):
            return answer, self
        due_ns = max(due_ns, now_ns - CATCH_UP_NS) + gap_ns
        return answer, _Stagger(after, self.mean_ns, due_ns)

    def update(self, context: Context, event: Operation) -> Generator:
        after = self.inner.update(context, event)
        return self if after is self.inner else _Stagger(after, self.mean_ns, self.due_ns)


def stagger(mean_s: float, inner: Generator) -> Generator:
    """`inner`, its operations a random 0 to 2 * `mean_s` apart: 1 / `mean_s` a second in all."""
    return _Stagger(inner, _nanoseconds("stagger", mean_s))


class _Delay(msgspec.Struct, frozen=True):
    inner: Generator
    gap_ns: int
    due_ns: int | None = None

    def op(self, context: Context) -> tuple[Answer, Generator]:
        due_ns = context.time_ns if self.due_ns is None else self.due_ns
        if context.time_ns < due_ns:
            return Pending(due_ns), self
        answer, after = self.inner.op(context)
        if not isinstance(answer, Invocation):
            return answer, self
        return answer, _Delay(after, self.gap_ns, due_ns + self.gap_ns)

    def update(self, context: Context, event: Operation) -> Generator:
        after = self.inner.update(context, event)
        return self if after is self.inner else _Delay(after, self.gap_ns, self.due_ns)


def delay(gap_s: float, inner: Generator) -> Generator:
    """`inner`, its operations exactly `gap_s` apart from the first on; late ones catch up."""
    return _Delay(inner, _nanoseconds("delay", gap_s))


class _TimeLimit(msgspec.Struct, frozen=True):
    inner: Generator
    limit_ns: int
    end_ns: int | None = None

    def op(self, context: Context) -> tuple[Answer, Generator]:
        end_ns = self.end_ns
        if self.limit_ns == 0 or (end_ns is not None and context.time_ns >= end_ns):
            return None, NOTHING
        answer, after = self.inner.op(context)
        if isinstance(answer, Invocation):
            end_ns = context.time_ns + self.limit_ns if end_ns is None else end_ns
            return answer, _TimeLimit(after, self.limit_ns, end_ns)
        if answer is None:
            return None, NOTHING
        # Or nobody would ask again at the limit, and what follows it would never start.
        return sooner(answer, Pending(end_ns)), self

    def update(self, context: Context, event: Operation) -> Generator:
        after = self.inner.update(context, event)
        return self if after is self.inner else _TimeLimit(after, self.limit_ns, self.end_ns)


def time_limit(limit_s: float, inner: Generator) -> Generator:
    """`inner` for `limit_s` from its first operation on. Put it around `stagger`, not inside."""
    return _TimeLimit(inner, _nanoseconds("time_limit", limit_s))
