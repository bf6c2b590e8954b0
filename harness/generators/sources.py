"""Generators that make operations out of nothing.

Rule: functions given to `generate` are pure: the same count and context give the same request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from checkers.history import Operation
from harness.generators.contract import Answer, Context, Generator, Pending, Request

Make = Callable[[int, Context], Request]


class _Nothing(msgspec.Struct, frozen=True):
    def op(self, context: Context) -> tuple[Answer, Generator]:  # noqa: ARG002
        return None, self

    def update(self, context: Context, event: Operation) -> Generator:  # noqa: ARG002
        return self


NOTHING: Generator = _Nothing()


class _Operation(msgspec.Struct, frozen=True):
    request: Request

    def op(self, context: Context) -> tuple[Answer, Generator]:
        answer = context.invocation(self.request)
        return answer, self if isinstance(answer, Pending) else NOTHING

    def update(self, context: Context, event: Operation) -> Generator:  # noqa: ARG002
        return self


def operation(f: str, value: Any = None, key: Any = None) -> Generator:
    """One operation, then exhausted."""
    return _Operation(Request(f, value, key))


class _Generate(msgspec.Struct, frozen=True):
    make: Make
    count: int = 0

    def op(self, context: Context) -> tuple[Answer, Generator]:
        if not context.free:
            return Pending(), self
        return context.invocation(self.make(self.count, context)), _Generate(
            self.make, self.count + 1
        )

    def update(self, context: Context, event: Operation) -> Generator:  # noqa: ARG002
        return self


def generate(make: Make) -> Generator:
    """`make(n, context)` for n = 0, 1, 2, ... without end; n makes values unique."""
    return _Generate(make)


def constant(f: str, value: Any = None, key: Any = None) -> Generator:
    """The same operation without end."""
    request = Request(f, value, key)
    return _Generate(lambda _n, _context: request)
