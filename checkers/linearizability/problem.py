"""From the calls of one key to integers: its events, its states and what is still to come of them.

Rules
1. A call that constrains nothing is left out: what the model reads as None, and observations of
   unknown outcome (whatever they saw, they changed nothing).
2. Every call that returns holds a bit from its invocation to its return; bits are used again, so
   masks are as wide as the concurrency, not as the history is long. Crashed calls hold none.
3. The events end with the last return of a call that may be illegal. Whatever returns later is
   legal in every state, so it can follow in the order of invocation: the `tail` of a witness.
4. `LOST` stands for every state from which nothing that is still to be observed can become legal
   unless something overwrites it first. No call to come tells such states apart, so they are one.
5. What is invoked after a call that overwrites, was invoked later than now, and has returned,
   does not observe what there is now. So the look ahead ends at the first return of such a call.

Sources: Lowe 2017 (configurations relative to the window of pending calls).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple, cast

import msgspec

from checkers.history import Call
from checkers.models.model import Effect, Foresees, Model, Requires, State, Step
from checkers.models.register import Register

NEVER = 1 << 62  # the position of a return that does not come
LOST = 0

# A state is compared with at most so many reads to come before it is taken to be of use to one:
# where nothing overwrites, comparing every state with every read would be quadratic.
_READS_COMPARED_MAX = 300


class Start(NamedTuple):
    """Where a search begins: in `state`; calls invoked before the index `free_until` are free."""

    state: State
    free_until: int


class Op(msgspec.Struct, frozen=True, kw_only=True):
    """A call that constrains something.

    `step` is a position in `Problem.steps`; `invoked` and `returned` are positions in its events
    (`returned` is NEVER without one); `bit` is a mask of one bit, used again after the return, and
    0 for calls that crashed. `free`: it may have taken effect before the search began.
    """

    index: int
    step: int
    effect: Effect
    bit: int
    invoked: int
    returned: int
    free: bool


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One key's history in integers. An event is (position in `ops`, is it a return?).

    `tail`: indices of the calls that return after the last event. `foreseeing`: use what the model
    knows of states that lead nowhere.
    """

    model: Model
    start: Start
    steps: tuple[Step, ...]
    ops: tuple[Op, ...]
    events: tuple[tuple[int, bool], ...]
    tail: tuple[int, ...]
    foreseeing: bool


def compile_calls(model: Model, calls: Iterable[Call], start: Start | None = None) -> Problem:
    """The calls of one key, in the order of invocation, as a problem; from the initial state if no
    start is given. Raises HistoryError where the model cannot read a call."""
    start = start or Start(model.init(), 0)
    reads: list[tuple[int, Step, int]] = []  # indices of invocation and completion
    for call in calls:
        if (step := model.read(call)) is not None:
            completion = call.completion
            if completion is not None and completion.type != "info":
                reads.append((call.index, step, completion.index))
            elif step.effect is not Effect.OBSERVES:
                reads.append((call.index, step, NEVER))
    fallible = (Effect.OBSERVES, Effect.ANY)
    ends = (end for _, step, end in reads if end < NEVER and step.effect in fallible)
    last = max(ends, default=-1)
    inside = [read for read in reads if read[0] < last]
    moments = [(index, at, False) for at, (index, _, _) in enumerate(inside)]
    moments += [(end, at, True) for at, (_, _, end) in enumerate(inside) if end <= last]
    moments.sort()
    steps: dict[Step, int] = {}
    for _, step, _ in inside:
        steps.setdefault(step, len(steps))
    bits, places = [0] * len(inside), [[0, NEVER] for _ in inside]
    vacant: list[int] = []
    width = 0
    for position, (_, at, returns) in enumerate(moments):
        places[at][returns] = position
        if returns:
            vacant.append(bits[at])
        elif inside[at][2] < NEVER:
            if not vacant:
                vacant.append(1 << width)
                width += 1
            bits[at] = vacant.pop()
    ops = tuple(
        Op(
            index=index,
            step=steps[step],
            effect=step.effect,
            bit=bits[at],
            invoked=places[at][0],
            returned=places[at][1],
            free=index < start.free_until,
        )
        for at, (index, step, _) in enumerate(inside)
    )
    return Problem(
        model=model,
        start=start,
        steps=tuple(steps),
        ops=ops,
        events=tuple((at, returns) for _, at, returns in moments),
        tail=tuple(index for index, _, end in reads if last < end < NEVER),
        foreseeing=isinstance(model, Foresees | Requires),
    )


