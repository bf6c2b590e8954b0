"""Mutant first-report: of the proposals reported, the first one to arrive binds the proposer."""

from __future__ import annotations

from collections.abc import Sequence

from reference_impl.messages import Proposal
from reference_impl.mutants.mutant import Mutant
from reference_impl.proposer import Proposer
from reference_impl.rules import Rules


class TakesFirst(Proposer):
    def bound_by(self, reported: Sequence[Proposal]) -> Proposal:
        return reported[0]


MUTANT = Mutant(
    name="first-report",
    area="proposers",
    law="T21: of the proposals reported, the one with the highest number decides the value",
    story=(
        "A accepts v under ballot 1 and nobody else does; B, C and D choose w under ballot 2. E "
        "prepares ballot 3: A's promise, which reports v, is the first to arrive, B's reports w. "
        "E takes what it heard first, and A, B and E choose v over w."
    ),
    caught_by=("p2c", "p2b", "chosen-once", "linearizable"),
    workload="consensus",
    rules=Rules(proposer=TakesFirst),
)
