"""Mutant lowest-report: of the proposals reported, the lowest-numbered one binds the proposer."""

from __future__ import annotations

from collections.abc import Sequence

from reference_impl.messages import Proposal
from reference_impl.mutants.mutant import Mutant
from reference_impl.proposer import Proposer
from reference_impl.rules import Rules


class TakesLowest(Proposer):
    def bound_by(self, reported: Sequence[Proposal]) -> Proposal:
        return min(reported, key=lambda proposal: proposal.ballot)


MUTANT = Mutant(
    name="lowest-report",
    area="proposers",
    law="T21: of the proposals reported, the one with the highest number decides the value",
    story=(
        "Acceptor A accepted v under ballot 1, and nobody else did; B, C and D then chose w under "
        "ballot 2. A third proposer hears of both, takes v, and has it chosen over w."
    ),
    caught_by=("p2c", "p2b", "chosen-once", "linearizable"),
    workload="consensus",
    rules=Rules(proposer=TakesLowest),
)
