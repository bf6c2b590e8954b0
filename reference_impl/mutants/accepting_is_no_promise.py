"""Mutant accepting-is-no-promise: what an acceptor accepts does not raise its promise."""

from __future__ import annotations

from typing import Any

from reference_impl.acceptor import Acceptor
from reference_impl.ballot import Ballot
from reference_impl.messages import Instance, Proposal
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class PromisesOnlyWhenAsked(Acceptor):
    """So a lower proposal may take the place of a higher one that it has accepted."""

    def accept(self, ballot: Ballot, instance: Instance, value: Any) -> bool:
        if not self.may_accept(ballot):
            return False
        self.accepted[instance] = Proposal(ballot, value)
        return True


MUTANT = Mutant(
    name="accepting-is-no-promise",
    area="acceptors",
    law="T20: an acceptor's highest accepted proposal is never displaced by a lower one",
    story=(
        "A prepares ballot 1 with B and C, E prepares ballot 2 with C and D. E's w reaches A and "
        "B, which were not asked to promise 2 but accept it: chosen by A, B and E. Then A's accept "
        "request under 1 comes late to B, which has promised no more than 1, and overwrites w with "
        "v. D hears of v only, from B, and has v chosen by B, C and D."
    ),
    caught_by=("accepted-kept", "p2b", "chosen-once", "linearizable"),
    workload="consensus",
    rules=Rules(acceptor=PromisesOnlyWhenAsked),
)
