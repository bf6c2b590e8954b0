"""Mutant clears-log-at-start: a node that has read its log begins a new, empty one."""

from __future__ import annotations

from collections.abc import Sequence

from harness.machine import Effect, Event, Machine, Recover, Truncate
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class StartsAFreshLog:
    """A machine around a machine. One restart goes well: memory holds what the disk has lost."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def handle(self, event: Event, now: float) -> Sequence[Effect]:
        effects = self._machine.handle(event, now)
        return [Truncate(()), *effects] if isinstance(event, Recover) else effects


MUTANT = Mutant(
    name="clears-log-at-start",
    area="storage",
    law="T23: what was promised and accepted stays in permanent storage for all lives to come",
    story=(
        "A, B and C choose v. C restarts once and still knows; it restarts again and knows nothing "
        "of what it did in its first life. C, D and E choose w."
    ),
    caught_by=("accepted-kept", "p2b", "chosen-once", "linearizable"),
    workload="consensus",
    rules=Rules(wrap=StartsAFreshLog),
)
