"""Mutant votes-cut-off: a node that shortens its log keeps its promise but not its votes."""

from __future__ import annotations

from harness.machine import Record
from reference_impl import records
from reference_impl.acceptor import Acceptor
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules
from reference_impl.snapshot import Snapshots


class KeepsThePromise(Snapshots):
    def keeps(self, acceptor: Acceptor, floor: int) -> list[Record]:  # noqa: ARG002
        return [records.Promised(None, acceptor.promised)]


MUTANT = Mutant(
    name="votes-cut-off",
    area="snapshots",
    law="T23: an acceptor's highest accepted proposal survives a restart, and a snapshot",
    story=(
        "Slots up to 60 go into a snapshot while 61 to 64 are under way, accepted and so "
        "chosen. The nodes are killed and restart; they report nothing for these slots, and the "
        "next leader puts other values there."
    ),
    caught_by=(
        "accepted-kept",
        "p2b",
        "linearizable",
    ),
    workload="register",
    options={"snapshot_slots": "60"},
    rules=Rules(snapshots=KeepsThePromise),
)
