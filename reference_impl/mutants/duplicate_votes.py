"""Mutant duplicate-votes: an acceptor that answers twice is counted twice."""

from __future__ import annotations

from reference_impl.mutants.mutant import Mutant
from reference_impl.quorum import Tally
from reference_impl.rules import Rules


class AnswersNotAcceptors(Tally):
    """Counts messages."""

    def __init__(self, quorum: int) -> None:
        super().__init__(quorum)
        self._answers = 0

    def record(self, acceptor: str) -> None:  # noqa: ARG002 - whose it is does not matter to it
        self._answers += 1

    @property
    def count(self) -> int:
        return self._answers


MUTANT = Mutant(
    name="duplicate-votes",
    area="quorums",
    law="T13: a majority is one of distinct acceptors, however often each of them answers",
    story=(
        "A leader and one acceptor are cut off from the other three. The accept request is sent "
        "again, the acceptor answers again, and two answers with the leader's own vote pass for a "
        "majority of five; the other side chooses something else."
    ),
    caught_by=("quorum", "p2c", "linearizable"),
    workload="register",
    rules=Rules(tally=AnswersNotAcceptors),
)
