"""Recording a plan: from calls in the order in which they take effect to a concurrent history.

Rules
1. A plan lists its calls in the order of their linearization points, which are 0, 1, 2 ... What
   each is answered follows from the model, taken through them in that order: the history is
   linearizable because the order is there, and needs no search to know it.
2. Around its point a call gets an interval: invoked up to `early` points before, completed up to
   `late` points after, as far as the calls of the same worker before and after it leave room. An
   interval thus holds its point, except that an unknown outcome may be reported before the effect.
3. An operation of unknown outcome took effect (the answer was lost) or did not (the request was).
   Its worker goes on under a new process number. One that is as late as it can be never completes.
4. A flaw changes what one call does or is told, and everything after it follows from that: the
   history is what a system with this fault would have shown.

Sources: Herlihy and Wing 1990, for points within intervals.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from checkers.history import Call, Error, History, Operation, Outcome, freeze
from checkers.models import Model, State
from harness.generators import Request
from harness.strategies.vocabulary import Vocabulary

_STEP_NS = 1_000_000  # a millisecond between two lines of a history
_NOT_TRIED = Error("overloaded")  # a code that says nothing happened, and nothing about the state


class Fate(enum.StrEnum):
    """How a call ends."""

    ANSWERED = "answered"
    NOT_TRIED = "not tried"
    ANSWER_LOST = "answer lost"
    REQUEST_LOST = "request lost"


class Planned(msgspec.Struct, frozen=True):
    """A call of a plan; see the head of this module. `pick` chooses among right answers."""

    worker: int
    request: Request
    fate: Fate = Fate.ANSWERED
    early: int = 0
    late: int = 0
    pick: int = 0


class Plan(msgspec.Struct, frozen=True):
    """`reach`: what `early` and `late` are at most."""

    model: Model
    vocabulary: Vocabulary
    calls: tuple[Planned, ...]
    workers: int
    reach: int

    def inputs(self, key: Any) -> list[Any]:
        """Every argument that is given to the object of this key."""
        return [c.request.value for c in self.calls if c.request.key == key]


class Mutation(enum.StrEnum):
    """What can go wrong; the words are also its name for people.

    STALE_READ: a call is answered from the state of some effects ago, and where it changes that,
    this is the state from then on. LOST_WRITE: a call is acknowledged and has no effect.
    SWAPPED_RESULTS: two calls get each other's answers. PHANTOM_VALUE: the answer is a value that
    nobody gave. DOUBLED_EFFECT: the effect of a call comes once more, some calls later.
    """

    STALE_READ = "stale read"
    LOST_WRITE = "lost write"
    SWAPPED_RESULTS = "swapped results"
    PHANTOM_VALUE = "phantom value"
    DOUBLED_EFFECT = "doubled effect"


class Flaw(msgspec.Struct, frozen=True):
    """The call `at` (its place in the plan) goes wrong in this way, of which swapped results is
    none: that is of two calls. `by`: how many effects ago, or calls later."""

    mutation: Mutation
    at: int
    by: int = 1


class Done(NamedTuple):
    """What a call came to. `type` and `output` as its completion has them."""

    type: Outcome
    output: Any
    error: Error | None = None


class _Object:
    """One key: its state now, and every state it was in, the last one last."""

    def __init__(self, state: State) -> None:
        self.states = [state]

    @property
    def state(self) -> State:
        return self.states[-1]

    def ago(self, effects: int) -> State:
        return self.states[max(0, len(self.states) - 1 - effects)]

    def become(self, state: State) -> None:
        if state != self.state:
            self.states.append(state)


def done(plan: Plan, flaw: Flaw | None = None) -> list[Done]:
    """What every call of the plan comes to, in its order."""
    objects: dict[Any, _Object] = {}
    processes = _processes(plan)
    results = []
    for place, planned in enumerate(plan.calls):
        key = planned.request.key
        object_ = objects.setdefault(freeze(key), _Object(plan.model.init()))
        wrong = flaw if flaw is not None and flaw.at == place else None
        results.append(_do(plan, planned, processes[place], object_, wrong))
        if (
            flaw is not None
            and flaw.mutation is Mutation.DOUBLED_EFFECT
            and place == flaw.at + flaw.by
        ):
            again = plan.calls[flaw.at]
            target = objects[freeze(again.request.key)]
            target.become(_act(plan, again, processes[flaw.at], target.state)[1])
    return results


def record(plan: Plan, results: Sequence[Done] | None = None) -> History:
    """The history of a plan whose calls came to `results`; None: to what is right."""
    results = done(plan) if results is None else results
    processes = _processes(plan)
    operations: list[Operation] = []
    for place, completes in _timeline(plan):
        request, end = plan.calls[place].request, results[place]
        at = len(operations)
        operations.append(
            Operation(
                index=at,
                time=at * _STEP_NS,
                process=processes[place],
                type=end.type if completes else "invoke",
                f=request.f,
                value=end.output if completes else request.value,
                key=request.key,
                error=end.error if completes else None,
            )
        )
    return History(operations)


def invocations(plan: Plan) -> list[int]:
    """The index in the history of the invocation of each call."""
    places: dict[int, int] = {}
    for index, (place, completes) in enumerate(_timeline(plan)):
        if not completes:
            places[place] = index
    return [places[place] for place in range(len(plan.calls))]


def _do(plan: Plan, planned: Planned, process: int, object_: _Object, flaw: Flaw | None) -> Done:
    if planned.fate is Fate.NOT_TRIED:
        return Done("fail", planned.request.value, _NOT_TRIED)
    if planned.fate is Fate.REQUEST_LOST:
        return Done("info", planned.request.value)
    mutation = None if flaw is None else flaw.mutation
    effects = flaw.by if flaw is not None and mutation is Mutation.STALE_READ else 0
    seen = object_.ago(effects)
    result, after = _act(plan, planned, process, seen)
    if mutation is Mutation.PHANTOM_VALUE and result.type == "ok":
        forge = plan.vocabulary.forges[planned.request.f]
        result = Done("ok", forge(result.output, plan.inputs(planned.request.key)))
    if mutation is not Mutation.LOST_WRITE and after != seen:
        object_.become(after)
    if planned.fate is Fate.ANSWER_LOST:
        return Done("info", planned.request.value)
    return result


def _act(plan: Plan, planned: Planned, process: int, state: State) -> tuple[Done, State]:
    """The answer of an object in this state, and the state after it."""
    request = planned.request
    answers = plan.vocabulary.answers.get(request.f)
    outputs = (None,) if answers is None else answers(state, request)
    output = outputs[planned.pick % len(outputs)]
    invoke = Operation(0, 0, process, "invoke", request.f, request.value, request.key)
    end = Operation(1, 1, process, "ok", request.f, output, request.key)
    step = plan.model.read(Call(invoke, end))
    if step is None:  # legal at any time, as a read of consensus that has learnt nothing
        return Done("ok", output), state
    after = next(iter(plan.model.step(state, step)), _REFUSED)
    if after is not _REFUSED:
        return Done("ok", output), after
    code = plan.vocabulary.refusals.get(request.f)
    return Done("fail", request.value, Error(code) if code else None), state


_REFUSED = object()


def _processes(plan: Plan) -> list[int]:
    """The process of each call: a worker's number, and after each unknown outcome another."""
    lives = [0] * plan.workers
    found = []
    for planned in plan.calls:
        found.append(planned.worker + lives[planned.worker] * plan.workers)
        lives[planned.worker] += planned.fate in (Fate.ANSWER_LOST, Fate.REQUEST_LOST)
    return found


