"""Mutant learns-from-one: a learner believes the first acceptor that tells it."""

from __future__ import annotations

from reference_impl.ballot import Ballot
from reference_impl.learner import Learner
from reference_impl.messages import Instance
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class Credulous(Learner):
    def on_accepted(self, acceptor: str, ballot: Ballot, instance: Instance) -> bool:  # noqa: ARG002
        return True


MUTANT = Mutant(
    name="learns-from-one",
    area="learners",
    law="T13: a value is chosen when a majority has accepted it, and learnt no sooner",
    story=(
        "A proposes v and accepts it itself: its learner takes that for chosen, and the client is "
        "told v. A's accept requests are lost. B, C and D, who know of nothing, choose w."
    ),
    caught_by=("quorum", "chosen-once", "linearizable"),
    workload="consensus",
    rules=Rules(learner=Credulous),
)
