"""The few calls of a refuted window whose constraints already contradict one another.

Rules
1. Only weakenings that keep every linearization: a call that observes may be dropped, and any
   other may be loosened: it happens or not, at any time from its invocation on (its return is
   forgotten). What the weaker calls cannot explain, the recorded ones could not.
2. A call is dropped or loosened only if the verifier then still refutes the window: half of them at
   once first, then fewer and fewer, within the budget. What is left is the core; where the budget
   sufficed, none of it can be spared alone.
3. Crashed calls are left out where nothing else is legal in the state that they leave, and nothing
   grows: then whatever follows one of them, up to the next that overwrites, could as well do
   without it.

Sources: Zeller and Hildebrandt, Simplifying and isolating failure-inducing input, 2002.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from checkers.budget import Budget
from checkers.history import Call, Operation
from checkers.linearizability.search import as_of
from checkers.linearizability.window import (
    Source,
    Window,
    end_of,
    known,
    refuted_alone,
    refuted_endless,
    refutes,
)
from checkers.models.model import Effect, Model, Requires, State, Step

STANDALONE_MAX = 200  # calls of a history that is to be read by people
_TRIED_MAX = 2_000  # calls of a history that is tried for it
_SEARCHED_MAX = 100_000  # calls of a key, which become Python objects for it

_CHEAP = 20_000  # configurations at one return, for one question to the verifier
_SHARE = 0.2  # of the time that is left, for one question to the verifier


class Standalone(NamedTuple):
    """`operations`: of a small history that is not linearizable from the initial state on; empty
    where none was found, and then `why_not` is a sentence."""

    operations: tuple[Operation, ...]
    why_not: str


def core(model: Model, window: Window, budget: Budget) -> tuple[int, ...]:
    """The indices of the calls that contradict one another, the anchor among them, in order."""
    anchor = None if window.anchor is None else window.anchor.index
    some = relevant(model, window.recorded)
    needed = _needed(model, some, anchor, budget)
    weaker = _weakened(model, window.recorded, needed)
    if len(some) < len(window.recorded) and not refuted_alone(model, weaker, budget, anchor):
        needed = {c.index for c in window.recorded if known(c) and model.read(c) is not None}
    return tuple(sorted(needed))


def minimal_history(
    model: Model, prefix: Sequence[Call], window: Window, budget: Budget
) -> Standalone:
    """Of the calls of a key, a few that on their own are not linearizable from the initial state.

    `prefix`: the calls of the key, at least up to the window's end. Every operation is one that was
    recorded.
    """
    kept = core(model, window, budget.share(0.3))
    calls: Sequence[Call] = as_of(prefix, window.end)
    if _telling(model, calls):
        blamed = max((c for c in calls if c.index in kept), key=end_of).index
        alone = _explaining(model, calls, {blamed})
        if len(alone) > _TRIED_MAX or not refutes(model, alone, budget.share(0.3), None):
            alone = _explaining(model, calls, kept)
        calls = alone
    elif window.anchor is not None:
        return Standalone(
            (),
            "No small history stands alone: the contradiction begins in a state that all calls "
            f"before operation {window.anchor.index} made.",
        )
    if len(calls) > _TRIED_MAX:
        return Standalone(
            (), f"No small history stands alone: {len(calls):,} calls may have made the values."
        )
    if not refutes(model, calls, budget.share(0.3), None):
        return Standalone((), "No small history that stands alone was found within the budget.")
    needed = _needed(model, calls, None, budget)
    # With their returns, as recorded: that leaves even fewer linearizations.
    left = {c.index for c in relevant(model, _weakened(model, calls, needed))}
    calls = [c for c in calls if c.index in left]
    if len(calls) > STANDALONE_MAX:
        return Standalone((), f"The smallest history that stands alone has {len(calls):,} calls.")
    operations = (o for c in calls for o in (c.invoke, c.completion) if o is not None)
    return Standalone(tuple(sorted(operations, key=lambda o: o.index)), "")


def standing_alone(model: Model, source: Source, window: Window, budget: Budget) -> dict[str, Any]:
    """`minimal_history` as evidence: {operations: [operation, ...], why_not: sentence or ""}."""
    if source.count > _SEARCHED_MAX:
        why_not = f"No small history was looked for among the key's {source.count:,} calls."
        return {"operations": [], "why_not": why_not}
    alone = minimal_history(model, source.calls(0, window.end + 1), window, budget)
    invoked = [o.index for o in alone.operations if o.type == "invoke"]
    return {"operations": invoked, "why_not": alone.why_not}


def relevant(model: Model, calls: Sequence[Call]) -> Sequence[Call]:
    """The calls without crashed ones that cannot matter (rule 3)."""
    while _telling(model, calls):
        states = _required_by(model, calls)
        fewer = [c for c in calls if known(c) or not states.isdisjoint(_left_by(model, c))]
        if len(fewer) == len(calls):
            break
        calls = fewer
    return calls


def _needed(model: Model, calls: Sequence[Call], anchor: int | None, budget: Budget) -> set[int]:
    """Those of the completed calls that cannot be spared, the anchor among them."""
    constraining = [
        c for c in calls if known(c) and c.index != anchor and model.read(c) is not None
    ]
    left = [c.index for c in sorted(constraining, key=end_of)]
    always = set() if anchor is None else {anchor}
    endless = refuted_endless(model, calls, anchor, budget)

    def suffice(kept: Sequence[int]) -> bool:
        weaker = _weakened(model, calls, always.union(kept))
        if endless:
            return refuted_endless(model, weaker, anchor, budget)
        return refuted_alone(model, weaker, budget.share(_SHARE, _CHEAP), anchor) is True

    if suffice(left[-1:]):  # usually it is
        return always.union(left[-1:])
    size = max(1, len(left) // 2)
    while left:
        at = 0
        while at < len(left) and not budget.spent():
            fewer = left[:at] + left[at + size :]
            if suffice(fewer):
                left = fewer
            else:
                at += size
        if size == 1 or budget.spent():
            break
        size //= 2
    return always.union(left)


def _weakened(model: Model, calls: Iterable[Call], kept: Collection[int]) -> list[Call]:
    """Every call that is not to be kept is dropped if it observes, and otherwise loosened."""
    weaker = []
    for call in calls:
        step = model.read(call)
        if step is None or call.index in kept:
            weaker += [call] if step is not None else []
        elif step.effect is not Effect.OBSERVES:
            weaker.append(Call(call.invoke, None) if known(call) else call)
    return weaker


def _explaining(model: Model, calls: Sequence[Call], kept: Collection[int]) -> list[Call]:
    """The calls to be kept, with all that leave a state that one of them, or of those, requires."""
    chosen = {c.index: c for c in calls if c.index in kept}
    producers: dict[State, list[Call]] = {}
    for call in calls:
        for state in _left_by(model, call):
            producers.setdefault(state, []).append(call)
    todo = list(chosen.values())
    while todo:
        for state in _required(model, model.read(todo.pop())):
            for call in producers.pop(state, ()):
                if call.index not in chosen:
                    chosen[call.index] = call
                    todo.append(call)
    return [chosen[index] for index in sorted(chosen)]


def _telling(model: Model, calls: Iterable[Call]) -> bool:
    """Does every call either overwrite, or name the one state in which it is legal?"""
    steps = {step for c in calls if (step := model.read(c)) is not None}
    return all(s.effect is Effect.OVERWRITES or _required(model, s) for s in steps)


def _required_by(model: Model, calls: Iterable[Call]) -> set[State]:
    return {state for call in calls for state in _required(model, model.read(call))}


def _left_by(model: Model, call: Call) -> Sequence[State]:
    """The states that a call leaves that changes something, where it tells them by itself."""
    step = model.read(call)
    if step is None or step.effect is Effect.OBSERVES:
        return ()
    before = (model.init(),) if step.effect is Effect.OVERWRITES else _required(model, step)
    return tuple(after for state in before for after in model.step(state, step))


def _required(model: Model, step: Step | None) -> Sequence[State]:
    if step is None or not isinstance(model, Requires):
        return ()
    return model.requires(step)
