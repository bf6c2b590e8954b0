"""Mutant promises-anything: an acceptor promises whatever it is asked last, lower ballots too."""

from __future__ import annotations

from reference_impl.acceptor import Acceptor
from reference_impl.ballot import Ballot
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class ServesTheLast(Acceptor):
    def may_promise(self, ballot: Ballot) -> bool:  # noqa: ARG002
        return True


MUTANT = Mutant(
    name="promises-anything",
    area="acceptors",
    law="T20: an acceptor that has promised a higher number does not promise a lower one",
    story=(
        "E prepares ballot 2 with C and D, who report nothing. A's prepare for ballot 1 comes to B "
        "and C; C promises that too and thereby takes its promise back. A, B and C choose v under "
        "1, then C, D and E choose w under 2, about which E had been told that it was free."
    ),
    caught_by=("promise-kept", "p2b", "chosen-once", "linearizable"),
    workload="consensus",
    rules=Rules(acceptor=ServesTheLast),
)
