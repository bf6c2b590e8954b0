"""Mutant promise-forgotten: an acceptor that restarts has forgotten what it promised."""

from __future__ import annotations

from typing import Any

from reference_impl.acceptor import Acceptor
from reference_impl.ballot import Ballot
from reference_impl.messages import Instance, Proposal
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class ForgetsPromises(Acceptor):
    """It still knows what it accepted, but not that to accept is to promise as well."""

    def restore_promise(self, ballot: Ballot) -> None:
        pass

    def restore_accepted(self, ballot: Ballot, instance: Instance, value: Any) -> None:
        self.accepted[instance] = Proposal(ballot, value)


MUTANT = Mutant(
    name="promise-forgotten",
    area="recovery",
    law="T23: an acceptor's highest promise survives a restart",
    story=(
        "A, B and C promise ballot 5 and report nothing. A and B restart without that memory and "
        "accept a value under ballot 4, which is chosen; then ballot 5 has another one chosen."
    ),
    caught_by=("promise-kept", "p2b"),
    workload="consensus",
    rules=Rules(acceptor=ForgetsPromises),
)
