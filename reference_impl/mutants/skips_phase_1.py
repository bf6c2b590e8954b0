"""Mutant skips-phase-1: a proposer in the first round takes it that nobody came before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reference_impl.messages import Report
from reference_impl.mutants.mutant import Mutant
from reference_impl.proposer import Proposer
from reference_impl.rules import Rules


class AsksNobodyAtFirst(Proposer):
    """In round 1 its own acceptor's promise is enough for it."""

    def on_promise(self, acceptor: str, accepted: Iterable[Report[Any]]) -> bool:
        before = self.prepared
        super().on_promise(acceptor, accepted)
        self.prepared = self.prepared or self.ballot.round == 1
        return self.prepared and not before


MUTANT = Mutant(
    name="skips-phase-1",
    area="proposers",
    law="T19: nothing is proposed before a majority has promised, not even in the first round",
    story=(
        "A and E each think that they are the first, and they are: both propose in round 1 without "
        "asking. A's v is accepted by A, B and C and chosen. E's ballot has the same round and the "
        "higher name, so C, D and E accept w as well, and choose it."
    ),
    caught_by=("p2c", "p2b", "chosen-once", "linearizable"),
    workload="consensus",
    rules=Rules(proposer=AsksNobodyAtFirst),
)
