"""Mutant restores-lowest: of the proposals on its disk an acceptor takes up the lowest-numbered."""

from __future__ import annotations

from typing import Any

from reference_impl.acceptor import Acceptor
from reference_impl.ballot import Ballot
from reference_impl.messages import Instance
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class ReadsBackwards(Acceptor):
    """As if the records were read from the end: what was written first is what stays."""

    def restore_accepted(self, ballot: Ballot, instance: Instance, value: Any) -> None:
        earlier = self.accepted.get(instance)
        super().restore_accepted(ballot, instance, value)
        if earlier is not None:
            self.accepted[instance] = earlier


MUTANT = Mutant(
    name="restores-lowest",
    area="recovery",
    law="T23: what survives a restart is the highest accepted proposal, not any accepted one",
    story=(
        "A and B accept v under ballot 1: no majority. B, C and D choose w under ballot 2. B "
        "restarts, finds both on its disk, and takes up v. E prepares ballot 3 with A and B, hears "
        "of v alone, and has it chosen."
    ),
    caught_by=("accepted-kept", "p2b", "chosen-once", "linearizable"),
    workload="consensus",
    rules=Rules(acceptor=ReadsBackwards),
)
