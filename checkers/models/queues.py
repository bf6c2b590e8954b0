"""Queues: first-in-first-out, and one that hands out its elements in whatever order.

Rules
1. `enqueue` v answers anything; `dequeue` answers the element taken, nil where the queue was empty.
2. A dequeue of unknown outcome may have taken an element that nobody will see again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from checkers.history import Call
from checkers.models.model import UNKNOWN, Effect, State, Step
from checkers.models.values import argument, refuse, refuse_operation, result, show


class FifoQueue:
    """State: the elements, oldest first."""

    @property
    def name(self) -> str:
        return "fifo-queue"

    def read(self, call: Call) -> Step | None:
        return _read(call, self.name)

    def init(self) -> State:
        return ()

    def step(self, state: State, step: Step) -> Iterable[State]:
        assert isinstance(state, tuple)
        if step.f == "enqueue":
            return ((*state, step.input),)
        if step.output is None:
            return () if state else (state,)
        if not state or (step.output is not UNKNOWN and step.output != state[0]):
            return ()
        return (state[1:],)

    def requires(self, step: Step) -> tuple[State] | tuple[()]:
        return ((),) if step.f == "dequeue" and step.output is None else ()

    def describe(self, step: Step) -> str:
        return _describe(step)

    def describe_state(self, state: State) -> str:
        return f"the queue is {show(state)}"


class UnorderedQueue:
    """State: a set of (element, how many of it)."""

    @property
    def name(self) -> str:
        return "unordered-queue"

    def read(self, call: Call) -> Step | None:
        return _read(call, self.name)

    def init(self) -> State:
        return frozenset()

    def step(self, state: State, step: Step) -> Iterable[State]:
        assert isinstance(state, frozenset)
        if step.f == "enqueue":
            return (_changed(state, step.input, +1),)
        if step.output is None:
            return () if state else (state,)
        if step.output is UNKNOWN:
            return tuple(_changed(state, element, -1) for element, _ in state)
        held = any(element == step.output for element, _ in state)
        return (_changed(state, step.output, -1),) if held else ()

    def requires(self, step: Step) -> tuple[State] | tuple[()]:
        return (frozenset(),) if step.f == "dequeue" and step.output is None else ()

    def describe(self, step: Step) -> str:
        return _describe(step)

    def describe_state(self, state: State) -> str:
        assert isinstance(state, frozenset)
        elements = sorted(show(element) for element, count in state for _ in range(count))
        return f"the queue holds {{{', '.join(elements)}}}"


def _changed(state: frozenset[Any], element: Any, by: int) -> frozenset[Any]:
    counts = dict(state)
    counts[element] = counts.get(element, 0) + by
    return frozenset((e, n) for e, n in counts.items() if n)


def _read(call: Call, model: str) -> Step | None:
    if call.f not in ("enqueue", "dequeue"):
        refuse_operation(call, model, ("enqueue", "dequeue"))
    if call.outcome == "fail":
        return None
    if call.f == "enqueue":
        value = argument(call)
        if value is None:
            refuse(call, "the value of 'enqueue' is nil", "Nil stands for an empty queue.")
        return Step("enqueue", value, None, effect=Effect.TOTAL)
    output = result(call)
    effect = Effect.OBSERVES if output is None else Effect.ANY
    return Step("dequeue", None, output, effect=effect)


def _describe(step: Step) -> str:
    if step.f == "enqueue":
        return f"enqueue {show(step.input)}"
    return f"dequeue -> {'?' if step.output is UNKNOWN else show(step.output)}"
