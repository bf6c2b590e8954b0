"""Mutant skips-gaps: a node applies the next slot that it knows, whatever is missing before it."""

from __future__ import annotations

from collections.abc import Iterator

from reference_impl.log import Log
from reference_impl.logmessages import Batch
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class GoesOn(Log):
    def advance(self) -> Iterator[Batch]:
        while beyond := [slot for slot in self._chosen if slot > self.last]:
            self.last = min(beyond)
            yield self._chosen[self.last]

    def from_slot(self, first: int) -> Iterator[Batch]:
        slot = first
        while slot in self._chosen:
            yield self._chosen[slot]
            slot += 1


MUTANT = Mutant(
    name="skips-gaps",
    area="catch-up",
    law="T1: replicas see the same values in the same order, so none may be left out",
    story=(
        "A follower misses the messages about slot 7 and learns slot 8. It applies 8, and when "
        "7 comes it counts as old. The write in 7 is missing there, as clients see once this "
        "node leads."
    ),
    caught_by=("state-equality",),
    workload="register",
    options={"learning": "all"},
    rules=Rules(log=GoesOn),
)
