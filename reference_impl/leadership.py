"""The rules of leading: what a leader does first, what it sends again, and when it is over.

Rules
1. Recovery: before anything else a new leader finishes the slots that phase 1 reported, with the
   values reported, and fills the gaps between them with no-ops. A slot left open would stop the
   log for ever; another value there could differ from a chosen one (T21).
2. Retry: what was proposed in a slot is sent again until it is chosen, and nothing but that: a
   ballot carries one value in an instance.
3. Tenure: a leader goes at the first sign of a higher ballot. It lives on what it counted itself:
   having learnt a slot from a rival's ballot it would tell its followers "chosen up to there", and
   they would look at what they accepted from it.
4. Suspicion: a follower that has heard nothing for long enough stands itself, and supports whoever
   else stands (T27).

Sources: Lamport 1998, section 3.1; Lamport 2001, sections 2.4 and 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reference_impl.ballot import Ballot
from reference_impl.logmessages import NOOP, Batch
from reference_impl.proposer import Proposer


class Recovery:
    """What a new leader proposes in the slots that others have left open."""

    def proposals(self, proposer: Proposer, slots: Iterable[int]) -> Iterator[tuple[int, Batch]]:
        """`slots`: those up to the last one reported that are not known to be chosen."""
        for slot in slots:
            yield slot, proposer.value_for(slot, NOOP)


class Retry:
    """What becomes of a slot that no quorum has accepted yet."""

    def is_due(self, waited_s: float, resend_s: float) -> bool:
        return waited_s >= resend_s

    def value(self, proposed: Batch) -> Batch:
        """What to send now, where `proposed` was sent before."""
        return proposed


class Tenure:
    """When a leadership, or a candidacy, is over."""

    def outbid(self, own: Ballot, seen: Ballot) -> bool:
        return seen > own


class Suspicion:
    """When a follower takes its leader for failed."""

    def stands(self, silence_s: float, patience_s: float) -> bool:
        """May this node try to lead? `silence_s`: since it heard a leader, infinite if never."""
        return silence_s >= patience_s

    def supports(
        self, candidate: str, leader: str | None, silence_s: float, patience_s: float
    ) -> bool:
        """May `candidate` lead? That the leader itself asks is its leave."""
        return candidate == leader or silence_s >= patience_s
