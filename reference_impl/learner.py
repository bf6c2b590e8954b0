"""Learner: when is a value chosen?

Rules
1. A value is chosen in an instance once a quorum has accepted the same proposal: acceptances are
   counted by ballot, never across ballots (T13). Two acceptors that accepted equal values under
   different ballots have chosen nothing yet.
2. The learner is told by acceptors. Who is told, all learners or a distinguished one which tells
   the rest (T24), is the machine's business; the count is the same.

Sources: Lamport 2001, section 2.3.
"""

from __future__ import annotations

from collections.abc import Callable

from reference_impl.ballot import Ballot
from reference_impl.messages import Instance
from reference_impl.quorum import Tally


class Learner:
    """Counts acceptances; `new_tally` makes the count of one proposal."""

    def __init__(self, new_tally: Callable[[], Tally]) -> None:
        self._new_tally = new_tally
        self._tallies: dict[Instance, dict[Ballot, Tally]] = {}

    def on_accepted(self, acceptor: str, ballot: Ballot, instance: Instance) -> bool:
        """Count an acceptance; True if it completes a quorum: the proposal is chosen."""
        tallies = self._tallies.get(instance)
        if tallies is None:
            tallies = self._tallies[instance] = {}
        tally = tallies.get(ballot)
        if tally is None:
            tally = tallies[ballot] = self._new_tally()
        return tally.add(acceptor)

    def forget(self, instance: Instance) -> None:
        """Stop counting for an instance whose value is known."""
        self._tallies.pop(instance, None)

    def forget_up_to(self, slot: int) -> None:
        """Stop counting for slots whose values are known from elsewhere."""
        for instance in [i for i in self._tallies if isinstance(i, int) and i <= slot]:
            del self._tallies[instance]
