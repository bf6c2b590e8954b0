"""Mutant clings-to-office: a leader that sees a higher ballot goes on leading."""

from __future__ import annotations

from reference_impl.ballot import Ballot
from reference_impl.leadership import Tenure
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class ForLife(Tenure):
    """Its ballot is refused now, but it still learns from the votes for its rival, and tells."""

    def outbid(self, own: Ballot, seen: Ballot) -> bool:  # noqa: ARG002
        return False


MUTANT = Mutant(
    name="clings-to-office",
    area="leadership",
    law=(
        "T27: there may be several distinguished proposers; one that sees a higher ballot is none"
    ),
    story=(
        "Leader A and follower B are cut off; B accepts A's v in slot 7. The others elect E. "
        "Then A hears them again, but B still hears A only: E has w chosen in slot 7, A counts "
        "the votes for it, and tells B that slots up to 7 are chosen. B looks at what it has "
        "accepted from A there, and applies v."
    ),
    caught_by=(
        "quorum",
        "chosen-once",
        "log-agreement",
    ),
    workload="register",
    options={"learning": "all"},
    rules=Rules(tenure=ForLife),
)
