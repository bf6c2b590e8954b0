"""Mutant forgets-above-floor: an acceptor that takes a snapshot forgets all that it accepted."""

from __future__ import annotations

from reference_impl.acceptor import Acceptor
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class ForgetsAll(Acceptor):
    def forget(self, floor: int) -> None:
        super().forget(floor)
        if floor:
            self.accepted.clear()


MUTANT = Mutant(
    name="forgets-above-floor",
    area="snapshots",
    law="T20: a promise reports what was accepted; what cannot be reported may not be promised",
    story=(
        "A, B and C choose slot 61; B and C take a snapshot of slot 60 and forget 61 as well. A "
        "is killed, E, which has not learnt 61, prepares: nobody reports anything there, and E "
        "fills it with a no-op."
    ),
    caught_by=(
        "accepted-kept",
        "p2b",
        "linearizable",
    ),
    workload="register",
    options={"snapshot_slots": "60"},
    rules=Rules(acceptor=ForgetsAll),
)
