"""Mutant reads-change-state: a read of a key that does not exist creates it."""

from __future__ import annotations

from reference_impl.mutants.mutant import Mutant
from reference_impl.requests import Response, ok
from reference_impl.rules import Rules
from reference_impl.statemachine import KeyValue


class CreatesOnRead(KeyValue):
    """What the log does not carry, as a quorum read, only one replica sees."""

    def get(self, key: str) -> Response:
        if key not in self._values:
            self._set(key, None)
        return ok(self._values[key])


MUTANT = Mutant(
    name="reads-change-state",
    area="state machine",
    law="T1: replicas that applied the same slots are equal: nothing else changes the state",
    story=(
        "The leader answers a read by quorum, which takes no slot, and a key appears in its map "
        "that is in no other replica's. The state machine has become a function of who asked "
        "whom."
    ),
    caught_by=("state-equality",),
    workload="register",
    options={"reads": "quorum"},
    rules=Rules(state=CreatesOnRead),
)
