"""Mutant half-quorum: N/2 acceptors are taken for a majority."""

from __future__ import annotations

from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


def half(acceptors: int) -> int:
    return max(1, acceptors // 2)


MUTANT = Mutant(
    name="half-quorum",
    area="quorums",
    law="T13: a value is chosen by a majority, floor(N/2) + 1, so that any two quorums overlap",
    story=(
        "A partition leaves two of five nodes on one side. Each side elects a leader and chooses "
        "values for the same slots, since no acceptor is asked by both; after healing one side's "
        "answers turn out never to have happened."
    ),
    caught_by=("quorum", "p2c", "linearizable"),
    workload="register",
    rules=Rules(quorum=half),
)
