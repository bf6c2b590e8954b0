"""From the calls of one key to the integers that the search works on.

Rules
1. A call that constrains nothing is left out: what the model reads as None, and observations of
   unknown outcome (whatever they saw, they changed nothing).
2. Every call holds a bit from its invocation to its return; bits are used again. A call that never
   returns ("crashed") keeps its bit for ever, so masks are as wide as the concurrency plus the
   number of crashed calls, not as the history is long.
3. Crashed calls with the same step are interchangeable: each names its predecessor, and is to be
   tried only after it. Then how many were used is all that a configuration tells of them.
4. The events end with the last return of a call that may be illegal. Whatever returns later is
   legal in every state, so it can follow in the order of invocation: the `tail` of a witness.

Sources: Lowe 2017 (configurations relative to the window of pending calls).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from checkers.history import Call
from checkers.models.model import Effect, Foresees, Model, Step

NEVER = 1 << 62  # the position of a return that does not come


class Op(msgspec.Struct, frozen=True, kw_only=True):
    """A call that constrains something.

    `step` is a position in `Problem.steps`; `invoked` and `returned` are positions in its events
    (`returned` is NEVER for crashed calls); `bit` is a mask of one bit; `after` is the bit of the
    crashed call with the same step that is to be used first, or 0.
    """

    index: int
    step: int
    effect: Effect
    bit: int
    after: int
    invoked: int
    returned: int

    @property
    def crashed(self) -> bool:
        return self.returned == NEVER

    @property
    def total(self) -> bool:
        return self.effect in (Effect.OVERWRITES, Effect.TOTAL)


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One key's history in integers. An event is (position in `ops`, is it a return?).

    `tail`: indices of the calls that return after the last event. `foreseeing`: the model tells
    early that a state leads nowhere, and its promise covers every operation of this key.
    """

    model: Model
    steps: tuple[Step, ...]
    ops: tuple[Op, ...]
    events: tuple[tuple[int, bool], ...]
    tail: tuple[int, ...]
    foreseeing: bool


class _Read(msgspec.Struct, frozen=True):
    """A call with its step; `returns_at` is the index of its completion, NEVER if it crashed."""

    index: int
    step: Step
    returns_at: int


def compile_calls(model: Model, calls: Iterable[Call]) -> Problem:
    """The calls of one key, in the order of invocation, as a problem. Raises HistoryError where
    the model cannot read a call."""
    reads = list(_constraining(model, calls))
    end = max((r.returns_at for r in reads if _may_be_illegal(r)), default=-1)
    inside = [r for r in reads if r.index < end]
    moments = sorted(
        [(r.index, at, False) for at, r in enumerate(inside)]
        + [(r.returns_at, at, True) for at, r in enumerate(inside) if r.returns_at <= end]
    )
    events = tuple((at, returns) for _, at, returns in moments)
    steps: dict[Step, int] = {}
    for r in inside:
        steps.setdefault(r.step, len(steps))
    ops = _place(inside, events, steps)
    return Problem(
        model=model,
        steps=tuple(steps),
        ops=ops,
        events=events,
        tail=tuple(r.index for r in reads if end < r.returns_at < NEVER),
        foreseeing=isinstance(model, Foresees) and all(op.effect is not Effect.ANY for op in ops),
    )


def as_of(calls: Sequence[Call], index: int) -> tuple[Call, ...]:
    """The calls as they stood when the operation `index` had just been recorded."""
    return tuple(
        Call(c.invoke, c.completion if c.completion and c.completion.index <= index else None)
        for c in calls
        if c.index <= index
    )


def _constraining(model: Model, calls: Iterable[Call]) -> Iterable[_Read]:
    for call in calls:
        step = model.read(call)
        if step is None:
            continue
        if call.completion is not None and call.outcome != "info":
            yield _Read(call.index, step, call.completion.index)
        elif step.effect is not Effect.OBSERVES:
            yield _Read(call.index, step, NEVER)


def _may_be_illegal(read: _Read) -> bool:
    returns = read.returns_at < NEVER
    return returns and read.step.effect in (Effect.OBSERVES, Effect.ANY)


def _place(
    inside: Sequence[_Read], events: Sequence[tuple[int, bool]], steps: dict[Step, int]
) -> tuple[Op, ...]:
    """Gives every call its bit and its positions."""
    bits, after = [0] * len(inside), [0] * len(inside)
    invoked, returned = [0] * len(inside), [NEVER] * len(inside)
    vacant: list[int] = []
    width = 0
    last_alike: dict[int, int] = {}  # step -> bit of the latest crashed call with it
    for position, (at, returns) in enumerate(events):
        if returns:
            returned[at] = position
            vacant.append(bits[at])
            continue
        invoked[at] = position
        if not vacant:
            vacant.append(1 << width)
            width += 1
        bits[at] = vacant.pop()
        # A call that returns after the last event is pending to the end, but not crashed: it is
        # in the tail, and whether it was used before matters to nobody.
        if inside[at].returns_at == NEVER:
            step = steps[inside[at].step]
            after[at], last_alike[step] = last_alike.get(step, 0), bits[at]
    return tuple(
        Op(
            index=r.index,
            step=steps[r.step],
            effect=r.step.effect,
            bit=bits[at],
            after=after[at],
            invoked=invoked[at],
            returned=returned[at],
        )
        for at, r in enumerate(inside)
    )
