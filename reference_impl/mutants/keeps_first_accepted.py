"""Mutant keeps-first-accepted: an acceptor goes on reporting what it accepted first."""

from __future__ import annotations

from typing import Any

from reference_impl.acceptor import Acceptor
from reference_impl.ballot import Ballot
from reference_impl.messages import Instance
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class KeepsFirst(Acceptor):
    """It votes for later proposals, and remembers the first."""

    def accept(self, ballot: Ballot, instance: Instance, value: Any) -> bool:
        first = self.accepted.get(instance)
        granted = super().accept(ballot, instance, value)
        if first is not None:
            self.accepted[instance] = first
        return granted


MUTANT = Mutant(
    name="keeps-first-accepted",
    area="acceptors",
    law="T20: a promise reports the highest-numbered proposal accepted, which is not the first",
    story=(
        "A and B accept v under ballot 1: no majority. C prepares ballot 2 with D and E, and B, C "
        "and D choose w. E prepares ballot 3 with A and B; B, which voted for w, still reports v, "
        "and A, B and E choose v."
    ),
    caught_by=("accepted-kept", "p2b", "chosen-once", "linearizable"),
    workload="consensus",
    rules=Rules(acceptor=KeepsFirst),
)
