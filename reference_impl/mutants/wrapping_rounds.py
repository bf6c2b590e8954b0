"""Mutant wrapping-rounds: rounds are kept in three bits, and after 7 comes 1 again."""

from __future__ import annotations

from reference_impl.ballot import Ballot, Ballots
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules

LAST = 7


class ThreeBits(Ballots):
    def next(self) -> Ballot:
        if self.round >= LAST:
            self.round = 0
        return super().next()


MUTANT = Mutant(
    name="wrapping-rounds",
    area="ballots",
    law="T15: a number is never used twice, however many were used before",
    story=(
        "A proposes v under 1.A, which reaches B alone. Cut off from the rest it tries round after "
        "round, up to 7, and restarts. Asked to propose w it goes on with 1.A, for which C, D and "
        "E report nothing; they accept w under the number that stood for v."
    ),
    caught_by=("ballot-unique",),
    workload="consensus",
    rules=Rules(ballots=ThreeBits),
)
