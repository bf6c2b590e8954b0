"""The contradiction that a linearizability checker found, read out of its evidence.

Rule: evidence may be another checker's under the same name; what is not of the documented shape
(checkers.linearizability.explain) is nobody's.
"""

from __future__ import annotations

from typing import Any

import msgspec

CORE_MAX = 12  # operations that suffice, told and drawn


class Value(msgspec.Struct):
    """A state that was possible, and the call that made it, None for the first state."""

    state: str
    operation: int | None = None


class Fits(msgspec.Struct):
    """The last place where the call would have been legal."""

    after: int | None
    until: int


class Partial(msgspec.Struct):
    """A linearization as far as it went. `reason`: why it ends there."""

    order: list[int]
    state: str
    reason: str
    fits: Fits | None = None
    pending: list[int] = []


class Start(msgspec.Struct):
    """The call behind which the orders begin, and what it leaves."""

    operation: int
    describe: str
    state: str


class Alone(msgspec.Struct):
    """A history that contradicts by itself: its calls, by their invocations."""

    operations: list[int] = []


class Contradiction(msgspec.Struct):
    """What a report reads of it."""

    operation: int
    completion: int
    values: list[Value]
    values_total: int
    partial: list[Partial]
    window: list[int]
    certificate: str = ""
    known_with: int | None = None
    complete: bool = True
    start: Start | None = None
    core: list[int] = []
    alone: Alone | None = None
    describe: str = ""

    @property
    def end_at(self) -> int:
        """The index of the event with which it is certain; what completed later plays no part."""
        return self.completion if self.known_with is None else self.known_with

    @property
    def essential(self) -> frozenset[int]:
        """The call, what made the values that were possible, where it would have fitted, what the
        orders begin behind, and what suffices for the contradiction, if that is little."""
        fits = [partial.fits for partial in self.partial if partial.fits is not None][:1]
        ends = [end for fit in fits for end in (fit.after, fit.until)]
        made = [value.operation for value in self.values]
        begin = [] if self.start is None else [self.start.operation]
        core = self.core if len(self.core) <= CORE_MAX else []
        return frozenset(i for i in (self.operation, *made, *ends, *begin, *core) if i is not None)


def contradiction(evidence: Any) -> Contradiction | None:
    """None where it is not of the documented shape."""
    try:
        return msgspec.convert(evidence, Contradiction)
    except msgspec.ValidationError:
        return None
