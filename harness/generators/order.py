"""Generators one after another, and when each is over.

Rules
1. `sequence` moves on when a member is exhausted; `phases` also waits until every worker is free,
   so nothing of one phase overlaps the next. An operation that hangs holds the barrier: it is the
   worker's watchdog that ends it.
2. A sequence tells events only to the member at work: the others have caused none.
3. `until_ok` watches its own operations only, by the processes it gave them to.
"""

from __future__ import annotations

import msgspec

from checkers.history import Operation
from harness.generators.contract import PENDING, Answer, Context, Generator, Invocation
from harness.generators.sources import NOTHING


class _Sequence(msgspec.Struct, frozen=True):
    members: tuple[Generator, ...]

    def op(self, context: Context) -> tuple[Answer, Generator]:
        for at, member in enumerate(self.members):
            answer, after = member.op(context)
            if answer is not None:
                return answer, _Sequence((after, *self.members[at + 1 :]))
        return None, NOTHING

    def update(self, context: Context, event: Operation) -> Generator:
        head = self.members[0]
        after = head.update(context, event)
        return self if after is head else _Sequence((after, *self.members[1:]))


def sequence(*members: Generator) -> Generator:
    """All of the first, then all of the second, ... without a barrier between them."""
    return _Sequence(members) if members else NOTHING


class _Synchronize(msgspec.Struct, frozen=True):
    inner: Generator

    def op(self, context: Context) -> tuple[Answer, Generator]:
        if len(context.free) < len(context.workers):
            return PENDING, self
        return self.inner.op(context)

    def update(self, context: Context, event: Operation) -> Generator:
        after = self.inner.update(context, event)
        return self if after is self.inner else _Synchronize(after)


def synchronize(inner: Generator) -> Generator:
    """`inner`, not before every worker is free at once."""
    return _Synchronize(inner)


def phases(*members: Generator) -> Generator:
    """One after another, each waiting until every worker is free."""
    return sequence(*map(synchronize, members))


def then(first: Generator, second: Generator) -> Generator:
    """`first`; when it is exhausted and every worker is free, `second`."""
    return sequence(first, synchronize(second))


class _Repeat(msgspec.Struct, frozen=True):
    fresh: Generator
    current: Generator
    left: int  # repetitions that may still be started; negative: without end

    def op(self, context: Context) -> tuple[Answer, Generator]:
        answer, after = self.current.op(context)
        if answer is not None:
            return answer, _Repeat(self.fresh, after, self.left)
        if self.left == 0:
            return None, NOTHING
        # A fresh one that is exhausted at once would be started again for ever.
        answer, after = self.fresh.op(context)
        return answer, _Repeat(self.fresh, after, self.left - 1)

    def update(self, context: Context, event: Operation) -> Generator:
        after = self.current.update(context, event)
        return self if after is self.current else _Repeat(self.fresh, after, self.left)


def repeat(inner: Generator, times: int | None = None) -> Generator:
    """`inner` from its beginning again and again, `times` times in all; None: without end."""
    if times is not None and times < 1:
        return NOTHING
    return _Repeat(inner, inner, -1 if times is None else times - 1)


class _Limit(msgspec.Struct, frozen=True):
    inner: Generator
    left: int

    def op(self, context: Context) -> tuple[Answer, Generator]:
        if self.left == 0:
            return None, NOTHING
        answer, after = self.inner.op(context)
        return answer, _Limit(after, self.left - 1)

    def update(self, context: Context, event: Operation) -> Generator:
        after = self.inner.update(context, event)
        return self if after is self.inner else _Limit(after, self.left)


def limit(operations: int, inner: Generator) -> Generator:
    """At most so many operations."""
    return _Limit(inner, max(operations, 0))


def once(inner: Generator) -> Generator:
    """The first operation of `inner`."""
    return limit(1, inner)


class _UntilOk(msgspec.Struct, frozen=True):
    inner: Generator
    open: frozenset[int] = frozenset()  # processes that have an operation of ours open

    def op(self, context: Context) -> tuple[Answer, Generator]:
        answer, after = self.inner.op(context)
        if not isinstance(answer, Invocation):
            return answer, self
        return answer, _UntilOk(after, self.open | {context.processes[answer.worker]})

    def update(self, context: Context, event: Operation) -> Generator:
        inner, still = self.inner.update(context, event), self.open
        if event.type != "invoke" and event.process in still:
            if event.type == "ok":
                return NOTHING
            still -= {event.process}
        if inner is self.inner and still is self.open:
            return self
        return _UntilOk(inner, still)


def until_ok(inner: Generator) -> Generator:
    """Operations of `inner` until one of them ends in ok."""
    return _UntilOk(inner)


class _ProcessLimit(msgspec.Struct, frozen=True):
    inner: Generator
    processes_max: int
    seen: frozenset[int] = frozenset()

    def op(self, context: Context) -> tuple[Answer, Generator]:
        answer, after = self.inner.op(context)
        if not isinstance(answer, Invocation):
            return answer, self
        seen = self.seen | {context.processes[answer.worker]}
        if len(seen) > self.processes_max:
            return None, NOTHING
        return answer, _ProcessLimit(after, self.processes_max, seen)

    def update(self, context: Context, event: Operation) -> Generator:
        after = self.inner.update(context, event)
        if after is self.inner:
            return self
        return _ProcessLimit(after, self.processes_max, self.seen)


def process_limit(processes_max: int, inner: Generator) -> Generator:
    """`inner`, exhausted as soon as it would use one more process than `processes_max`.

    Each process beyond the number of workers means one operation of unknown outcome: this bounds
    what a linearizability checker has to try.
    """
    return _ProcessLimit(inner, processes_max)


class _ConcurrencyLimit(msgspec.Struct, frozen=True):
    inner: Generator
    open_max: int
    open: frozenset[int] = frozenset()

    def op(self, context: Context) -> tuple[Answer, Generator]:
        if len(self.open) >= self.open_max:
            return PENDING, self
        answer, after = self.inner.op(context)
        if not isinstance(answer, Invocation):
            return answer, self
        mine = self.open | {context.processes[answer.worker]}
        return answer, _ConcurrencyLimit(after, self.open_max, mine)

    def update(self, context: Context, event: Operation) -> Generator:
        inner, still = self.inner.update(context, event), self.open
        if event.type != "invoke" and event.process in still:
            still -= {event.process}
        if inner is self.inner and still is self.open:
            return self
        return _ConcurrencyLimit(inner, self.open_max, still)


def concurrency_limit(open_max: int, inner: Generator) -> Generator:
    """`inner`, with at most `open_max` of its operations in flight."""
    return _ConcurrencyLimit(inner, open_max)
