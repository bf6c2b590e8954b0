"""Mutant late-reports: a proposer goes on listening to promises after it has proposed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reference_impl.messages import Report
from reference_impl.mutants.mutant import Mutant
from reference_impl.proposer import Proposer
from reference_impl.rules import Rules


class NeverDone(Proposer):
    """What a late promise reports binds it when it sends its accept requests again."""

    def on_promise(self, acceptor: str, accepted: Iterable[Report[Any]]) -> bool:
        before, self.prepared = self.prepared, False
        completed = super().on_promise(acceptor, accepted)
        self.prepared = before or completed
        return completed


MUTANT = Mutant(
    name="late-reports",
    area="proposers",
    law="T15: a number stands for one proposal: once (n, v) is issued, n carries no other value",
    story=(
        "A accepted w under ballot 1, and nobody else did. E prepares ballot 2, hears of nothing "
        "from B and C, and proposes its own v; E, B and C accept it, and B learns that v is "
        "chosen. E hears none of their answers, but A's late promise, which reports w. It sends "
        "its accept requests again, now with w, under the same ballot; A, B and C accept w."
    ),
    caught_by=("ballot-unique", "chosen-once"),
    workload="consensus",
    rules=Rules(proposer=NeverDone),
)
