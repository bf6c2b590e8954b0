"""Mutant accepts-below-promise: an acceptor grants every accept request."""

from __future__ import annotations

from reference_impl.acceptor import Acceptor
from reference_impl.ballot import Ballot
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class AcceptsAnything(Acceptor):
    def may_accept(self, ballot: Ballot) -> bool:  # noqa: ARG002
        return True


MUTANT = Mutant(
    name="accepts-below-promise",
    area="acceptors",
    law="T22: an acceptor accepts a proposal unless it has promised a higher number",
    story=(
        "Proposer P prepares ballot 1, proposer Q ballot 2, and Q is told that nothing has been "
        "accepted. P's accept requests arrive late and are granted all the same: P's value is "
        "chosen, then Q's, which had no way of knowing."
    ),
    caught_by=("promise-kept", "p2b", "chosen-once"),
    workload="consensus",
    rules=Rules(acceptor=AcceptsAnything),
)
