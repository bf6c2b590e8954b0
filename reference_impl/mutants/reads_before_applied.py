"""Mutant reads-before-applied: a read waits for its quorum, but not for the slots before it."""

from __future__ import annotations

from collections.abc import Iterator

from reference_impl.logmessages import Command
from reference_impl.mutants.mutant import Mutant
from reference_impl.reads import QuorumReads
from reference_impl.rules import Rules


class AppliedOrNot(QuorumReads):
    def ready(self, confirmed: int, applied: int) -> Iterator[Command]:  # noqa: ARG002
        return super().ready(confirmed, self._waiting[-1].slot if self._waiting else 0)


MUTANT = Mutant(
    name="reads-before-applied",
    area="reads",
    law=(
        "T27: a new leader answers for what earlier ones had chosen, so it has to apply that first"
    ),
    story=(
        "A leader has a write chosen, tells its client, and is killed. The next one heard of "
        "the slot in phase 1 and is having it chosen again. A majority confirms meanwhile that "
        "it leads, and it answers a read from its memory, in which the write is still missing."
    ),
    caught_by=("linearizable",),
    workload="register",
    options={"reads": "quorum"},
    rules=Rules(quorum_reads=AppliedOrNot),
)
