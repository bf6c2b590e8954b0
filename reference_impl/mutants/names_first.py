"""Mutant names-first: acceptors compare ballots by name, then by round; proposers do not."""

from __future__ import annotations

from reference_impl.acceptor import Acceptor
from reference_impl.ballot import Ballot
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class OrdersByName(Acceptor):
    def may_promise(self, ballot: Ballot) -> bool:
        return ballot[::-1] >= self.promised[::-1]

    def may_accept(self, ballot: Ballot) -> bool:
        return ballot[::-1] >= self.promised[::-1]


MUTANT = Mutant(
    name="names-first",
    area="ballots",
    law="T15: ballots have one total order, the same for everybody",
    story=(
        "A prepares 2.A with B and C and is the only one to accept v under it. E prepares 1.E, "
        "which B and C hold to be the higher one: B, C and E choose w. E restarts and prepares "
        "2.E; it hears of w under 1.E and of v under 2.A, holds that to be the higher one, and has "
        "v chosen."
    ),
    caught_by=("p1", "promise-kept", "p2b", "chosen-once"),
    workload="consensus",
    rules=Rules(acceptor=OrdersByName),
)
