"""Mutant shared-ballots: ballots are rounds without the name of their node."""

from __future__ import annotations

from reference_impl.ballot import Ballot, Ballots
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class Nameless(Ballots):
    def next(self) -> Ballot:
        return Ballot(super().next().round, "")


MUTANT = Mutant(
    name="shared-ballots",
    area="ballots",
    law="T15: two proposers never use the same number",
    story=(
        "Two proposers prepare round 7 at the same time. Acceptors take the second request for a "
        "repetition of the first and promise both; each proposer sends its own value, and votes "
        "for two values are counted as votes for one."
    ),
    caught_by=("ballot-unique", "chosen-once"),
    workload="consensus",
    rules=Rules(ballots=Nameless),
)