def as_of(calls: Sequence[Call], index: int) -> tuple[Call, ...]:
    """The calls as they stood when the operation `index` had just been recorded."""
    return tuple(
        Call(c.invoke, c.completion if c.completion and c.completion.index <= index else None)
        for c in calls
        if c.index <= index
    )


class Trail(NamedTuple):
    """How a configuration came about: `before`, then at `position` the calls of the bits `hidden`,
    then the call `op` (see Move.at; None: none), then those of the bits `seen`. Hidden and seen
    ones became free there; that counts only where they are not linearized later."""

    before: Trail | None
    position: int
    hidden: int
    op: int | None
    seen: int


def order(problem: Problem, trail: Trail | None) -> list[int]:
    """The indices of the calls of a trail, in the order of their linearization. Free calls stand
    where they became free, unless they were linearized later; of a class of crashed calls the
    oldest comes first."""
    entries: list[Trail] = []
    while trail is not None:
        entries.append(trail)
        trail = trail.before
    entries.reverse()
    placed = {entry.op for entry in entries}
    holders: dict[int, list[int]] = {}  # by bit, or by the number of the class
    for at, op in enumerate(problem.ops):
        holders.setdefault(op.bit or -2 - op.step, []).append(at)
    classes = {move: iter(ats) for move, ats in holders.items() if move < 0}
    indices: list[int] = []
    for entry in entries:
        for mask, op_at in ((entry.hidden, entry.op), (entry.seen, None)):
            while mask:
                bit = mask & -mask
                mask ^= bit
                # The call that held the bit: the latest that was invoked by then.
                invoked = bisect_right(
                    holders[bit], entry.position, key=lambda at: problem.ops[at].invoked
                )
                at = holders[bit][invoked - 1]
                if at not in placed:
                    placed.add(at)
                    indices.append(problem.ops[at].index)
            if op_at is not None:
                at = op_at if op_at >= 0 else next(classes[op_at])
                placed.add(at)
                indices.append(problem.ops[at].index)
    return indices


