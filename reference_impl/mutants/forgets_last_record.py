"""Mutant forgets-last-record: recovery takes the last record of the log for a torn write."""

from __future__ import annotations

from collections.abc import Sequence

from harness.machine import Effect, Event, Machine, Recover
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class CutsTheLast:
    """A machine around a machine, which is given one record less than there are."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def handle(self, event: Event, now: float) -> Sequence[Effect]:
        if isinstance(event, Recover):
            event = Recover(event.stored[:-1])
        return self._machine.handle(event, now)


MUTANT = Mutant(
    name="forgets-last-record",
    area="recovery",
    law="T23: what was on disk when the answer left is there after a restart, to the last record",
    story=(
        "A, B and C choose v; the last that C wrote was its vote. C is killed and starts again "
        "without it: with D and E it is a majority that has accepted nothing, and they choose w."
    ),
    caught_by=("accepted-kept", "promise-kept", "p2b", "chosen-once", "linearizable"),
    workload="consensus",
    rules=Rules(wrap=CutsTheLast),
)
