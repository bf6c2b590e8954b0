"""Mutant counts-across-ballots: a learner adds up acceptances of different proposals."""

from __future__ import annotations

from reference_impl.ballot import NEVER, Ballot
from reference_impl.learner import Learner
from reference_impl.messages import Instance
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class OneCountAnInstance(Learner):
    def on_accepted(self, acceptor: str, ballot: Ballot, instance: Instance) -> bool:  # noqa: ARG002
        return super().on_accepted(acceptor, NEVER, instance)


MUTANT = Mutant(
    name="counts-across-ballots",
    area="learners",
    law="T13: a majority accepts one and the same proposal: acceptances are counted by ballot",
    story=(
        "A and B accept v under ballot 1 and tell E. C accepts w under ballot 2 and tells E: three "
        "acceptors of five have accepted something, and E takes w for chosen. C is cut off; A, B "
        "and D choose v."
    ),
    caught_by=("quorum", "chosen-once"),
    workload="consensus",
    rules=Rules(learner=OneCountAnInstance),
)
