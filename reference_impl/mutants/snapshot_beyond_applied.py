"""Mutant snapshot-beyond-applied: a snapshot is labelled one slot beyond its state."""

from __future__ import annotations

from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules
from reference_impl.snapshot import Snapshot, Snapshots


class OffByOne(Snapshots):
    def take(self, slot: int, state: bytes, part_bytes: int) -> Snapshot:
        return super().take(slot + 1, state, part_bytes)


MUTANT = Mutant(
    name="snapshot-beyond-applied",
    area="snapshots",
    law="T23: what stands in permanent storage for a prefix of the log is the state after it",
    story=(
        "A node puts slots up to 60 into a snapshot and labels it 61. When it restarts, or "
        "hands the snapshot to a node that lags, slot 61 counts as applied and is skipped: the "
        "write in it is missing there for ever."
    ),
    caught_by=(
        "state-equality",
        "linearizable",
    ),
    workload="register",
    options={"snapshot_slots": "60"},
    rules=Rules(snapshots=OffByOne),
)
