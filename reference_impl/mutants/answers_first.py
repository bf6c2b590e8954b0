"""Mutant answers-first: a node sends its answers and then writes down what they rest on."""

from __future__ import annotations

from collections.abc import Sequence

from harness.machine import Effect, Event, Machine, Persist, Truncate
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class WritesAfterwards:
    """A machine around a machine. It writes within the same event, so a kill hardly ever comes in
    between; a power failure does, for it takes what the disk has not finished."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def handle(self, event: Event, now: float) -> Sequence[Effect]:
        effects = self._machine.handle(event, now)
        return sorted(effects, key=lambda effect: isinstance(effect, Persist | Truncate))


MUTANT = Mutant(
    name="answers-first",
    area="storage",
    law="T23: an acceptor writes, waits until that is durable, and only then answers",
    story=(
        "A, B and C accept v. C's answer is on its way while its disk still writes; A counts it "
        "and tells the client. Power fails at C, and the vote is gone: C, D and E choose w."
    ),
    caught_by=(
        *("accepted-kept", "promise-kept", "ballot-unique"),
        *("p2b", "chosen-once", "linearizable"),
    ),
    workload="consensus",
    rules=Rules(wrap=WritesAfterwards),
)
