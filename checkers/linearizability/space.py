"""The states of a key as small integers, with the transitions between them remembered.

Rules
1. A number stands for one state of the model for as long as the space lives. `LOST` stands for
   every state from which nothing that is still to be observed can become legal unless something
   overwrites it first. No observation tells such states apart, so they are one.
2. What is invoked after a call that overwrites, was invoked later than now, and has returned,
   does not observe what there is now. So the look ahead ends at the first return of such a call.
3. Only where `Problem.foreseeing` holds is a state ever lost or hopeless.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable
from itertools import accumulate
from typing import cast

from checkers.linearizability.compile import NEVER, Op, Problem
from checkers.models.model import Effect, Foresees, State

LOST = -1

# A state is compared with at most so many reads to come before it is taken to be of use to one:
# where nothing overwrites, comparing every state with every read would be quadratic.
_READS_COMPARED_MAX = 300


class Space:
    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._states: list[State] = []
        self._numbers: dict[Hashable, int] = {}
        self._after: list[dict[int, tuple[int, ...]]] = []
        self._useful_until: list[int] = []  # the position of a return that can observe it
        self._lost: list[tuple[int, int]] = []  # from this position on, with this horizon
        self._leads: dict[tuple[int, int], bool] = {}
        self._observers = sorted(
            (op for op in problem.ops if op.effect is Effect.OBSERVES), key=lambda op: op.returned
        )
        self._returns = [op.returned for op in self._observers]
        # From each observer on: the earliest invocation.
        invoked = [op.invoked for op in reversed(self._observers)]
        self._earliest = [*accumulate(invoked, min)][::-1]
        # For each position, of the overwriting calls that are invoked later: the position of the
        # first invocation, and that of the first return.
        self._overwriting, self._horizons = _overwriting(problem)
        self.initial = self._number(problem.model.init())

    def state(self, number: int) -> State:
        """The state of a number other than LOST."""
        return self._states[number]

    def after(self, state: int, step: int) -> tuple[int, ...]:
        """The states after a step; empty where it is illegal."""
        if state == LOST:
            effect = self._problem.steps[step].effect
            if effect is not Effect.OVERWRITES:
                return () if effect is Effect.OBSERVES else (LOST,)
            state = self.initial  # what overwrites leaves the same states wherever it is taken
        reached = self._after[state].get(step)
        if reached is None:
            model, steps = self._problem.model, self._problem.steps
            states = model.step(self._states[state], steps[step])
            reached = self._after[state][step] = tuple(self._number(s) for s in states)
        return reached

    def settled(self, state: int, position: int) -> int:
        """The state itself, or LOST if it is of no use to any read that returns from here on."""
        if state == LOST or self._useful_until[state] >= position:
            return state
        since, horizon = self._lost[state]
        if position >= since and horizon == self._horizons[position]:
            return LOST
        return self._look_ahead(state, position)

    def hopeless(self, state: int, settled: int, position: int) -> bool:
        """Is there a call that must still observe something, to which this state cannot lead, and
        which returns before anything new can overwrite the state?

        `settled` are the bits of the pending calls that need no more to be linearized. The caller
        has seen that no pending call can overwrite the state.
        """
        for at in range(bisect_left(self._returns, position), len(self._observers)):
            goal = self._observers[at]
            if goal.invoked > position or not settled & goal.bit:
                overwritten = self._overwriting[position] < goal.returned
                return not overwritten and not self._leads_to(state, goal)
        return False

    def _look_ahead(self, state: int, position: int) -> int:
        horizon = self._horizons[position]
        first = bisect_left(self._returns, position)
        for at in range(first, len(self._observers)):
            if self._earliest[at] > horizon:
                break
            op = self._observers[at]
            compared = at - first
            if compared == _READS_COMPARED_MAX or self._leads_to(state, op):
                self._useful_until[state] = op.returned
                return state
        self._lost[state] = (position, horizon)
        return LOST

    def _leads_to(self, state: int, op: Op) -> bool:
        if state == LOST:
            return False
        answer = self._leads.get((state, op.step))
        if answer is None:
            model = cast(Foresees, self._problem.model)
            answer = model.leads_to(self._states[state], self._problem.steps[op.step])
            self._leads[state, op.step] = answer
        return answer

    def _number(self, state: State) -> int:
        number = self._numbers.setdefault(state, len(self._states))
        if number == len(self._states):
            self._states.append(state)
            self._after.append({})
            self._useful_until.append(-1)
            self._lost.append((NEVER, NEVER))
        return number


def _overwriting(problem: Problem) -> tuple[list[int], list[int]]:
    invocation = horizon = NEVER
    invocations, horizons = [], []
    for position in range(len(problem.events) - 1, -1, -1):
        invocations.append(invocation)
        horizons.append(horizon)
        at, returns = problem.events[position]
        op = problem.ops[at]
        if not returns and op.effect is Effect.OVERWRITES:
            invocation, horizon = position, min(horizon, op.returned)
    return invocations[::-1], horizons[::-1]
