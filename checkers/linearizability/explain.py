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
        calls: how many calls of the key the prefix has
        certificate: 'confirmed' by the independent verifier, or 'unconfirmed' (then UNKNOWN)
        values: [{state: 'the value is 5', operation: the call that produced it, null: initial,
                  describe: 'write 5' or null}, ...]: the states possible when the call had to be
                  placed, at most 10; `values_total` says how many were found
        complete: those are all the possible ones; false where the search had to look ahead, and
            dropped without looking at them what could lead nowhere
        partial: at most 10 of the deepest linearizations, each
            {order: [operation, ...], state, pending: [operation, ...]: open and not in the order,
             reason: 'read -> 4, but the value is 3',
             fits: null, or {after: operation or null, until: operation}: the last place in the
                   order where the call would have been legal, too early for real time}
        window: the operations that matter: those concurrent with the call that are in a partial
            linearization or returned later, what produced the values, and the ends of `fits`
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import msgspec

from checkers.budget import Budget
from checkers.history import Call
from checkers.linearizability.compile import Problem, as_of, compile_calls
from checkers.linearizability.search import SLICE, Node, Search, Trail, order
from checkers.models.model import Effect, Model, State, Step

SHOWN_MAX = 10

# So many configurations are spent on partial linearizations without look-ahead, which read better,
# and so many more for each event; if that is too few, those that the search itself kept must do.
_READABLE, _READABLE_PER_EVENT = 40_000, 4


def judge(search: Search, budget: Budget) -> bool | None:
    """Is it linearizable? None: the budget was spent."""
    for _ in search.run():
        if budget.spent(search.held):
            return None
    return search.linearizable


def shortest_failing_prefix(
    model: Model, calls: Sequence[Call], search: Search, budget: Budget
) -> tuple[Call, ...]:
    """The calls as they stood at the earliest completion by which they are not linearizable.

    The search fails there or earlier: earlier where it knew outcomes that came later, such as that
    a call certainly failed. If the budget is spent, a longer failing prefix.
    """
    failed_at = returned_at(search.problem, search.position, calls)
    ends = sorted(
        c.completion.index
        for c in calls
        if c.completion is not None and c.outcome != "info" and c.completion.index >= failed_at
    )
    low, high = 0, len(ends) - 1  # the last is the whole history, which fails
    probe = 0  # usually it is the very first
    while low < high:
        prefix = compile_calls(model, as_of(calls, ends[probe]))
        if judge(Search(prefix), budget) is False:
            high = probe
        elif budget.spent():
            break
        else:
            low = probe + 1
        probe = (low + high) // 2
    return as_of(calls, ends[high])


def returned_at(problem: Problem, position: int, calls: Sequence[Call]) -> int:
    """The index of the completion that is the event at a position."""
    at, returns = problem.events[position]
    assert returns, "a search fails at a return"
    index = problem.ops[at].index
    return next(c.completion.index for c in calls if c.index == index and c.completion is not None)


class _Partial(msgspec.Struct, frozen=True):
    """A linearization that went as far as it could, with the states along it."""

    order: tuple[int, ...]
    states: tuple[State, ...]  # one more than the order


def contradiction(model: Model, prefix: Sequence[Call]) -> dict[str, Any]:
    """The evidence for a shortest failing prefix of a key, without its certificate."""
    search = _readable(compile_calls(model, prefix))
    nodes = list(search.considered.items())
    problem = search.problem
    # With look-ahead it ended before the call that is to blame, which is then the last to return.
    failed_at = -1 if problem.foreseeing else search.position
    index = problem.ops[problem.events[failed_at][0]].index
    blamed = next(c for c in prefix if c.index == index)
    last = max(
        c.completion.index for c in prefix if c.completion is not None and c.outcome != "info"
    )
    steps = {c.index: step for c in prefix if (step := model.read(c)) is not None}
    step = steps[blamed.index]
    partial = [_replay(model, steps, search, trail) for trail in _deepest(nodes)]
    values = [_value(model, steps, p) for p in partial]
    fits = [_fits(model, step, p) for p in partial]
    assert blamed.completion is not None, "a call that never returns can always be left out"
    return {
        "key": blamed.key,
        "operation": blamed.index,
        "completion": blamed.completion.index,
        "known_with": last,
        "process": blamed.invoke.process,
        "describe": model.describe(step),
        "calls": len(prefix),
        "values": values,
        "values_total": len({node.state for node, _ in nodes}),
        "complete": not problem.foreseeing,
        "partial": [
            {
                "order": list(p.order),
                "state": model.describe_state(p.states[-1]),
                "pending": _pending(prefix, steps, p, blamed),
                "reason": f"{model.describe(step)}, but {model.describe_state(p.states[-1])}",
                "fits": fit,
            }
            for p, fit in zip(partial, fits, strict=True)
        ],
        "window": _window(blamed, prefix, partial, values, fits),
    }


