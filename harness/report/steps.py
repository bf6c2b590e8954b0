"""An order of calls taken again by the model, state by state.

Rule: nothing is judged here. What the model does not take is not shown as if it did, and states
that end elsewhere than the evidence says are not shown at all: the model was another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from checkers.history import Call
from checkers.models.model import Model, Requires, State, Step


def states(
    model: Model,
    order: Sequence[int],
    calls: Mapping[int, Call],
    anchor: int | None = None,
) -> list[State] | None:
    """Before the first step and after each. `anchor`: the call behind which the order begins, None
    for the start of the history. None where a call is not at hand, or the model takes no such
    steps."""
    begin = _begin(model, calls, anchor)
    if not begin:
        return None
    levels: list[dict[State, State]] = [dict.fromkeys(begin)]  # each state with a predecessor
    for index in order:
        call = calls.get(index)
        step: Step | None = None if call is None else model.read(call)
        if step is None:
            return None
        levels.append({after: s for s in levels[-1] for after in model.step(s, step)})
        if not levels[-1]:
            return None
    state = next(iter(levels[-1]))
    found = [state]
    for level in reversed(levels[1:]):
        state = level[state]
        found.append(state)
    return found[::-1]


def _begin(model: Model, calls: Mapping[int, Call], anchor: int | None) -> Sequence[State]:
    """The state in which an order begins: the first, or that behind its anchor."""
    if anchor is None:
        return (model.init(),)
    call = calls.get(anchor)
    step = None if call is None else model.read(call)
    if step is None or not isinstance(model, Requires):
        return ()
    return [after for before in model.requires(step) for after in model.step(before, step)]
