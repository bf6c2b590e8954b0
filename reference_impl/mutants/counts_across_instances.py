"""Mutant counts-across-instances: a learner counts votes for a ballot, whatever the instance."""

from __future__ import annotations

from reference_impl.ballot import Ballot
from reference_impl.learner import Learner
from reference_impl.messages import Instance
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class OneCountABallot(Learner):
    """It begins anew once something is learnt, so most of the time nobody notices."""

    def on_accepted(self, acceptor: str, ballot: Ballot, instance: Instance) -> bool:  # noqa: ARG002
        return super().on_accepted(acceptor, ballot, "whatever")

    def forget(self, instance: Instance) -> None:  # noqa: ARG002
        self._tallies.clear()


MUTANT = Mutant(
    name="counts-across-instances",
    area="learners",
    law="T13: each instance has its own majority: acceptances are counted by instance",
    story=(
        "A proposes v for one key and u for another, both under its ballot 1. E hears that B and C "
        "accepted v, and that A accepted u: three votes for A's ballot 1, and E takes u for "
        "chosen. A's accept requests for u are lost, and C, D and E choose something else."
    ),
    caught_by=("quorum", "chosen-once"),
    workload="consensus",
    rules=Rules(learner=OneCountABallot),
)
