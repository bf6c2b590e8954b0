"""Certificates: no verdict stands on the search alone.

This module shares no code with the search, only the models, and argues more simply.

VALID is certified by a witness: an order of the calls of a key, which is replayed against the model
and against real time.

INVALID is certified by an invariant. At any moment an execution is in some plain configuration: a
state, and the set of pending calls that have taken effect. A `Sketch` (state, done, free) stands
for every plain configuration with that state whose set includes `done` and nothing outside
`done | free`. The sketches kept cover every plain configuration that some linearization of the
history so far can reach:
    the initial one is covered;
    when a pending call takes effect, whatever it leads to is covered (`_closed`);
    when a call returns, only configurations in which it has taken effect go on.
If none is left the history is not linearizable. To cover more than necessary is always sound, it
can only hide a violation; so which calls are put into `free`, and why, need not be believed. What
must be believed, beside the model's `step`: that crashed calls with equal steps can be exchanged,
and the promises `Effect` and `leads_to` where a sketch is dropped or its state forgotten, because
what must still be observed can no longer be.

Sources: Wing and Gong 1993 and Herlihy and Wing 1990 (linearizability); Owicki and Gries 1976
(an inductive invariant as proof).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple, cast

from checkers.budget import Budget
from checkers.history import Call
from checkers.models.model import Effect, Foresees, Model, State, Step

_NEVER = 1 << 62
_ALL = -1  # every bit
_FORGOTTEN = object()  # a state that nothing observes before it is overwritten

# A state that the next so many observations do not lead to is kept: looking further costs too much.
_COMPARED_MAX = 300


class Sketch(NamedTuple):
    state: Any
    done: int
    free: int

    def covers(self, other: Sketch) -> bool:
        """Of two sketches with the same state."""
        reach, other_reach = self.done | self.free, other.done | other.free
        return not self.done & ~other.done and not other_reach & ~reach


class _Part(NamedTuple):
    """A call that constrains something, from its invocation to its return (indices)."""

    invoked: int
    returned: int
    step: Step


def fault_of_witness(model: Model, calls: Sequence[Call], order: Sequence[int]) -> str | None:
    """Why the order of call indices is no linearization of the calls of one key; None if it is."""
    parts = {part.invoked: part for part in _parts(model, calls)}
    placed = set(order)
    if len(placed) != len(order):
        return "a call occurs twice"
    for index, part in parts.items():
        if part.returned < _NEVER and index not in placed:
            return f"operation {index} is missing"
    states: set[State] = {model.init()}
    latest = -1
    for index in order:
        if index not in parts:
            return f"operation {index} constrains nothing, or is not of this key"
        part = parts[index]
        if part.returned < latest:
            return f"operation {index} had returned before operation {latest} was invoked"
        latest = max(latest, index)
        states = {after for state in states for after in model.step(state, part.step)}
        if not states:
            return f"operation {index}, {model.describe(part.step)}, is illegal in its place"
    return None


def refuted(model: Model, calls: Sequence[Call], budget: Budget) -> bool | None:
    """Is it certain that the calls of one key have no linearization? None: the budget was spent."""
    parts = tuple(_parts(model, calls))
    moments = [(p.invoked, p, False) for p in parts]
    moments += [(p.returned, p, True) for p in parts if p.returned < _NEVER]
    pending = _Pending(model, parts)
    sketches = [Sketch(model.init(), 0, 0)]
    for now, part, returns in sorted(moments, key=lambda moment: moment[0]):
        bit = pending.remove(now, part) if returns else pending.add(now, part)
        if returns:
            sketches = [
                Sketch(s.state, s.done & ~bit, s.free & ~bit)
                for s in sketches
                if (s.done | s.free) & bit
            ]
        closed = _closed(sketches, pending, 0 if returns else bit, budget)
        if closed is None:
            return None
        if not closed:
            return True
        sketches = closed
    return False


def _closed(
    sketches: Iterable[Sketch], pending: _Pending, new: int, budget: Budget
) -> list[Sketch] | None:
    """Sketches that cover the given ones and all that pending calls lead to from there.

    The given ones were closed under all pending calls but the `new` one (0: none); so those that
    need no widening now have only that to go on with.
    """
    kept: dict[Any, list[Sketch]] = {}
    todo = [
        (wide, new if wide == sketch else _ALL)
        for sketch in sketches
        for wide in pending.widened(sketch)
    ]
    while todo:
        sketch, bits = todo.pop()
        alike = kept.setdefault(sketch.state, [])
        if any(other.covers(sketch) for other in alike):
            continue
        alike[:] = [other for other in alike if not sketch.covers(other)]
        alike.append(sketch)
        if budget.spent(len(todo) + len(kept) + len(alike)):
            return None
        for after in pending.steps(sketch, bits):
            todo += [(wide, _ALL) for wide in pending.widened(after)]
    return [sketch for alike in kept.values() for sketch in alike]


class _Pending:
    """The calls that are pending at a moment, and what they do to sketches."""

    def __init__(self, model: Model, parts: Sequence[_Part]) -> None:
        self._model = model
        self._parts: dict[int, _Part] = {}  # by bit
        self._elder: dict[int, int] = {}  # bit of a crashed call -> that of the alike one before it
        self._now = -1
        effects = {part.step.effect for part in parts}
        self._foresees = isinstance(model, Foresees) and Effect.ANY not in effects
        self._observers = [p for p in parts if p.step.effect is Effect.OBSERVES]
        self._observers.sort(key=lambda p: p.returned)
        self._returned = 0  # how many of the observers have
        overwriters = [p for p in parts if p.step.effect is Effect.OVERWRITES]
        self._overwriting = [p.invoked for p in overwriters]
        # From each on: the earliest invocation of an observer, the first return of an overwriter.
        self._earliest = _from_each_on([p.invoked for p in self._observers])
        self._overwritten = _from_each_on([p.returned for p in overwriters])

    def add(self, now: int, part: _Part) -> int:
        """Returns the bit that the call gets."""
        taken = sum(self._parts)
        bit = ~taken & (taken + 1)  # the lowest that is not taken
        if part.returned == _NEVER:
            alike = [b for b in self._elder if self._parts[b].step == part.step]
            self._elder[bit] = alike[-1] if alike else 0
        self._now, self._parts[bit] = now, part
        return bit

    def remove(self, now: int, part: _Part) -> int:
        """Returns the bit that the call had."""
        if part.step.effect is Effect.OBSERVES:
            self._returned += 1
        bit = next(bit for bit, p in self._parts.items() if p is part)
        self._now = now
        del self._parts[bit]
        return bit

    def steps(self, sketch: Sketch, bits: int) -> Iterator[Sketch]:
        """Whatever the sketch leads to when one pending call, of the given bits, takes effect."""
        for bit, part in self._parts.items():
            elder = self._elder.get(bit, 0)
            if not bits & ~sketch.done & bit or sketch.done & elder != elder:
                continue
            done, free = sketch.done | bit, sketch.free & ~bit
            if part.step.effect is Effect.OVERWRITES:
                free |= self._bits(Effect.OVERWRITES, Effect.TOTAL) & ~done
            for state in self._after(sketch.state, part.step):
                yield Sketch(state, done, free)

    def widened(self, sketch: Sketch) -> Iterator[Sketch]:
        """One that covers the sketch; none if all that it stands for is stuck."""
        state, free = sketch.state, sketch.free | sum(self._elder)
        if self._foresees and not self._of_use(state):
            state, free = _FORGOTTEN, free | self._bits(Effect.TOTAL)
        for bit, part in self._parts.items():
            if part.step.effect is Effect.OBSERVES and self._after(state, part.step):
                free |= bit
        free &= ~sketch.done
        if not (self._foresees and self._stuck(state, sketch.done, free)):
            yield Sketch(state, sketch.done, free)

    def _after(self, state: Any, step: Step) -> Iterable[Any]:
        if state is not _FORGOTTEN:
            return self._model.step(state, step)
        if step.effect is Effect.OVERWRITES:
            return self._model.step(self._model.init(), step)
        return () if step.effect is Effect.OBSERVES else (_FORGOTTEN,)

    def _bits(self, *effects: Effect) -> int:
        return sum(bit for bit, part in self._parts.items() if part.step.effect in effects)

    def _leads_to(self, state: Any, step: Step) -> bool:
        return state is not _FORGOTTEN and cast(Foresees, self._model).leads_to(state, step)

    def _of_use(self, state: Any) -> bool:
        """May a call that has not returned observe the state, or what it grows into?

        None can that is invoked when a call that overwrites, and is not invoked yet, has returned.
        """
        horizon = self._overwritten[bisect_left(self._overwriting, self._now + 1)]
        for at in range(self._returned, len(self._observers)):
            if self._earliest[at] > horizon:
                return False
            compared = at - self._returned
            if compared == _COMPARED_MAX or self._leads_to(state, self._observers[at].step):
                return True
        return False

    def _stuck(self, state: Any, done: int, free: int) -> bool:
        """Must a call observe what the state cannot lead to, before it can be overwritten?"""
        if self._bits(Effect.OVERWRITES) & ~done:
            return False
        settled = {part.invoked for bit, part in self._parts.items() if (done | free) & bit}
        at, end = self._returned, len(self._observers)
        while at < end and self._observers[at].invoked in settled:
            at += 1
        if at == end:
            return False
        goal = self._observers[at]
        coming = bisect_left(self._overwriting, self._now + 1)
        if coming < len(self._overwriting) and self._overwriting[coming] < goal.returned:
            return False
        return not self._leads_to(state, goal.step)


def _from_each_on(numbers: Sequence[int]) -> list[int]:
    """The least of the numbers from each position on; _NEVER after the last."""
    return [*accumulate(reversed(numbers), min, initial=_NEVER)][::-1]


def _parts(model: Model, calls: Iterable[Call]) -> Iterator[_Part]:
    for call in calls:
        step = model.read(call)
        if step is None:
            continue
        if call.completion is not None and call.completion.type != "info":
            yield _Part(call.index, call.completion.index, step)
        elif step.effect is not Effect.OBSERVES:
            yield _Part(call.index, _NEVER, step)
