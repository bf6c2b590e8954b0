"""A grow-only set: add an element, read all elements in whatever order."""

from __future__ import annotations

from collections.abc import Iterable

from checkers.history import Call
from checkers.models.model import UNKNOWN, Effect, State, Step
from checkers.models.values import argument, refuse_operation, refuse_result, result, show


class GrowSet:
    """An element that a read lists twice counts once."""

    @property
    def name(self) -> str:
        return "set"

    def read(self, call: Call) -> Step | None:
        if call.f == "read":
            output = result(call)
            if output is UNKNOWN:
                return None
            if type(output) is not tuple and not isinstance(output, frozenset):
                refuse_result(call, "Expected the list of all elements, [] for none")
            return Step("read", None, frozenset(output), effect=Effect.OBSERVES)
        if call.f != "add":
            refuse_operation(call, self.name, ("add", "read"))
        if call.outcome == "fail":
            return None
        return Step("add", argument(call), None, effect=Effect.TOTAL)

    def init(self) -> State:
        return frozenset()

    def step(self, state: State, step: Step) -> Iterable[State]:
        assert isinstance(state, frozenset)
        if step.f == "add":
            return (state | {step.input},)
        return (state,) if state == step.output else ()

    def leads_to(self, state: State, step: Step) -> bool:
        assert isinstance(state, frozenset)
        return state.issubset(step.output)

    def describe(self, step: Step) -> str:
        return f"add {show(step.input)}" if step.f == "add" else f"read -> {_show(step.output)}"

    def describe_state(self, state: State) -> str:
        assert isinstance(state, frozenset)
        return f"the set is {_show(state)}"


def _show(elements: frozenset[object]) -> str:
    return "{" + ", ".join(sorted(show(e) for e in elements)) + "}"
