"""Mutant forgets-rounds: a node that restarts does not know which rounds it has used."""

from __future__ import annotations

from reference_impl.ballot import Ballots
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class BeginsAnew(Ballots):
    def restore(self, used: int) -> None:
        pass


MUTANT = Mutant(
    name="forgets-rounds",
    area="ballots",
    law="T15: one proposer never uses a number twice, also across a restart",
    story=(
        "A prepares ballot 1 and proposes v, which B, C and D accept: chosen. Power fails at A "
        "before its own vote is on disk. It starts again and prepares another ballot 1, for w. "
        "Promises of D and E to the first ballot 1, sent before D had accepted, arrive now and are "
        "taken for answers to the second: A proposes w under 1, and B, D and E accept it."
    ),
    caught_by=("ballot-unique", "chosen-once"),
    workload="consensus",
    rules=Rules(ballots=BeginsAnew),
)
