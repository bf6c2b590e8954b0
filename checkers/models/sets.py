"""A set: add or remove an element, ask for one, read all in whatever order; initially empty.

Rules
1. What `add` and `remove` answer is not looked at: some systems say whether anything changed, some
   repeat the element. `contains` answers true or false.
2. A removal promises nothing (ANY), so that a history without any keeps what is known of a set that
   only grows: no read can come that lacks an element which is in it.
"""

from __future__ import annotations

from collections.abc import Iterable

from checkers.history import FALSE, TRUE, Call
from checkers.models.model import UNKNOWN, Effect, State, Step
from checkers.models.values import argument, refuse_operation, refuse_result, result, show


class Set:
    """An element that a read lists twice counts once."""

    @property
    def name(self) -> str:
        return "set"

    def read(self, call: Call) -> Step | None:
        if call.f not in ("add", "remove", "contains", "read"):
            refuse_operation(call, self.name, ("add", "remove", "contains", "read"))
        if call.f in ("add", "remove"):
            if call.outcome == "fail":
                return None
            effect = Effect.TOTAL if call.f == "add" else Effect.ANY
            return Step(call.f, argument(call), None, effect=effect)
        output = result(call)
        if output is UNKNOWN:
            return None
        if call.f == "contains":
            if output not in (TRUE, FALSE):
                refuse_result(call, "Expected true or false")
            return Step("contains", argument(call), output == TRUE, effect=Effect.OBSERVES)
        if type(output) is not tuple and not isinstance(output, frozenset):
            refuse_result(call, "Expected the list of all elements, [] for none")
        return Step("read", None, frozenset(output), effect=Effect.OBSERVES)

    def init(self) -> State:
        return frozenset()

    def step(self, state: State, step: Step) -> Iterable[State]:
        assert isinstance(state, frozenset)
        if step.f == "add":
            return (state | {step.input},)
        if step.f == "remove":
            return (state - {step.input},)
        if step.f == "contains":
            return (state,) if step.output == (step.input in state) else ()
        return (state,) if state == step.output else ()

    def leads_to(self, state: State, step: Step) -> bool:
        assert isinstance(state, frozenset)  # without a removal the set only grows
        if step.f == "contains":
            return step.output or step.input not in state
        return state.issubset(step.output)

    def requires(self, step: Step) -> tuple[State] | tuple[()]:
        return (step.output,) if step.f == "read" else ()

    def describe(self, step: Step) -> str:
        if step.f == "read":
            return f"read -> {_show(step.output)}"
        answer = f" -> {str(step.output).lower()}" if step.f == "contains" else ""
        return f"{step.f} {show(step.input)}{answer}"

    def describe_state(self, state: State) -> str:
        assert isinstance(state, frozenset)
        return f"the set is {_show(state)}"


def _show(elements: frozenset[object]) -> str:
    return "{" + ", ".join(sorted(show(e) for e in elements)) + "}"
