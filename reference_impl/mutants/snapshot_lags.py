"""Mutant snapshot-lags: a snapshot holds the state of an earlier moment than it says."""

from __future__ import annotations

from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules
from reference_impl.snapshot import Snapshot, Snapshots


class WritesTheLastOne(Snapshots):
    """Dumps are slow, so it uses the one before, which is finished by now."""

    def __init__(self) -> None:
        self._before: bytes | None = None

    def take(self, slot: int, state: bytes, part_bytes: int) -> Snapshot:
        older = state if self._before is None else self._before
        self._before = state
        return super().take(slot, older, part_bytes)


MUTANT = Mutant(
    name="snapshot-lags",
    area="snapshots",
    law="T23: what stands in permanent storage for a prefix of the log is the state after it",
    story=(
        "The snapshot of slot 120 holds the state after slot 60. The log before it is dropped, "
        "the node is killed and restarts: 60 slots of acknowledged writes are gone from it, and "
        "once it leads clients see that."
    ),
    caught_by=(
        "state-equality",
        "linearizable",
    ),
    workload="register",
    options={"snapshot_slots": "60"},
    rules=Rules(snapshots=WritesTheLastOne),
)
