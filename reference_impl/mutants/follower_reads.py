"""Mutant follower-reads: every node answers reads from its own memory."""

from __future__ import annotations

from reference_impl.mutants.mutant import Mutant
from reference_impl.reads import ReadRule
from reference_impl.rules import Rules


class AnybodyAnswers(ReadRule):
    def may_answer_alone(self, leading: bool, leader: str | None) -> bool:  # noqa: ARG002
        return True


MUTANT = Mutant(
    name="follower-reads",
    area="reads",
    law=(
        "T25: a learner may not have learnt yet what was chosen, so it may not speak for the system"
    ),
    story=(
        "A write is chosen and acknowledged by the leader. Follower B learns it a little later: "
        "a client that asks B at once reads the value from before. If B is cut off, it goes on "
        "telling it."
    ),
    caught_by=("linearizable",),
    workload="register",
    rules=Rules(read_rule=AnybodyAnswers),
)
