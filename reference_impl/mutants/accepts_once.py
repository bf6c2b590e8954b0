"""Mutant accepts-once: an acceptor accepts one proposal of an instance and sticks to it."""

from __future__ import annotations

from typing import Any

from reference_impl.acceptor import Acceptor
from reference_impl.ballot import Ballot
from reference_impl.messages import Instance
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class Stubborn(Acceptor):
    def accept(self, ballot: Ballot, instance: Instance, value: Any) -> bool:
        earlier = self.accepted.get(instance)
        if earlier is not None and earlier.ballot != ballot:
            return False
        return super().accept(ballot, instance, value)


MUTANT = Mutant(
    name="accepts-once",
    kind="liveness",
    area="liveness",
    law="T14: acceptors accept more than one proposal, or a split vote chooses nothing, ever",
    story=(
        "A and B accept v under ballot 1, C and D accept w under ballot 2, and E is down. Neither "
        "is a majority. Whoever comes next proposes w under ballot 3, which is right, and all of "
        "them refuse it, for they have accepted a proposal."
    ),
    caught_by=("termination", "p1"),
    workload="consensus",
    rules=Rules(acceptor=Stubborn),
)
