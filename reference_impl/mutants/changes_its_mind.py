"""Mutant changes-its-mind: a leader whose proposal is not chosen in time sends another one."""

from __future__ import annotations

from reference_impl.leadership import Retry
from reference_impl.logmessages import NOOP, Batch
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class GivesUpTheSlot(Retry):
    """It gives up the commands, and closes their slot with a no-op so that the log goes on."""

    def value(self, proposed: Batch) -> Batch:  # noqa: ARG002
        return NOOP


MUTANT = Mutant(
    name="changes-its-mind",
    area="leadership",
    law="T15: a ballot stands for one proposal: in an instance it carries one value",
    story=(
        "A leader's accept request for slot 7 reaches a majority, whose answers are late. It "
        "sends the slot again, as a no-op this time, under the same ballot. Votes for two "
        "values are counted as votes for one, and nodes that learnt the first are never told of "
        "the second."
    ),
    caught_by=(
        "ballot-unique",
        "chosen-once",
    ),
    workload="register",
    rules=Rules(retry=GivesUpTheSlot),
)
