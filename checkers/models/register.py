"""A register: read, write and, if it offers it, compare-and-set.

Rules
1. `write` v answers anything; `read` answers the value; `cas` [expected, new] sets `new` where the
   value is `expected` and is otherwise refused.
2. A `fail` of a cas is evidence (the value was not `expected`) only if the system says so with the
   error code `compare-failed`. By the convention of Jepsen every other fail says that nothing
   happened and nothing about the state.
3. A cas of unknown outcome counts where it would have set: elsewhere it changed nothing, and an
   operation that may be left out need not be tried there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from checkers.history import COMPARE_FAILED, Call, freeze
from checkers.models.model import UNKNOWN, Effect, State, Step
from checkers.models.values import (
    argument,
    error_code,
    refuse,
    refuse_operation,
    result,
    show,
)


class Register:
    """`initial` is the value before the first write, by default None. With `compare_and_set` it is
    the model `cas-register`."""

    def __init__(self, initial: Any = None, *, compare_and_set: bool = False) -> None:
        self._given = initial
        self._initial: State = freeze(initial)
        self._compare_and_set = compare_and_set

    @property
    def name(self) -> str:
        return "cas-register" if self._compare_and_set else "register"

    @property
    def options(self) -> dict[str, Any]:
        return {"initial": self._given}

    def read(self, call: Call) -> Step | None:
        known = ("read", "write", "cas") if self._compare_and_set else ("read", "write")
        if call.f not in known:
            hint = " For cas it is cas-register." if call.f == "cas" else ""
            refuse_operation(call, self.name, known, hint)
        if call.f == "cas":
            return _read_cas(call)
        if call.f == "write":
            if call.outcome == "fail":
                return None
            return Step("write", argument(call), None, effect=Effect.OVERWRITES)
        output = result(call)
        if output is UNKNOWN:
            return None
        return Step("read", None, output, effect=Effect.OBSERVES)

    def init(self) -> State:
        return self._initial

    def step(self, state: State, step: Step) -> Iterable[State]:
        if step.f == "read":
            return (state,) if state == step.output else ()
        if step.f == "write":
            return (step.input,)
        expected, new = step.input
        matches = state == expected
        if step.failed:
            return () if matches else (state,)
        return (new,) if matches else ()

    def leads_to(self, state: State, step: Step) -> bool:
        return bool(self.step(state, step))  # nothing total but a write changes the value

    def requires(self, step: Step) -> tuple[State] | tuple[()]:
        if step.f == "read":
            return (step.output,)
        return (step.input[0],) if step.f == "cas" and not step.failed else ()

    def describe(self, step: Step) -> str:
        if step.f == "read":
            return f"read -> {show(step.output)}"
        if step.f == "write":
            return f"write {show(step.input)}"
        expected, new = step.input
        refused = " (refused)" if step.failed else ""
        return f"cas {show(expected)} to {show(new)}{refused}"

    def describe_state(self, state: State) -> str:
        return f"the value is {show(state)}"


def _read_cas(call: Call) -> Step | None:
    pair = argument(call)
    if type(pair) is not tuple or len(pair) != 2:
        refuse(
            call,
            f"the value of 'cas' is {call.input!r}",
            "Expected a pair [expected, new]; record both in the invocation.",
        )
    if call.outcome == "fail":
        if error_code(call) != COMPARE_FAILED:
            return None
        return Step("cas", pair, None, failed=True, effect=Effect.OBSERVES)
    return Step("cas", pair, None)
