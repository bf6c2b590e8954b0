"""Mutant most-frequent-report: the value that most acceptors report binds the proposer."""

from __future__ import annotations

from collections.abc import Sequence

from reference_impl.messages import Proposal
from reference_impl.mutants.mutant import Mutant
from reference_impl.proposer import Proposer
from reference_impl.rules import Rules


class TakesMostFrequent(Proposer):
    """Counts heads, as if the reports were votes; among equals the highest ballot wins."""

    def bound_by(self, reported: Sequence[Proposal]) -> Proposal:
        values = [proposal.value for proposal in reported]
        return max(reported, key=lambda proposal: (values.count(proposal.value), proposal.ballot))


MUTANT = Mutant(
    name="most-frequent-report",
    area="proposers",
    law="T17: the value is that of the highest-numbered proposal in a majority, not the commonest",
    story=(
        "A and B accept v under ballot 1, which is no majority; C, D and E choose w under ballot "
        "2. B prepares ballot 3 and hears v from itself and from A, w from C: two against one. It "
        "proposes v, and A, B and C choose it."
    ),
    caught_by=("p2c", "p2b", "chosen-once", "linearizable"),
    workload="consensus",
    rules=Rules(proposer=TakesMostFrequent),
)
