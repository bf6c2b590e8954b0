"""Mutant flexible-quorums: phase 2 makes do with fewer acceptors, and phase 1 does not make up."""

from __future__ import annotations

from collections.abc import Callable

from reference_impl.learner import Learner
from reference_impl.mutants.mutant import Mutant
from reference_impl.quorum import Tally
from reference_impl.rules import Rules


class SmallSecondPhase(Learner):
    """Quorums of the two phases may differ in size, if their sum exceeds N: here it equals N."""

    def __init__(self, new_tally: Callable[[], Tally]) -> None:
        super().__init__(lambda: Tally(new_tally().quorum - 1))


MUTANT = Mutant(
    name="flexible-quorums",
    area="quorums",
    law="T13: every quorum of phase 1 shares an acceptor with every quorum of phase 2",
    story=(
        "Three of five promise, but two that accept are thought enough. A and B accept v, A tells "
        "its client. C, D and E are a full majority for phase 1 and have seen nothing: E proposes "
        "w, and it is chosen."
    ),
    caught_by=("quorum", "chosen-once", "linearizable"),
    workload="consensus",
    rules=Rules(learner=SmallSecondPhase),
)