class Space:
    """The states of a key as small integers, with the transitions between them remembered.

    `required[step]`: the one state in which a step is legal; `produced[step]`: the one it leads to
    wherever it is legal; None where the model does not say. `telling`: of every step it is known
    which state it tells from all others (see pending.py). `ahead`: look ahead (rules 4 and 5).
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._states: list[State] = [None]
        self._numbers: dict[Hashable, int] = {}
        self._after: list[dict[int, tuple[int, ...]]] = [{}]
        self._leads: dict[tuple[int, int], bool] = {}
        self._useful_until: dict[int, int] = {}  # the position of a return that can observe it
        self._lost: dict[int, tuple[int, int]] = {}  # from this position on, with this horizon
        self.initial = self._number(problem.start.state)
        self.required: list[int | None] = [None] * len(problem.steps)
        self.produced, self._told = self.required[:], self.required[:]
        model = problem.model
        if isinstance(model, Requires):
            for at, step in enumerate(problem.steps):
                self.required[at] = next(map(self._number, model.requires(step)), None)
        self.telling = problem.foreseeing and all(map(self._tells, range(len(problem.steps))))
        self.until = [-1] * len(self._states)
        for op in problem.ops if self.telling else ():
            if (named := self._told[op.step]) is not None:
                self.until[named] = max(self.until[named], op.returned)
        effects = {step.effect for step in problem.steps}
        self.ahead = problem.foreseeing and not self.telling and Effect.ANY not in effects
        self.ahead = self.ahead and isinstance(model, Foresees)
        if self.ahead:
            self._look()

    def anchor(self, before: int) -> Op | None:
        """The latest call that is legal in one state only and has returned before a position."""
        known = (op for op in reversed(self._problem.ops) if self.required[op.step] is not None)
        return next((op for op in known if op.returned < before), None)

    def after(self, state: int, step: int) -> tuple[int, ...]:
        """The states after a step; empty where it is illegal."""
        reached = self._after[state].get(step)
        if reached is None:
            reached = self._after[state][step] = self._reach(state, step)
        return reached

    def _reach(self, state: int, step: int) -> tuple[int, ...]:
        what = self._problem.steps[step]
        if state == LOST:
            if self.telling and what.effect is not Effect.OVERWRITES:
                return (LOST,) if self.required[step] is None else ()
            if what.effect is not Effect.OVERWRITES:
                return () if what.effect is Effect.OBSERVES else (LOST,)
            state = self.initial  # what overwrites leaves the same states wherever it is taken
        return tuple(self._number(s) for s in self._problem.model.step(self._states[state], what))

    def _number(self, state: State) -> int:
        number = self._numbers.setdefault(state, len(self._states))
        if number == len(self._states):
            self._states.append(state)
            self._after.append({})
        return number

    def _tells(self, at: int) -> bool:
        """Does a step tell one state from all others, or overwrite, and lead to one state only?
        Notes which."""
        model, step, required = self._problem.model, self._problem.steps[at], self.required[at]
        if required is None and step.effect is Effect.OBSERVES:
            # A compare-and-set that did not match. No model has a word for it but this one.
            if type(model) is Register and step.failed:
                self._told[at] = self._number(step.input[0])
            return self._told[at] is not None
        self._told[at] = required
        if required is None and step.effect is not Effect.OVERWRITES:
            return False
        products = self.after(self.initial if required is None else required, at)
        self.produced[at] = products[0] if products else None
        return len(products) <= 1

    def _look(self) -> None:
        """Prepares the look ahead of a model that foresees."""
        events, ops = self._problem.events, self._problem.ops
        self._observers = [op for op in ops if op.effect is Effect.OBSERVES]
        self._observers.sort(key=lambda op: op.returned)
        self._returns = [op.returned for op in self._observers]
        # From each observer on: the earliest invocation.
        invoked = [op.invoked for op in reversed(self._observers)]
        self._earliest = [*accumulate(invoked, min)][::-1]
        # For each position, of the overwriting calls that are invoked later: the position of the
        # first invocation, and that of the first return.
        coming = [(NEVER, NEVER)]
        for position in range(len(events) - 1, 0, -1):
            at, returns = events[position]
            overwrites = not returns and ops[at].effect is Effect.OVERWRITES
            horizon = min(coming[-1][1], ops[at].returned)
            coming.append((position, horizon) if overwrites else coming[-1])
        self._coming = coming[::-1]

    def settled(self, state: int, position: int) -> int:
        """The state itself, or LOST if it is of no use to any read that returns from here on."""
        if state == LOST or self._useful_until.get(state, -1) >= position:
            return state
        since, lost_until = self._lost.get(state, (NEVER, NEVER))
        horizon = self._coming[position][1]
        if position >= since and horizon == lost_until:
            return LOST
        first = bisect_left(self._returns, position)
        for at in range(first, len(self._observers)):
            if self._earliest[at] > horizon:
                break
            op = self._observers[at]
            if at - first == _READS_COMPARED_MAX or self._leads_to(state, op.step):
                self._useful_until[state] = op.returned
                return state
        self._lost[state] = (position, horizon)
        return LOST

    def hopeless(self, state: int, settled: int, position: int) -> bool:
        """Is there a call that must still observe something, to which this state cannot lead, and
        which returns before anything new can overwrite the state?

        `settled` are the bits of the pending calls that need no more to be linearized. The caller
        has seen that no pending call can overwrite the state.
        """
        for at in range(bisect_left(self._returns, position), len(self._observers)):
            goal = self._observers[at]
            if goal.invoked > position or not settled & goal.bit:
                overwritten = self._coming[position][0] < goal.returned
                return not overwritten and not self._leads_to(state, goal.step)
        return False

    def _leads_to(self, state: int, step: int) -> bool:
        if state == LOST:
            return False
        answer = self._leads.get((state, step))
        if answer is None:
            model = cast(Foresees, self._problem.model)
            answer = model.leads_to(self._states[state], self._problem.steps[step])
            self._leads[state, step] = answer
        return answer
