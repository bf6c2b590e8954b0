"""Mutant refuses-unpromised: an acceptor accepts only what it has promised to accept."""

from __future__ import annotations

from reference_impl.acceptor import Acceptor
from reference_impl.ballot import Ballot
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class WantsToBeAsked(Acceptor):
    def may_accept(self, ballot: Ballot) -> bool:
        return ballot == self.promised


MUTANT = Mutant(
    name="refuses-unpromised",
    kind="liveness",
    area="acceptors",
    law="T12, P1: an acceptor accepts the first proposal that it receives",
    story=(
        "A prepares ballot 1 with B and C, which then are cut off. D and E receive its accept "
        "requests, the first that they have ever seen, and refuse them, for they were not asked "
        "before. Three acceptors of five are in reach, nobody else proposes, and v is not chosen."
    ),
    caught_by=("p1",),
    workload="consensus",
    rules=Rules(acceptor=WantsToBeAsked),
)