def _timeline(plan: Plan) -> list[tuple[int, bool]]:
    """What happens in the order of time: (place of the call, does it complete?).

    Between two points everything completes before anything is invoked: calls that reach over no
    point but their own come one after the other.
    """
    count = len(plan.calls)
    gaps: list[tuple[list[int], list[int]]] = [([], []) for _ in range(count + 1)]
    next_of, free_at = _next_of_worker(plan), [0] * plan.workers
    for place, planned in enumerate(plan.calls):
        invoked = max(place - planned.early, free_at[planned.worker])
        lost = planned.fate in (Fate.ANSWER_LOST, Fate.REQUEST_LOST)
        earliest = invoked if lost else place
        completed = min(earliest + 1 + planned.late, next_of[place])
        free_at[planned.worker] = completed
        gaps[invoked][1].append(place)
        if not (lost and planned.late and planned.late == plan.reach):
            gaps[completed][0].append(place)
    return [
        event
        for completing, invoking in gaps
        for event in (*((p, True) for p in completing), *((p, False) for p in invoking))
    ]


def _next_of_worker(plan: Plan) -> list[int]:
    """The place of the next call by the same worker; after its last one, the end."""
    found = [len(plan.calls)] * len(plan.calls)
    last: dict[int, int] = {}
    for place, planned in enumerate(plan.calls):
        if planned.worker in last:
            found[last[planned.worker]] = place
        last[planned.worker] = place
    return found
