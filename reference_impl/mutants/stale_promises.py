"""Mutant stale-promises: promises for a node's earlier ballot count for its new one."""

from __future__ import annotations

from reference_impl.ballot import Ballot
from reference_impl.mutants.mutant import Mutant
from reference_impl.proposer import Proposer
from reference_impl.rules import Rules


class CountsOldPromises(Proposer):
    def asked(self, ballot: Ballot) -> bool:
        return ballot.node == self.ballot.node


MUTANT = Mutant(
    name="stale-promises",
    area="proposers",
    law="T18: a promise binds for the ballot that it names, and tells of the past until then",
    story=(
        "A prepares ballot 1; the promises of B and C, which report nothing, are held up. E "
        "prepares ballot 2 with B and C and has w chosen. A gives up on ballot 1 and prepares 3; "
        "now the old promises arrive and are counted. A thinks itself free, proposes v under 3, "
        "and A, B and C choose it."
    ),
    caught_by=("p2c", "p2b", "chosen-once", "linearizable"),
    workload="consensus",
    rules=Rules(proposer=CountsOldPromises),
)
