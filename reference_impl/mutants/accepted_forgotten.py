"""Mutant accepted-forgotten: an acceptor that restarts has forgotten what it accepted."""

from __future__ import annotations

from typing import Any

from reference_impl.acceptor import Acceptor
from reference_impl.ballot import Ballot
from reference_impl.messages import Instance
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class ForgetsProposals(Acceptor):
    """It keeps its promises, those that accepting implied included."""

    def restore_accepted(self, ballot: Ballot, instance: Instance, value: Any) -> None:  # noqa: ARG002
        self.restore_promise(ballot)


MUTANT = Mutant(
    name="accepted-forgotten",
    area="recovery",
    law="T23: an acceptor's highest accepted proposal survives a restart",
    story=(
        "A, B and C choose a value. A and B are killed and restart; with the next ballot a "
        "majority reports that nothing was accepted, and another value is chosen."
    ),
    caught_by=("accepted-kept", "p2b", "linearizable"),
    workload="register",
    rules=Rules(acceptor=ForgetsProposals),
)
