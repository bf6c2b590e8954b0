"""Mutant reports-nothing: an acceptor promises, and keeps to itself what it has accepted."""

from __future__ import annotations

from typing import Any

from reference_impl.acceptor import Acceptor
from reference_impl.messages import Report
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class Discreet(Acceptor):
    def reports(self, first: int | None) -> tuple[Report[Any], ...]:  # noqa: ARG002
        return ()


MUTANT = Mutant(
    name="reports-nothing",
    area="acceptors",
    law="T20: a promise reports the highest-numbered proposal accepted, if there is any",
    story=(
        "A, B and C choose v. E prepares ballot 2 with C and D; C does not mention v, so E is free "
        "to propose w, and C, D and E choose it."
    ),
    caught_by=("accepted-kept", "p2b", "chosen-once", "linearizable"),
    workload="consensus",
    rules=Rules(acceptor=Discreet),
)
