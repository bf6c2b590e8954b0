"""Certificates: no verdict stands on a search. This shares no code with any; it trusts the model.

VALID: an order, replayed. INVALID: an invariant that dies out. A sketch (state, done, free) covers
the state with `done` and any part of `free` in effect. Whatever a linearization so far leads to,
pending calls lead to it from something covered: effects can wait for the return that needs them. To
cover more is sound (`free`, `endless` crashed calls). Equal crashed calls can be exchanged, and
states that no step tells apart; what a call requires, the anchor, is so behind all that returned
before its invocation, and what overlaps it comes before, later or (more than is true) never.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from checkers.budget import Budget
from checkers.history import Call
from checkers.models.model import Effect, Model, State, Step

_NEVER, _TOTAL, _WRITES = 1 << 62, (Effect.OVERWRITES, Effect.TOTAL), Effect.OVERWRITES


def fault_of_witness(model: Model, calls: Iterable[Call], order: Sequence[int]) -> str | None:
    """Why the order of call indices is no linearization of the calls of one key; None if it is."""
    left, states, latest = {part[0]: part[1:] for part in _parts(model, calls)}, {model.init()}, -1
    for index in order:
        returned, step = left.pop(index, (-2, Step("", None, None)))
        if returned < latest:
            return f"operation {index} is too late, occurs twice, or is none that this key judges"
        states, latest = {t for s in states for t in model.step(s, step)}, max(latest, index)
        if not states:
            return f"operation {index}, {model.describe(step)}, is illegal in its place"
    return next((f"operation {i} is missing" for i, (end, _) in left.items() if end < _NEVER), None)


def refuted(
    model: Model, calls: Iterable[Call], budget: Budget, anchor: Any = None, endless: bool = False
) -> bool | None:
    """Is it certain that these calls of one key have no linearization? None: budget spent. With an
    anchor, a call's index, those that returned before its invocation do not matter."""
    parts, requires = [*_parts(model, calls)], getattr(model, "requires", lambda _: ())
    before, at_anchor = [model.init()], [p for p in parts if p[0] == anchor and p[1] < _NEVER]
    if anchor is not None and not (at_anchor and requires(at_anchor[0][2])):
        return False
    for _, end, step in at_anchor:
        before = [after for state in requires(step) for after in model.step(state, step)]
        parts = [(i, r if i > end else _NEVER, s) for i, r, s in parts if r > anchor != i]
    alike, pending = _alike(model, {step for _, _, step in parts}, requires), dict[Any, Any]()
    sketches: list[tuple[State, int, int]] = [(alike(state), 0, 0) for state in before]
    hung = sum(1 << at for at, (_, end, _) in enumerate(parts) if end == _NEVER)
    for now, at in sorted((now, at) for at, p in enumerate(parts) for now in p[:2] if now < _NEVER):
        (invoked, _, step), bit = parts[at], 0 if endless and 1 << at & hung else 1 << at
        if now == invoked:
            kind = step.effect is _WRITES and (*map(alike, model.step(model.init(), step)),)
            pending.setdefault(requires(step), {})[bit or kind or step] = bit, step
            continue
        todo, sketches, kept = sketches, [], dict[State, list[tuple[int, int]]]()
        for state, done, free in todo:
            able = [*pending.get((), {}).values(), *pending.get((state,), {}).values()]
            able = [entry for entry in reversed(able) if not entry[0] & done]
            moves = {b & ~hung or s: (b, s, [*map(alike, model.step(state, s))]) for b, s in able}
            free = (free | hung | sum(b for b, _, to in moves.values() if to == [state])) & ~done
            if any(not (d & ~done or (done | free) & ~(d | f)) for d, f in kept.get(state, ())):
                continue
            kept[state] = [*kept.get(state, ()), (done, free)]
            if budget.spent(len(todo)):
                return None
            sketches += [(state, done & ~bit, free & ~bit)] if (done | free) & bit else []
            if not (done & bit or (free & bit and step.effect is Effect.OBSERVES)):
                hidden = sum(b for b, s, _ in moves.values() if s.effect in _TOTAL)
                for b, s, to in moves.values():
                    todo += [(t, done | b, free | hidden * (s.effect is _WRITES)) for t in to]
        if not sketches:
            return True
        del pending[requires(step)][bit]
    return False


def _alike(model: Any, steps: Iterable[Step], requires: Any) -> Callable[[State], State]:
    """One for all states that no step requires, and in which the same others are legal."""
    growing = Effect.TOTAL in {step.effect for step in steps}
    looks = [step for step in steps if step.effect not in _TOTAL]
    vague = [step for step in looks if growing or not requires(step)]
    if Effect.ANY in {s.effect for s in vague} or growing > hasattr(model, "leads_to"):
        return lambda state: state
    legal: Any = model.leads_to if growing else lambda *at: [*model.step(*at)]
    named, first = {requires(step) for step in looks}, dict[Any, State]()

    def representative(s: State) -> State:
        told = tuple(bool(legal(s, step)) for step in vague)
        return s if (any(told) if growing else (s,) in named) else first.setdefault(told, s)

    return cache(representative)


def _parts(model: Model, calls: Iterable[Call]) -> Iterator[tuple[int, int, Step]]:
    for call in calls:
        if (step := model.read(call)) is not None:
            end = call.completion if call.outcome != "info" else None
            yield call.index, _NEVER if end is None else end.index, step
