"""A consensus object: the first proposal to take effect is chosen, for ever.

Rules
1. `propose` v answers the chosen value, whoever proposed it.
2. `read` answers the chosen value, or nil where the node asked has learnt none. Nil is legal at any
   time: learning is not agreement, and a slow learner breaks nothing.

Sources: Lamport 2001 (only a proposed value is chosen, and only one); Herlihy 1991 (the object).
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


class Consensus:
    """State: None while nothing is chosen, then the value; nil itself cannot be proposed."""

    @property
    def name(self) -> str:
        return "consensus"

    def read(self, call: Call) -> Step | None:
        output = result(call)
        if call.f == "read":
            if output is UNKNOWN or output is None:
                return None
            return Step("read", None, output, effect=Effect.OBSERVES)
        if call.f != "propose":
            refuse_operation(call, self.name, ("propose", "read"))
        value = argument(call)
        if value is None:
            refuse(call, "the value of 'propose' is nil", "Propose something other than nil.")
        if call.outcome == "fail":
            return None
        if output is None:
            refuse_result(call, "Expected the chosen value; a node that knows none does not say ok")
        if output is UNKNOWN:
            return Step("propose", value, output, effect=Effect.TOTAL)
        # Told another value than its own, a proposer has only observed what was chosen before.
        effect = Effect.ANY if output == value else Effect.OBSERVES
        return Step("propose", value, output, effect=effect)

    def init(self) -> State:
        return None

    def step(self, state: State, step: Step) -> Iterable[State]:
        chosen = step.input if state is None and step.f == "propose" else state
        return (chosen,) if step.output is UNKNOWN or step.output == chosen else ()

    def requires(self, step: Step) -> tuple[State] | tuple[()]:
        return (step.output,) if step.effect is Effect.OBSERVES else ()

    def describe(self, step: Step) -> str:
        if step.f == "read":
            return f"read -> {show(step.output)}"
        told = "?" if step.output is UNKNOWN else show(step.output)
        return f"propose {show(step.input)} -> {told}"

    def describe_state(self, state: State) -> str:
        return "nothing is chosen" if state is None else f"{show(state)} is chosen"
