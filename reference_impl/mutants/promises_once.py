"""Mutant promises-once: an acceptor that has promised a ballot promises no other one."""

from __future__ import annotations

from reference_impl.acceptor import Acceptor
from reference_impl.ballot import NEVER, Ballot
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class Faithful(Acceptor):
    def may_promise(self, ballot: Ballot) -> bool:
        return self.promised in (NEVER, ballot)


MUTANT = Mutant(
    name="promises-once",
    kind="liveness",
    area="liveness",
    law="T20: an acceptor promises every number above the one that it has promised",
    story=(
        "A leads, with everybody's promise, and is killed. The others are a majority and elect a "
        "new proposer, and none of them will promise its ballot: nobody leads ever again, although "
        "one failure of five is what Paxos survives."
    ),
    caught_by=("termination",),
    workload="register",
    rules=Rules(acceptor=Faithful),
)
