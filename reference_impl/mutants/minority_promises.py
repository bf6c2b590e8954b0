"""Mutant minority-promises: phase 2 begins one promise too early."""

from __future__ import annotations

from reference_impl.ballot import Ballot
from reference_impl.mutants.mutant import Mutant
from reference_impl.proposer import Proposer
from reference_impl.quorum import Tally
from reference_impl.rules import Rules


class Hasty(Proposer):
    """Its accept requests still need a majority, which it takes for safe enough."""

    def __init__(self, ballot: Ballot, promises: Tally) -> None:
        super().__init__(ballot, Tally(promises.quorum - 1))


MUTANT = Mutant(
    name="minority-promises",
    area="proposers",
    law="T19: phase 2 begins when a majority has promised, and not before",
    story=(
        "A, B and C choose v. D and E, who took no part, are two of five: their promises report "
        "nothing, and E proposes w. C accepts it, for ballot 2 is above all that it has promised, "
        "and so w is chosen by C, D and E."
    ),
    caught_by=("p2c", "p2b", "chosen-once", "linearizable"),
    workload="consensus",
    rules=Rules(proposer=Hasty),
)
