"""Linearizability word for word, for at most eight calls: the oracle of the tests.

Rules
1. A history is linearizable iff there is an order of all calls that returned, and of some of those
   that did not, which is legal from the initial state and true to real time: no call stands before
   one that had returned when it was invoked (Herlihy and Wing 1990).
2. From an anchor (see `Start`) a call that may have taken effect before is one that may be left
   out, like one that did not return.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, combinations, permutations
from typing import NamedTuple

from checkers.history import Call
from checkers.models.model import Model, State, Step

CALLS_MAX = 8


class _Part(NamedTuple):
    """A call that constrains something; `returned` is an index, None if it did not return."""

    invoked: int
    returned: int | None
    step: Step


def linearizable(
    model: Model, calls: Iterable[Call], start: tuple[State, int] | None = None
) -> bool:
    """Are the calls of one key linearizable? `start`: from this state, where the calls invoked
    before this index may have taken effect already. Raises ValueError for too many calls."""
    state, free_until = start or (model.init(), 0)
    parts = _parts(model, calls)
    if len(parts) > CALLS_MAX:
        raise ValueError(f"{len(parts)} calls have too many orders: expected {CALLS_MAX} at most")
    free = [part for part in parts if part.returned is None or part.invoked < free_until]
    bound = [part for part in parts if part not in free]
    chosen = chain.from_iterable(combinations(free, n) for n in range(len(free) + 1))
    return any(
        _true_to_time(order) and _legal(model, state, order)
        for some in chosen
        for order in permutations([*bound, *some])
    )


def _parts(model: Model, calls: Iterable[Call]) -> list[_Part]:
    parts = []
    for call in calls:
        step = model.read(call)
        if step is not None:
            returned = call.completion is not None and call.outcome != "info"
            end = call.completion.index if call.completion is not None and returned else None
            parts.append(_Part(call.index, end, step))
    return parts


def _true_to_time(order: Sequence[_Part]) -> bool:
    return not any(
        later.returned is not None and later.returned < earlier.invoked
        for earlier, later in combinations(order, 2)
    )


def _legal(model: Model, state: State, order: Sequence[_Part]) -> bool:
    states = {state}
    for part in order:
        states = {after for before in states for after in model.step(before, part.step)}
    return bool(states)
