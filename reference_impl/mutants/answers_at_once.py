"""Mutant answers-at-once: a node acknowledges a write as soon as it has been asked for it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.machine import ClientRequest, Effect, Event, Machine, Reply
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class Hopeful:
    """A machine around a machine: it answers first, and drops the answer that comes later."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._answered: set[int] = set()

    def handle(self, event: Event, now: float) -> Sequence[Effect]:
        effects: list[Effect] = []
        if isinstance(event, ClientRequest) and event.request.get("f") in ("put", "append"):
            self._answered.add(event.id)
            effects.append(Reply(event.id, {"ok": None}))
        handled = self._machine.handle(event, now)
        effects += [e for e in handled if not (isinstance(e, Reply) and e.id in self._answered)]
        return effects


MUTANT = Mutant(
    name="answers-at-once",
    area="acknowledgement",
    law="T2: a value is nobody's answer before it was chosen",
    story=(
        "A node that is cut off takes a write and answers it. The write waits for a leader that "
        "does not come, and is forgotten; or it is chosen later, after a read that did not see "
        "it."
    ),
    caught_by=("linearizable",),
    workload="register",
    rules=Rules(wrap=Hopeful),
)
