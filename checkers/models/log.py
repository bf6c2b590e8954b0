"""A log: append one element, read the whole list.

Elements should be unique in a workload: then a read tells the order of all appends before it, and
a history is judged in time that grows with its length only.
"""

from __future__ import annotations

from collections.abc import Iterable

from checkers.history import Call
from checkers.models.model import UNKNOWN, Effect, State, Step
from checkers.models.values import argument, refuse_operation, refuse_result, result, show


class Log:
    """What an append answers is not looked at."""

    @property
    def name(self) -> str:
        return "log"

    def read(self, call: Call) -> Step | None:
        if call.f == "read":
            output = result(call)
            if output is UNKNOWN:
                return None
            if type(output) is not tuple:
                refuse_result(call, "Expected the list of all elements, [] for none")
            return Step("read", None, output, effect=Effect.OBSERVES)
        if call.f != "append":
            refuse_operation(call, self.name, ("append", "read"))
        if call.outcome == "fail":
            return None
        return Step("append", argument(call), None, effect=Effect.TOTAL)

    def init(self) -> State:
        return ()

    def step(self, state: State, step: Step) -> Iterable[State]:
        assert isinstance(state, tuple)
        if step.f == "append":
            return ((*state, step.input),)
        return (state,) if state == step.output else ()

    def leads_to(self, state: State, step: Step) -> bool:
        assert isinstance(state, tuple)
        return bool(step.output[: len(state)] == state)

    def requires(self, step: Step) -> tuple[State] | tuple[()]:
        return (step.output,) if step.f == "read" else ()

    def describe(self, step: Step) -> str:
        return (
            f"append {show(step.input)}" if step.f == "append" else f"read -> {show(step.output)}"
        )

    def describe_state(self, state: State) -> str:
        return f"the list is {show(state)}"
