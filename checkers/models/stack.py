"""A stack: push an element, pop the one that was pushed last; initially empty.

Rules
1. `push` v answers anything; `pop` answers the element taken, nil where the stack was empty.
2. A pop of unknown outcome may have taken an element that nobody will see again.
"""

from __future__ import annotations

from collections.abc import Iterable

from checkers.history import Call
from checkers.models.model import UNKNOWN, Effect, State, Step
from checkers.models.values import argument, refuse, refuse_operation, result, show


class Stack:
    """State: the elements, the top last."""

    @property
    def name(self) -> str:
        return "stack"

    def read(self, call: Call) -> Step | None:
        if call.f not in ("push", "pop"):
            refuse_operation(call, self.name, ("push", "pop"))
        if call.outcome == "fail":
            return None
        if call.f == "push":
            value = argument(call)
            if value is None:
                refuse(call, "the value of 'push' is nil", "Nil stands for an empty stack.")
            return Step("push", value, None, effect=Effect.TOTAL)
        output = result(call)
        effect = Effect.OBSERVES if output is None else Effect.ANY
        return Step("pop", None, output, effect=effect)

    def init(self) -> State:
        return ()

    def step(self, state: State, step: Step) -> Iterable[State]:
        assert isinstance(state, tuple)
        if step.f == "push":
            return ((*state, step.input),)
        if step.output is None:
            return () if state else (state,)
        if not state or (step.output is not UNKNOWN and step.output != state[-1]):
            return ()
        return (state[:-1],)

    def requires(self, step: Step) -> tuple[State] | tuple[()]:
        return ((),) if step.f == "pop" and step.output is None else ()

    def describe(self, step: Step) -> str:
        if step.f == "push":
            return f"push {show(step.input)}"
        return f"pop -> {'?' if step.output is UNKNOWN else show(step.output)}"

    def describe_state(self, state: State) -> str:
        return f"the stack is {show(state)}, its top last"
