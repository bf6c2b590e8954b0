"""Ballots: the numbers of proposals.

Rules
1. Ballots are totally ordered: by round, then by the name of the node that made them.
2. No two nodes make the same ballot (the name), and no node makes one twice, not even in another
   life (the round is written down before it is used): T15.
3. A node's next ballot is above every ballot it has seen, so that one exchange suffices to outbid.

Sources: Lamport 1998, section 2.2 (B1: each ballot has a unique number); Lamport 2001, section 2.2.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec


class Ballot(NamedTuple):
    """The number of a proposal. Compares as a tuple does: round first, node second."""

    round: Annotated[int, msgspec.Meta(ge=0, lt=2**62)]  # its successors fit into MessagePack
    node: str


NEVER = Ballot(0, "")  # below every ballot that anybody makes


class Ballots:
    """The ballots that one node makes, in all its lives. `round`: the highest known to be used."""

    def __init__(self, node: str) -> None:
        self._node = node
        self.round = 0

    def saw(self, used: int) -> None:
        """Round `used` is in use somewhere."""
        self.round = max(self.round, used)

    def restore(self, used: int) -> None:
        """Round `used` was written down by an earlier life of this node."""
        self.saw(used)

    def next(self) -> Ballot:
        """A ballot above all that were seen. The caller writes its round down before using it:
        else a node that prepared 7, crashed and forgot may prepare another 7, and two different
        values are accepted under one number."""
        self.round += 1
        return Ballot(self.round, self._node)
