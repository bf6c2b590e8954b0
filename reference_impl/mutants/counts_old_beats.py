"""Mutant counts-old-beats: a confirmation from before the read is as good as one from after it."""

from __future__ import annotations

from reference_impl.logmessages import Command
from reference_impl.mutants.mutant import Mutant
from reference_impl.reads import QuorumReads
from reference_impl.rules import Rules


class AnyBeatWillDo(QuorumReads):
    def add(self, command: Command, beat: int, slot: int) -> None:
        super().add(command, beat - 1, slot)


MUTANT = Mutant(
    name="counts-old-beats",
    area="reads",
    law=(
        "T27: that a majority followed this leader some time ago does not show that it still does"
    ),
    story=(
        "The leader is cut off. The last answers of its followers still lie before it, and with "
        "them it answers reads until its patience ends. The others have elected a new leader "
        "long before that, and have written."
    ),
    caught_by=("linearizable",),
    workload="register",
    options={"reads": "quorum"},
    rules=Rules(quorum_reads=AnyBeatWillDo),
)
