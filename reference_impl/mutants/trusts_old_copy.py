"""Mutant trusts-old-copy: a follower takes its copy for chosen, whatever ballot it is from."""

from __future__ import annotations

from reference_impl.ballot import Ballot
from reference_impl.hearsay import Hearsay
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class TrustsAnyCopy(Hearsay):
    def confirms(self, word: Ballot, copy: Ballot) -> bool:  # noqa: ARG002
        return True


MUTANT = Mutant(
    name="trusts-old-copy",
    area="learning",
    law="T2: a process learns a value only if it was chosen",
    story=(
        "Leader A and follower B are cut off; B accepts A's v in slot 7, where the others, "
        "under a new leader, choose w. After healing the new leader says that slots up to 7 are "
        "chosen, and B takes its own copy, v, for what was meant."
    ),
    caught_by=(
        "quorum",
        "chosen-once",
        "log-agreement",
    ),
    workload="register",
    rules=Rules(hearsay=TrustsAnyCopy),
)
