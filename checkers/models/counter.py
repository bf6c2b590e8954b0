"""A counter: add an integer, read the sum; initially 0."""

from __future__ import annotations

from collections.abc import Iterable

from checkers.history import Call
from checkers.models.model import UNKNOWN, Effect, State, Step
from checkers.models.values import (
    argument,
    integer,
    refuse,
    refuse_operation,
    refuse_result,
    result,
)


class Counter:
    """What an add answers is not looked at."""

    @property
    def name(self) -> str:
        return "counter"

    def read(self, call: Call) -> Step | None:
        if call.f == "read":
            output = result(call)
            if output is UNKNOWN:
                return None
            count = integer(output)
            if count is None:
                refuse_result(call, "Expected an integer")
            return Step("read", None, count, effect=Effect.OBSERVES)
        if call.f != "add":
            refuse_operation(call, self.name, ("add", "read"))
        value = integer(argument(call))
        if value is None:
            refuse(call, f"the value of 'add' is {call.input!r}", "Expected an integer.")
        return None if call.outcome == "fail" else Step("add", value, None, effect=Effect.TOTAL)

    def init(self) -> State:
        return 0

    def step(self, state: State, step: Step) -> Iterable[State]:
        assert isinstance(state, int)
        if step.f == "add":
            return (state + step.input,)
        return (state,) if state == step.output else ()

    def requires(self, step: Step) -> tuple[State] | tuple[()]:
        return (step.output,) if step.f == "read" else ()

    def describe(self, step: Step) -> str:
        return f"add {step.input}" if step.f == "add" else f"read -> {step.output}"

    def describe_state(self, state: State) -> str:
        return f"the count is {state}"
