"""Mutant assumes-order: a follower takes the slot before the one proposed for chosen."""

from __future__ import annotations

from reference_impl.hearsay import Hearsay
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class KnowsOfNoWindow(Hearsay):
    """Right where a leader has one slot in flight; here it has several."""

    def horizon(self, slot: int, chosen: int) -> int:
        return max(chosen, slot - 1)


MUTANT = Mutant(
    name="assumes-order",
    area="learning",
    law="T2: a process learns a value only if it was chosen",
    story=(
        "A leader has slots 7 and 8 in flight when it is cut off together with follower B, "
        "which accepts both. That there is an 8 tells B that 7 is chosen, and it applies it. "
        "The others have never heard of it, elect a leader, and choose another value in 7."
    ),
    caught_by=(
        "quorum",
        "chosen-once",
        "log-agreement",
    ),
    workload="register",
    rules=Rules(hearsay=KnowsOfNoWindow),
)
