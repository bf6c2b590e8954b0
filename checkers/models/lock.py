"""A lock: acquire where it is free, release where the same process holds it.

A process that ends in `info` is retired, so a lock that it may hold is never released: a history
in which another process acquires it later needs that the unknown acquire did not happen.
"""

from __future__ import annotations

from collections.abc import Iterable

from checkers.history import Call
from checkers.models.model import State, Step
from checkers.models.values import refuse_operation


class Lock:
    """State: the process that holds it, None if it is free. The input of a step is its process."""

    @property
    def name(self) -> str:
        return "lock"

    def read(self, call: Call) -> Step | None:
        if call.f not in ("acquire", "release"):
            refuse_operation(call, self.name, ("acquire", "release"))
        return None if call.outcome == "fail" else Step(call.f, call.invoke.process, None)

    def init(self) -> State:
        return None

    def step(self, state: State, step: Step) -> Iterable[State]:
        if step.f == "acquire":
            return (step.input,) if state is None else ()
        return (None,) if state == step.input else ()

    def requires(self, step: Step) -> tuple[State] | tuple[()]:
        return (None,) if step.f == "acquire" else (step.input,)

    def describe(self, step: Step) -> str:
        return f"{step.f} by process {step.input}"

    def describe_state(self, state: State) -> str:
        return "the lock is free" if state is None else f"process {state} holds the lock"
