"""Generators that change what others say."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from checkers.history import Operation
from harness.generators.contract import Answer, Context, Generator, Invocation


class _Map(msgspec.Struct, frozen=True):
    change: Callable[[Invocation], Invocation]
    restore: Callable[[Operation], Operation]
    inner: Generator

    def op(self, context: Context) -> tuple[Answer, Generator]:
        answer, after = self.inner.op(context)
        if not isinstance(answer, Invocation):
            return answer, self
        return self.change(answer), _Map(self.change, self.restore, after)

    def update(self, context: Context, event: Operation) -> Generator:
        after = self.inner.update(context, self.restore(event))
        return self if after is self.inner else _Map(self.change, self.restore, after)


def map_operations(change: Callable[[Invocation], Invocation], inner: Generator) -> Generator:
    """`inner` with each invocation changed by a pure function; events reach `inner` unchanged."""
    return _Map(change, lambda event: event, inner)


def rename(names: Mapping[str, str], inner: Generator) -> Generator:
    """`inner` with operations renamed; it sees its events under the names it gave.

    Raises ValueError if two operations would get one name: their events could not be told apart.
    """
    back = {new: old for old, new in names.items()}
    if len(back) < len(names):
        raise ValueError(f"rename gives two operations one name: {dict(names)}")

    def change(invocation: Invocation) -> Invocation:
        new = names.get(invocation.f)
        return invocation if new is None else msgspec.structs.replace(invocation, f=new)

    def restore(event: Operation) -> Operation:
        old = back.get(event.f)
        return event if old is None else msgspec.structs.replace(event, f=old)

    return _Map(change, restore, inner)


class _Watch(msgspec.Struct, frozen=True):
    see: Callable[[Operation], None]
    inner: Generator

    def op(self, context: Context) -> tuple[Answer, Generator]:
        answer, after = self.inner.op(context)
        if not isinstance(answer, Invocation):
            return answer, self
        return answer, _Watch(self.see, after)

    def update(self, context: Context, event: Operation) -> Generator:
        self.see(event)
        after = self.inner.update(context, event)
        return self if after is self.inner else _Watch(self.see, after)


def watch(see: Callable[[Operation], None], inner: Generator) -> Generator:
    """`inner`, with `see` called on every event that reaches it: the way for what a run has done
    to leave the world of pure values. `see` must not mind being told the same event twice."""
    return _Watch(see, inner)


class _Deferred(msgspec.Struct, frozen=True):
    make: Callable[[], Generator]

    def op(self, context: Context) -> tuple[Answer, Generator]:
        return self.make().op(context)

    def update(self, context: Context, event: Operation) -> Generator:  # noqa: ARG002
        return self


def deferred(make: Callable[[], Generator]) -> Generator:
    """`make()`, called when the first operation is wanted: for what must not be known earlier."""
    return _Deferred(make)
