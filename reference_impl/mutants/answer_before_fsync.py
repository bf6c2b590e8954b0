"""Mutant answer-before-fsync: answers leave at once, and what they rest on is written later.

SIGKILL spares what the operating system has been given, so leaving out the fsync alone would show
only when power fails. This one keeps its records in its own memory until a timer writes them, as
the page cache would.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.machine import Effect, Event, Machine, Persist, SetTimer, Timeout, Truncate
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules

WRITE_BACK_S = 5.0
TIMER = "write-back"


class WritesLater:
    """A machine around a machine: records wait, everything else overtakes them."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._unwritten: list[Effect] = []

    def handle(self, event: Event, now: float) -> Sequence[Effect]:
        if event == Timeout(TIMER):
            written, self._unwritten = self._unwritten, []
            return written
        effects: list[Effect] = []
        for effect in self._machine.handle(event, now):
            if isinstance(effect, Persist | Truncate):
                if not self._unwritten:
                    effects.append(SetTimer(TIMER, WRITE_BACK_S))
                self._unwritten.append(effect)
            else:
                effects.append(effect)
        return effects


MUTANT = Mutant(
    name="answer-before-fsync",
    area="storage",
    law="T23: what an acceptor answers is in permanent storage before the answer leaves",
    story=(
        "A, B and C accept a value and say so; it is chosen and the client is told. A and B are "
        "killed before they have written it, restart, and know neither value nor promise."
    ),
    caught_by=("accepted-kept", "promise-kept", "ballot-unique", "linearizable"),
    workload="register",
    rules=Rules(wrap=WritesLater),
)
