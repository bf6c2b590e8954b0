"""What a night hands to its workers, and what comes back: values that travel between machines.

Rule: a task is complete. Whoever has the same antipaxos and the same systems can carry it out, and
what comes of a simulated one is the same wherever that is.
"""

from __future__ import annotations

import msgspec

from harness.fingerprint import Fingerprint
from harness.nightly.cells import Cell
from harness.nightly.records import End, RunRecord


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run to be. `limit_s`: after which it counts as hung."""

    id: int
    cell: Cell
    seed: int
    limit_s: float

    def record(self, end: End, why: str = "") -> RunRecord:
        """Of a run about which nothing else is known."""
        trial = self.cell.of_seed(self.seed)
        return RunRecord(
            id=self.id,
            cell=self.cell.name,
            system=self.cell.system,
            workload=trial.workload,
            faults=trial.faults,
            cluster=trial.cluster,
            nodes=trial.nodes,
            seed=self.seed,
            end=end,
            why=why,
        )


class Carry(msgspec.Struct, frozen=True, kw_only=True, tag="carry"):
    """Carry out a run. `archive`: its address, where kept folders go. `keep_all`: also those of
    runs that passed."""

    run: Run
    archive: str
    keep_all: bool = False


class Shrink(msgspec.Struct, frozen=True, kw_only=True, tag="shrink"):
    """Make the failure of a run small, and keep it. `budget_s`: for the first, 0 to keep it as it
    is. `folder`: of a run on real machines, its address in the archive."""

    run: Run
    law: str
    budget_s: float
    archive: str
    folder: str = ""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Runs for one worker, one after the other. It may leave some: none begins once `slice_s` have
    passed, and none once its process has heard that `night` is over. `version`: of the antipaxos
    whose night it is."""

    tasks: tuple[Carry, ...]
    slice_s: float
    version: str
    night: str


class Came(msgspec.Struct, frozen=True, kw_only=True, tag="came"):
    """Of a run. `stacks`: what its process wrote when it hung or died. `trouble`: why its folder
    could not be brought to the archive, empty where all is well."""

    record: RunRecord
    stacks: str = ""
    trouble: str = ""


class Kept(msgspec.Struct, frozen=True, kw_only=True, tag="kept"):
    """A failure made small. `folder`: its address in the archive. `shrunk`: choices before and
    after (on real machines: faults, clients, seconds), None where it was not made small;
    `why` then says why. `found`: what the verdict on it
    says. `trouble` as in Came."""

    folder: str = ""
    found: Fingerprint | None = None
    shrunk: tuple[int, int] | None = None
    why: str = ""
    trouble: str = ""


Task = Carry | Shrink
Answer = Came | Kept
