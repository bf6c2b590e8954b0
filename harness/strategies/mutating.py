"""Mutated histories: those of an object that went wrong once, and what went wrong.

Rules
1. A mutation is a flaw of one call (recording.Flaw) whose consequences are followed to the end: a
   system with the fault could have shown this history. `swapped results` alone is done to the
   record: two calls have got each other's answers.
2. A mutated history differs from the valid one it was made of. It may be valid all the same: the
   stale value may have been written again, the call may overlap the one it missed.
3. `certainly_invalid` is a proof, not a judgement by the search that it is to test. Either an
   answer names a value that nobody gave; or the calls of a key came one after the other, each with
   a known outcome, up to one that the model refuses in every state that they can have led to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from checkers.history import Call, History, Outcome, freeze
from checkers.models import Model
from harness.strategies.drawing import OUTCOMES, REACH, plans
from harness.strategies.recording import (
    Done,
    Flaw,
    Mutation,
    Plan,
    done,
    invocations,
    record,
)
from harness.strategies.vocabulary import Vocabulary

_BY_MAX = 3


class Mutated(NamedTuple):
    """`at`: indices of the invocations that were tampered with, two for swapped results. `story`:
    a sentence. `original`: the valid history."""

    history: History
    mutation: Mutation
    at: tuple[int, ...]
    story: str
    certainly_invalid: bool
    original: History


def mutated_histories(
    model: Model | str,
    *,
    vocabulary: Vocabulary | None = None,
    mutations: Collection[Mutation] = tuple(Mutation),
    certainly_invalid: bool = False,
    clients: int = 3,
    min_operations: int = 2,
    max_operations: int = 20,
    keys: Sequence[Any] = (None,),
    outcomes: Collection[Outcome] = OUTCOMES,
) -> SearchStrategy[Mutated]:
    """Histories of an object that goes wrong in one of these ways; otherwise as `histories`.

    Some mutations mean nothing to some models (a lock answers no values): another of `mutations`
    takes their place. With `certainly_invalid` all are proven to be invalid; those that show a
    phantom value are concurrent, the others come one call after the other and with known outcomes.
    Raises ValueError as `histories` does, and where `mutations` is empty.
    """
    kinds = tuple(m for m in Mutation if m in mutations)
    if not kinds:
        raise ValueError(f"mutations is {mutations!r}: expected some of {', '.join(Mutation)}")

    def drawn(reach: int, outcomes: Collection[Outcome]) -> SearchStrategy[Plan]:
        return plans(
            model,
            vocabulary=vocabulary,
            clients=clients,
            min_operations=min_operations,
            max_operations=max_operations,
            keys=keys,
            outcomes=outcomes,
            reach=reach,
        )

    free = drawn(REACH, outcomes)
    if not certainly_invalid:
        return _mutated(free, kinds, certainly=False)
    known = [outcome for outcome in outcomes if outcome != "info"]
    phantom = tuple(kind for kind in kinds if kind is Mutation.PHANTOM_VALUE)
    others = tuple(kind for kind in kinds if kind not in phantom)
    in_order = _mutated(drawn(0, known), others or phantom, phantom, certainly=True)
    return in_order | _mutated(free, phantom, others, certainly=True) if phantom else in_order


def _mutated(
    plan: SearchStrategy[Plan],
    kinds: Sequence[Mutation],
    stand_in: Sequence[Mutation] = (),
    *,
    certainly: bool,
) -> SearchStrategy[Mutated]:
    """Those of `kinds`, and where a plan has no place for any, of `stand_in`."""
    first_kind, first_place = st.integers(0, len(kinds) - 1), st.integers(0, 30)
    by = st.integers(1, _BY_MAX)

    @st.composite
    def mutated(draw: st.DrawFn) -> Mutated:
        chosen, kind = draw(plan), draw(first_kind)
        place, far = draw(first_place), draw(by)
        order = (*kinds[kind:], *kinds[:kind], *stand_in)
        right = _Right(chosen, done(chosen), record(chosen), invocations(chosen))
        ways = (way for mutation in order for way in _ways(mutation, right, place, far))
        found = next((way for way in ways if way.certainly_invalid or not certainly), None)
        return reject() if found is None else found

    return mutated()


class _Right(NamedTuple):
    """A plan, and what it comes to where nothing goes wrong. `indices`: of the invocations."""

    plan: Plan
    results: Sequence[Done]
    history: History
    indices: Sequence[int]


def _ways(mutation: Mutation, right: _Right, place: int, by: int) -> Iterator[Mutated]:
    """What can go wrong in this way, with calls from `place` on and round first."""
    plan, count = right.plan, len(right.plan.calls)
    places = [(place + n) % count for n in range(count)]
    if mutation is Mutation.SWAPPED_RESULTS:
        wrongs = _swapped(plan, right.results, places)
    else:
        wrongs = _flawed(plan, right.results, (Flaw(mutation, at, by) for at in places))
    for at, wrong in wrongs:
        history = record(plan, wrong)
        told = tuple(right.indices[one] for one in at)
        proven = mutation is Mutation.PHANTOM_VALUE or refused_in_order(plan.model, history)
        story = _STORIES[mutation].format(f=plan.calls[at[0]].request.f, at=told, by=by)
        yield Mutated(history, mutation, told, story, proven, right.history)


# The calls that were tampered with, as places in the plan, and what all of them then come to.
_Wrong = tuple[tuple[int, ...], Sequence[Done]]


def _flawed(plan: Plan, right: Sequence[Done], flaws: Iterable[Flaw]) -> Iterator[_Wrong]:
    for flaw in flaws:
        at, mutation = flaw.at, flaw.mutation
        if right[at].type not in _OUTCOMES[mutation]:
            continue
        if mutation is Mutation.PHANTOM_VALUE and not _forgeable(plan, at):
            continue
        wrong = done(plan, flaw)
        told_otherwise = wrong[at] != right[at] if mutation is Mutation.STALE_READ else True
        if told_otherwise and wrong != right:
            yield (at,), wrong


def _forgeable(plan: Plan, at: int) -> bool:
    return plan.calls[at].request.f in plan.vocabulary.forges


def _swapped(plan: Plan, right: Sequence[Done], places: Iterable[int]) -> Iterator[_Wrong]:
    for one in places:
        for other in range(one + 1, len(plan.calls)):
            if _exchangeable(plan, right, one, other):
                wrong = list(right)
                wrong[one], wrong[other] = wrong[other], wrong[one]
                yield (one, other), wrong


def _exchangeable(plan: Plan, results: Sequence[Done], one: int, other: int) -> bool:
    first, second = plan.calls[one].request, plan.calls[other].request
    alike = first.f == second.f and freeze(first.key) == freeze(second.key)
    answered = results[one].type == results[other].type == "ok"
    return alike and answered and freeze(results[one].output) != freeze(results[other].output)


def refused_in_order(model: Model, history: History) -> bool:
    """Does the model refuse a call of a key, all of whose earlier ones are sure to have taken
    effect in one order? True is a proof; False says nothing."""
    return any(_refused(model, calls) for calls in history.by_key().values())


def _refused(model: Model, calls: Sequence[Call]) -> bool:
    states = {model.init()}
    for call, after in zip(calls, (*calls[1:], None), strict=True):
        if call.completion is None or call.outcome == "info":
            return False
        if after is not None and after.index < call.completion.index:
            return False
        step = model.read(call)
        if step is not None:
            states = {s for state in states for s in model.step(state, step)}
        if not states:
            return True
    return False


# The outcomes of a call that can go wrong so: a lost write is one that was acknowledged.
_OUTCOMES: dict[Mutation, tuple[Outcome, ...]] = {
    Mutation.STALE_READ: ("ok", "fail"),
    Mutation.LOST_WRITE: ("ok",),
    Mutation.PHANTOM_VALUE: ("ok",),
    Mutation.DOUBLED_EFFECT: ("ok", "info"),
}
_STORIES = {
    Mutation.STALE_READ: "{f} (operation {at[0]}) was answered from the state of {by} effects ago",
    Mutation.LOST_WRITE: "{f} (operation {at[0]}) was acknowledged and had no effect",
    Mutation.SWAPPED_RESULTS: "{f}: operations {at[0]} and {at[1]} got each other's answers",
    Mutation.PHANTOM_VALUE: "{f} (operation {at[0]}) answered a value that nobody gave",
    Mutation.DOUBLED_EFFECT: "{f} (operation {at[0]}) took effect again, {by} calls later",
}
