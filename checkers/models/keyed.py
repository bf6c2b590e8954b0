"""One key of a string store: get, put, append; initially the empty string.

Sources: the store of MIT's distributed systems course, whose recorded histories are widely used.
"""

from __future__ import annotations

from collections.abc import Iterable

from checkers.history import Call
from checkers.models.model import UNKNOWN, Effect, State, Step
from checkers.models.values import (
    argument,
    refuse,
    refuse_operation,
    refuse_result,
    result,
    show,
)


class KeyedString:
    """`get` answers the whole string, `put` replaces it, `append` adds to its end."""

    @property
    def name(self) -> str:
        return "kv"

    def read(self, call: Call) -> Step | None:
        if call.f == "get":
            output = result(call)
            if output is UNKNOWN:
                return None
            if not isinstance(output, str):
                refuse_result(call, "Expected a string, empty for a key that was never put")
            return Step("get", None, output, effect=Effect.OBSERVES)
        if call.f not in ("put", "append"):
            refuse_operation(call, self.name, ("get", "put", "append"))
        if call.outcome == "fail":
            return None
        value = argument(call)
        if not isinstance(value, str):
            refuse(call, f"the value of {call.f!r} is {call.input!r}", "Expected a string.")
        effect = Effect.OVERWRITES if call.f == "put" else Effect.TOTAL
        return Step(call.f, value, None, effect=effect)

    def init(self) -> State:
        return ""

    def step(self, state: State, step: Step) -> Iterable[State]:
        assert isinstance(state, str)
        if step.f == "get":
            return (state,) if state == step.output else ()
        return (step.input,) if step.f == "put" else (state + step.input,)

    def leads_to(self, state: State, step: Step) -> bool:
        assert isinstance(state, str)
        return bool(step.output.startswith(state))  # without a put the string only grows

    def requires(self, step: Step) -> tuple[State] | tuple[()]:
        return (step.output,) if step.f == "get" else ()

    def describe(self, step: Step) -> str:
        return f"get -> {show(step.output)}" if step.f == "get" else f"{step.f} {show(step.input)}"

    def describe_state(self, state: State) -> str:
        return f"the value is {show(state)}"
