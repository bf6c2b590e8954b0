"""Why a history is not linearizable: the contradiction as data for the report, and in words.

Schema of the evidence of INVALID (JSON; operations are named by the index of their invocation):
    model: its name
    keys: {total, linearizable, refuted: [key, ...]}; keys that are neither were not finished
    contradiction:
        key
        operation: the call that cannot be placed
        completion: the index of its completion
        known_with: the index of the completion with which the shortest failing prefix ends: the
            same, unless only the outcome of another call ruled out what could explain this one
        process, describe: 'read -> 4'
        start: null where the explanation begins with the history, else the anchor behind which it
            begins: {operation, completion, describe, state}
        calls: how many calls of the key the explanation looks at
        certificate: 'confirmed' by the independent verifier, or 'unconfirmed' (then UNKNOWN)
        values: [{state: 'the value is 5', operation: the call that produced it, the anchor, or
                  null: initial, describe: 'write 5' or null}, ...]: the states possible when the
                  call had to be placed, at most 10; `values_total` says how many were found
        complete: those are all the possible ones; false where the search had to look ahead, and
            dropped without looking at them what could lead nowhere, or where it left out crashed
            calls that explain nothing
        partial: at most 10 of the deepest linearizations from the start, each
            {order: [operation, ...], state, pending: [operation, ...]: open and not in the order,
                at most 100,
             reason: 'read -> 4, but the value is 3',
             fits: null, or {after: operation or null, until: operation}: the last place in the
                   order where the call would have been legal, too early for real time}
        window: the operations that matter: those concurrent with the call that are in a partial
            linearization or returned later, what produced the values, and the ends of `fits`
        alone: only where it was asked for, see minimise.py: {operations: [operation, ...]: with
            those of their completions that are not later than known_with they are a history that
            is not linearizable by itself; why_not: where there is none, why, else ""}
        core: the operations that contradict one another by themselves, in order: whatever the
            others of the key answered, and whenever they took effect, cannot explain them
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import msgspec

from checkers.budget import Budget
from checkers.history import Call
from checkers.linearizability.minimise import relevant
from checkers.linearizability.search import (
    SLICE,
    Node,
    Problem,
    Search,
    Start,
    Trail,
    compile_calls,
    order,
)
from checkers.linearizability.window import Window, known
from checkers.models.model import Effect, Model, State, Step

SHOWN_MAX = 10
SAID_MAX = 3  # states that the sentence names; the evidence has the others
SAID_CHARS_MAX = 120  # of one state or call in it
PENDING_MAX = 100

# So many configurations are spent on partial linearizations without look-ahead, which read better,
# and so many more for each event; if that is too few, those that the search itself kept must do,
# for which so many are spent at most.
_READABLE, _READABLE_PER_EVENT = 40_000, 4
_SEARCHED_MAX = 400_000
_LOOSE_SHOWN_MAX = 2_000  # calls of a window that is not whole


class _Partial(msgspec.Struct, frozen=True):
    """A linearization that went as far as it could, with the states along it."""

    order: tuple[int, ...]
    states: tuple[State, ...]  # one more than the order


def contradiction(
    model: Model, window: Window, budget: Budget, core: Sequence[int] = ()
) -> dict[str, Any]:
    """The evidence for a refuted window of a key, without its certificate; the less of it, the
    less is left of the budget."""
    calls = relevant(model, window.calls)
    if not window.whole and len(calls) > _LOOSE_SHOWN_MAX:
        calls = [call for call in calls if known(call)]
    steps = {c.index: step for c in calls if (step := model.read(c)) is not None}
    search = _readable(compile_calls(model, calls, Start(window.start, 0)), budget)
    returned = [c for c in calls if known(c) and c.index in steps]
    last = max(returned, key=lambda c: c.completion.index if c.completion is not None else -1)
    blamed, nodes = last, list(search.considered.items())
    if search.linearizable is not False:
        nodes = []
    elif not search.problem.foreseeing:
        # With look-ahead it ended before the call that is to blame, which is then the last.
        index = search.problem.ops[search.problem.events[search.position][0]].index
        blamed = next(c for c in returned if c.index == index)
    step = steps[blamed.index]
    whole = window.whole and len(calls) == len(window.calls)
    partial = [_replay(model, window, steps, search, trail) for trail in _deepest(nodes)]
    values = [_value(model, window, steps, p) for p in partial]
    fits = [_fits(model, window, step, p) for p in partial]
    assert blamed.completion is not None, "a call that never returns can always be left out"
    return {
        "key": blamed.key,
        "operation": blamed.index,
        "completion": blamed.completion.index,
        "known_with": window.end,
        "process": blamed.invoke.process,
        "describe": model.describe(step),
        "start": _start(model, window),
        "calls": len(window.calls),
        "values": values,
        "values_total": len({node.state for node, _ in nodes}),
        "complete": whole and not search.problem.foreseeing,
        "partial": [
            {
                "order": list(p.order),
                "state": model.describe_state(p.states[-1]),
                "pending": _pending(calls, steps, p, blamed),
                "reason": f"{model.describe(step)}, but {model.describe_state(p.states[-1])}",
                "fits": fit,
            }
            for p, fit in zip(partial, fits, strict=True)
        ],
        "window": _window(blamed, calls, partial, values, fits),
        "core": list(core),
    }


def sentence(model: Model, window: Window, found: dict[str, Any]) -> str:
    """The contradiction in words."""
    steps = {c.index: step for c in window.recorded if (step := model.read(c)) is not None}
    key = "" if found["key"] is None else f"Key {found['key']}: "
    who = f" by process {found['process']}"
    who = "" if found["describe"].endswith(who) else who  # a lock's steps name it themselves
    text = f"{key}{_said(found['describe'])}{who} (operation {found['operation']}) cannot be placed"
    start = found["start"]
    since = ""
    if start is not None:
        since = f"after operation {start['operation']}, {_said(start['describe'])}, "
    if not found["partial"]:  # look-ahead saw the end before it had an order to show
        since = f" {since.removesuffix(', ')}" if since else ""
        return f"{text}: no legal order{since} of the calls before its return has a place for it."
    orders = "in every order" if found["complete"] else "in the orders that were tried"
    text += f": by then, {since}{orders}, {_listed(found)}"
    fit = next((p["fits"] for p in found["partial"] if p["fits"] is not None), None)
    if found["known_with"] != found["completion"]:
        text += f" (which is certain with operation {found['known_with']})"
    if fit is None:
        nowhere = "earlier" if start is None else "between"
        return f"{text}; it fits nowhere {nowhere} either."
    until = f"operation {fit['until']} ({_said(model.describe(steps[fit['until']]))})"
    after = "at the start"
    if fit["after"] is not None:
        after = f"after operation {fit['after']} ({_said(model.describe(steps[fit['after']]))})"
    # An observation changes nothing, so if it was not placed there, it had not been invoked.
    observes = steps[found["operation"]].effect is Effect.OBSERVES
    early = ", before it was invoked" if observes else ""
    return f"{text}; it would have fitted {after} and before {until}{early}."


def _listed(found: dict[str, Any]) -> str:
    """The states that were possible."""
    start = None if found["start"] is None else found["start"]["operation"]
    values = []
    for value in found["values"]:
        made = f"(by operation {value['operation']})"
        if value["operation"] is None:
            made = "from the start"
        elif value["operation"] == start:
            made = "still"
        values.append(f"{_said(value['state'])} {made}")
    values = values[:SAID_MAX]
    more = found["values_total"] - len(values)
    return " or ".join(values) + (f" or {more} others" if more > 0 else "")


def _said(text: str) -> str:
    """A set of a thousand elements makes no sentence: its beginning and its end."""
    if len(text) <= SAID_CHARS_MAX:
        return text
    half = SAID_CHARS_MAX // 2
    return f"{text[:half]}…{text[-half:]}"


def _start(model: Model, window: Window) -> dict[str, Any] | None:
    if window.anchor is None:
        return None
    step, completion = model.read(window.anchor), window.anchor.completion
    assert step is not None, "an anchor is a step"
    assert completion is not None, "an anchor has returned"
    return {
        "operation": window.anchor.index,
        "completion": completion.index,
        "describe": model.describe(step),
        "state": model.describe_state(window.start),
    }


def _readable(problem: Problem, budget: Budget) -> Search:
    """A failed search, if possible without look-ahead: with it the search ends before the call
    that is to be explained, as soon as it can foresee the end."""
    if problem.foreseeing:
        search = Search(msgspec.structs.replace(problem, foreseeing=False))
        turns = (_READABLE + _READABLE_PER_EVENT * len(problem.events)) // SLICE
        _give_turns(search, turns, budget)
        if search.linearizable is False:
            return search
    search = Search(problem)
    _give_turns(search, _SEARCHED_MAX // SLICE, budget)
    return search


def _give_turns(search: Search, turns: int, budget: Budget) -> None:
    run = search.run()
    while turns and not budget.spent(search.held) and next(run, "ended") is None:
        turns -= 1


def _deepest(nodes: Sequence[tuple[Node, Trail | None]]) -> list[Trail | None]:
    """One trail for each state that was possible, those with most pending calls placed first."""
    best: dict[int, tuple[int, Trail | None]] = {}
    for node, trail in nodes:
        depth = node.done.bit_count()
        if node.state not in best or depth > best[node.state][0]:
            best[node.state] = (depth, trail)
    ranked = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))
    return [trail for _, (_, trail) in ranked[:SHOWN_MAX]]


def _replay(
    model: Model, window: Window, steps: dict[int, Step], search: Search, trail: Trail | None
) -> _Partial:
    """The states along a trail; where the model leaves a choice, one that leads to its end."""
    indices = order(search.problem, trail)
    levels: list[dict[State, State]] = [{window.start: None}]  # each state with a predecessor
    for index in indices:
        levels.append({after: s for s in levels[-1] for after in model.step(s, steps[index])})
    state = next(iter(levels[-1]))
    states = [state]
    for level in reversed(levels[1:]):
        state = level[state]
        states.append(state)
    return _Partial(tuple(indices), tuple(reversed(states)))


def _value(
    model: Model, window: Window, steps: dict[int, Step], partial: _Partial
) -> dict[str, Any]:
    """The state at the end of a partial linearization, and the call that produced it."""
    changes = [
        index
        for index, before, after in zip(
            partial.order, partial.states, partial.states[1:], strict=False
        )
        if before != after
    ]
    start = _start(model, window) or {"operation": None, "describe": None}
    producer = changes[-1] if changes else None
    return {
        "state": model.describe_state(partial.states[-1]),
        "operation": start["operation"] if producer is None else producer,
        "describe": start["describe"] if producer is None else model.describe(steps[producer]),
    }


def _fits(model: Model, window: Window, step: Step, partial: _Partial) -> dict[str, Any] | None:
    legal = [at for at, state in enumerate(partial.states[:-1]) if tuple(model.step(state, step))]
    if not legal:
        return None
    at = legal[-1]
    # Back over what left the state as it is, to the call that made it so.
    first = at
    while first > 0 and partial.states[first - 1] == partial.states[at]:
        first -= 1
    start = None if window.anchor is None else window.anchor.index
    return {"after": partial.order[first - 1] if first else start, "until": partial.order[at]}


def _pending(
    calls: Iterable[Call], steps: dict[int, Step], partial: _Partial, blamed: Call
) -> list[int]:
    placed = {*partial.order, blamed.index}
    left = (c.index for c in calls if c.index in steps and c.index not in placed)
    return list(islice(left, PENDING_MAX))


def _window(
    blamed: Call,
    calls: Iterable[Call],
    partial: Sequence[_Partial],
    values: Iterable[dict[str, Any]],
    fits: Iterable[dict[str, Any] | None],
) -> list[int]:
    used = {index for p in partial for index in p.order}
    window = {blamed.index}
    for call in calls:
        end = call.completion.index if call.completion is not None and known(call) else None
        if (end is None and call.index in used) or (end is not None and end > blamed.index):
            window.add(call.index)
    window |= {v["operation"] for v in values if v["operation"] is not None}
    for fit in fits:
        if fit is not None:
            window |= {index for index in (fit["after"], fit["until"]) if index is not None}
    return sorted(window)
