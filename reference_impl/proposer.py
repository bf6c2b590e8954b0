"""Proposer: what may be proposed under one ballot.

Rules
1. A proposer asks about the past and takes a promise about the future (T18): nothing is proposed
   under a ballot before a quorum of acceptors has promised it (T19).
2. The value proposed for an instance is that of the highest-numbered proposal which the quorum
   reported there; only where none was reported is the choice free (P2c: T17, T21).
3. A ballot is used for at most one value in an instance: asked again, with the same `own`, the
   answer is the same, for what binds us is settled when the quorum is complete.
4. A proposer that was outbid waits before its next ballot, for a random time that grows: without
   the wait two of them refuse each other for ever (T26).

Sources: Lamport 2001, section 2.2 (P2c, "prepare" and "accept" requests).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

from reference_impl.ballot import Ballot
from reference_impl.messages import Instance, Proposal, Report
from reference_impl.quorum import Tally

BACKOFF_MIN_S, BACKOFF_MAX_S = 0.002, 0.5


class Proposer:
    """Phase 1 of one ballot, and what it allows phase 2 to propose."""

    def __init__(self, ballot: Ballot, promises: Tally) -> None:
        self.ballot = ballot
        self.prepared = False
        self._promises = promises
        self._reported: dict[Instance, list[Proposal]] = {}

    def asked(self, ballot: Ballot) -> bool:
        """Does a promise for `ballot` answer this proposer? One for an earlier ballot of this node
        knows nothing of what has been accepted since."""
        return ballot == self.ballot

    def on_promise(self, acceptor: str, accepted: Iterable[Report[Any]]) -> bool:
        """Count a promise; True if it completes the quorum. Once a quorum has promised, what others
        report is ignored: values may have been proposed already, and one set S is enough."""
        if self.prepared:
            return False
        for report in accepted:
            proposals = self._reported.setdefault(report.instance, [])
            proposals.append(Proposal(report.ballot, report.value))
        self.prepared = self._promises.add(acceptor)
        return self.prepared

    def reported(self) -> Sequence[Instance]:
        """The instances in which the quorum had accepted something."""
        return tuple(self._reported)

    def value_for(self, instance: Instance, own: Any) -> Any:
        """Phase 2a: the value to propose, `own` where nothing binds us."""
        assert self.prepared, "phase 2 before a quorum promised: the caller broke rule 1"
        reported = self._reported.get(instance, ())
        return self.bound_by(reported).value if reported else own

    def bound_by(self, reported: Sequence[Proposal]) -> Proposal:
        """The proposal that binds us. Not the most frequent and not the newest to arrive: a value
        chosen under ballot n is the one reported with the highest ballot, for all above n carry it.
        """
        return max(reported, key=lambda proposal: proposal.ballot)


def back_off_s(rng: Random, ballots: int) -> float:
    """How long a proposer waits whose `ballots` ballots so far have all failed."""
    longest_s = min(BACKOFF_MAX_S, BACKOFF_MIN_S * 2**ballots)
    return rng.uniform(BACKOFF_MIN_S, longest_s)
