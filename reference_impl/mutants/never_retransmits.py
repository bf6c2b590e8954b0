"""Mutant never-retransmits: a leader sends an accept request once."""

from __future__ import annotations

from reference_impl.leadership import Retry
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class OnceIsEnough(Retry):
    def is_due(self, waited_s: float, resend_s: float) -> bool:  # noqa: ARG002
        return False


MUTANT = Mutant(
    name="never-retransmits",
    kind="liveness",
    area="liveness",
    law="T8: the network loses messages, so what is not answered has to be sent again",
    story=(
        "Three followers are killed and restart within half a second. The accept requests of "
        "that time are lost, the leader is heard again and stays, and its slots are never "
        "chosen; as many as may be in flight, so nothing is proposed any more either."
    ),
    caught_by=("termination",),
    workload="register",
    rules=Rules(retry=OnceIsEnough),
)
