"""Mutant first-promise-only: a node writes down that it promised, but not that it promised more."""

from __future__ import annotations

from collections.abc import Sequence

from harness.machine import Effect, Event, Machine, Persist
from reference_impl import records
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class WritesOnePromise:
    """A machine around a machine: of each instance the first promise of a life reaches the disk."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._written: set[str | None] = set()

    def handle(self, event: Event, now: float) -> Sequence[Effect]:
        return [e for e in self._machine.handle(event, now) if not self._superfluous(e)]

    def _superfluous(self, effect: Effect) -> bool:
        if not (isinstance(effect, Persist) and isinstance(effect.record, records.Promised)):
            return False
        instance = effect.record.instance
        known = instance in self._written
        self._written.add(instance)
        return known


MUTANT = Mutant(
    name="first-promise-only",
    area="storage",
    law="T23: the highest promise is in permanent storage, not some promise",
    story=(
        "C promises ballot 1 to A and writes that down, then ballot 2 to E and does not. It "
        "restarts, and A's accept request under 1 comes in: A, B and C choose v. E, whom C and D "
        "told of nothing, has w chosen under 2."
    ),
    caught_by=("promise-kept", "p2b", "chosen-once", "linearizable"),
    workload="consensus",
    rules=Rules(wrap=WritesOnePromise),
)
