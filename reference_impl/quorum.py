"""Quorums: how many acceptors decide, and who has answered.

Rules
1. A quorum is a majority, floor(N/2) + 1: any two of them share an acceptor, and that acceptor is
   what carries a chosen value from one ballot to the next (T13).
2. An acceptor counts once, however often its answer arrives: the network duplicates, and we
   retransmit.

Sources: Lamport 2001, section 2.2 ("a large enough set of agents is any majority").
"""

from __future__ import annotations


def majority(acceptors: int) -> int:
    """The size of the smallest majority of `acceptors`."""
    return acceptors // 2 + 1


class Tally:
    """The acceptors that answered one question."""

    def __init__(self, quorum: int) -> None:
        self.quorum = quorum
        self._voters: set[str] = set()

    def add(self, acceptor: str) -> bool:
        """Count an answer; True if this one completes the quorum (later ones return False)."""
        before = self.count
        self.record(acceptor)
        return before < self.quorum <= self.count

    def record(self, acceptor: str) -> None:
        self._voters.add(acceptor)

    @property
    def count(self) -> int:
        return len(self._voters)