def sentence(model: Model, prefix: Sequence[Call], found: dict[str, Any]) -> str:
    """The contradiction in words."""
    steps = {c.index: step for c in prefix if (step := model.read(c)) is not None}
    key = "" if found["key"] is None else f"Key {found['key']}: "
    values = [
        v["state"]
        + (" from the start" if v["operation"] is None else f" (by operation {v['operation']})")
        for v in found["values"]
    ]
    more = found["values_total"] - len(values)
    listed = " or ".join(values) + (f" or {more} others" if more > 0 else "")
    orders = "in every order" if found["complete"] else "in the orders that were tried"
    who = f" by process {found['process']}"
    who = "" if found["describe"].endswith(who) else who  # a lock's steps name it themselves
    text = f"{key}{found['describe']}{who} (operation {found['operation']}) cannot be placed"
    if not found["partial"]:  # look-ahead saw the end before it had an order to show
        return f"{text}: no legal order of the calls before its return has a place for it."
    text += f": by then, {orders}, {listed}"
    fit = next((p["fits"] for p in found["partial"] if p["fits"] is not None), None)
    if found["known_with"] != found["completion"]:
        text += f" (which is certain with operation {found['known_with']})"
    if fit is None:
        return f"{text}; it fits nowhere earlier either."
    until = f"operation {fit['until']} ({model.describe(steps[fit['until']])})"
    after = "at the start"
    if fit["after"] is not None:
        after = f"after operation {fit['after']} ({model.describe(steps[fit['after']])})"
    # An observation changes nothing, so if it was not placed there, it had not been invoked.
    observes = steps[found["operation"]].effect is Effect.OBSERVES
    early = ", before it was invoked" if observes else ""
    return f"{text}; it would have fitted {after} and before {until}{early}."


def _readable(problem: Problem) -> Search:
    """A failed search, if possible without look-ahead: with it the search ends before the call
    that is to be explained, as soon as it can foresee the end."""
    if problem.foreseeing:
        search = Search(msgspec.structs.replace(problem, foreseeing=False))
        turns = (_READABLE + _READABLE_PER_EVENT * len(problem.events)) // SLICE
        for _ in islice(search.run(), turns):
            pass
        if search.linearizable is False:
            return search
    search = Search(problem)
    for _ in search.run():
        pass
    return search


def _deepest(nodes: Sequence[tuple[Node, Trail | None]]) -> list[Trail | None]:
    """One trail for each state that was possible, those with most pending calls placed first."""
    best: dict[int, tuple[int, Trail | None]] = {}
    for node, trail in nodes:
        depth = node.done.bit_count()
        if node.state not in best or depth > best[node.state][0]:
            best[node.state] = (depth, trail)
    ranked = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))
    return [trail for _, (_, trail) in ranked[:SHOWN_MAX]]


def _replay(model: Model, steps: dict[int, Step], search: Search, trail: Trail | None) -> _Partial:
    """The states along a trail; where the model leaves a choice, one that leads to its end."""
    indices = order(search.problem, trail)
    levels: list[dict[State, State]] = [{model.init(): None}]  # each state with a predecessor
    for index in indices:
        levels.append({after: s for s in levels[-1] for after in model.step(s, steps[index])})
    state = next(iter(levels[-1]))
    states = [state]
    for level in reversed(levels[1:]):
        state = level[state]
        states.append(state)
    return _Partial(tuple(indices), tuple(reversed(states)))


def _value(model: Model, steps: dict[int, Step], partial: _Partial) -> dict[str, Any]:
    """The state at the end of a partial linearization, and the call that produced it."""
    changes = [
        index
        for index, before, after in zip(
            partial.order, partial.states, partial.states[1:], strict=False
        )
        if before != after
    ]
    producer = changes[-1] if changes else None
    return {
        "state": model.describe_state(partial.states[-1]),
        "operation": producer,
        "describe": None if producer is None else model.describe(steps[producer]),
    }


def _fits(model: Model, step: Step, partial: _Partial) -> dict[str, Any] | None:
    legal = [at for at, state in enumerate(partial.states[:-1]) if tuple(model.step(state, step))]
    if not legal:
        return None
    at = legal[-1]
    # Back over what left the state as it is, to the call that made it so.
    first = at
    while first > 0 and partial.states[first - 1] == partial.states[at]:
        first -= 1
    return {"after": partial.order[first - 1] if first else None, "until": partial.order[at]}


def _pending(
    prefix: Sequence[Call], steps: dict[int, Step], partial: _Partial, blamed: Call
) -> list[int]:
    placed = {*partial.order, blamed.index}
    return [c.index for c in prefix if c.index in steps and c.index not in placed]


def _window(
    blamed: Call,
    prefix: Sequence[Call],
    partial: Sequence[_Partial],
    values: Iterable[dict[str, Any]],
    fits: Iterable[dict[str, Any] | None],
) -> list[int]:
    used = {index for p in partial for index in p.order}
    window = {blamed.index}
    for call in prefix:
        returned = call.completion is not None and call.outcome != "info"
        end = call.completion.index if call.completion is not None and returned else None
        if (end is None and call.index in used) or (end is not None and end > blamed.index):
            window.add(call.index)
    window |= {v["operation"] for v in values if v["operation"] is not None}
    for fit in fits:
        if fit is not None:
            window |= {index for index in (fit["after"], fit["until"]) if index is not None}
    return sorted(window)
