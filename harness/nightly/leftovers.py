"""What a night that was cut off left under way: folders of runs that no record names.

Rules
1. Nothing is guessed and nothing removed: a run that was cut off may be evidence, and only its
   readers can say so. It is told once, by the night that comes next.
2. A folder is a leftover if a cell of the plan made it in that night and no record of the night has
   its seed: what is made small beside a failure has the seed of the failure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from checkers.verdict import Verdict
from harness.contracts import EnvironmentTrouble
from harness.nightly.archive import Archive
from harness.nightly.cells import Cell
from harness.nightly.records import Night, RunRecord
from harness.nightly.turns import seeds_after
from harness.store.folder import RunFolder
from harness.trial import TrialError

SHOWN_MAX = 5
_ALIKE = ("workload", "faults", "cluster", "nodes", "seed")  # what tells cells of a label apart


def told(
    archive: Archive, store: Path, cut: Night, records: Sequence[RunRecord], cells: Sequence[Cell]
) -> list[str]:
    """Sentences about the night `cut`, which has no end. `store`: where runs are made on this
    machine; `records`: that night's; `cells`: of the night to come."""
    counted = "nothing of it is on file"
    if records:
        counted = f"of its runs {len(records):,} are on file; they count, and none is run again"
    head = f"night {cut.name} was cut off (killed, or its machine went down): {counted}"
    if archive.folder is None:  # a folder has a lock, and it was free
        head += ". If it still goes on, end one of the two: they forget each other's failures"
    left = [_sentence(*one) for one in _leftovers(store, cut, records, cells)]
    more = len(left) - SHOWN_MAX
    return [head, *left[:SHOWN_MAX], *([f"and {more} more of its runs, in {store}"] * (more > 0))]


def _leftovers(
    store: Path, cut: Night, records: Sequence[RunRecord], cells: Sequence[Cell]
) -> Iterator[tuple[Path, bool]]:
    """Folders, and whether their seed is still to come."""
    done: defaultdict[str, set[int]] = defaultdict(set)
    for record in records:
        done[record.cell].add(record.seed)
    goes_on = seeds_after([cut], records)
    for cell in cells:
        for folder in sorted((store / cell.trial.label).glob("2*Z-*")):
            number = folder.name.partition("Z-")[2]
            if folder.name < cut.name or not number.isdecimal():
                continue
            seed = int(number)
            if seed not in done[cell.name] and _is_of(folder, cell, seed):
                yield folder, seed >= goes_on.get(cell.name, 0)


def _is_of(folder: Path, cell: Cell, seed: int) -> bool:
    try:
        trial, _ = RunFolder(folder).read_trial()
    except (OSError, TrialError, EnvironmentTrouble):
        return False
    expected = cell.of_seed(seed)
    return all(getattr(trial, name) == getattr(expected, name) for name in _ALIKE)


def _sentence(folder: Path, again: bool) -> str:
    try:
        verdict = msgspec.json.decode(RunFolder(folder).verdict.read_bytes(), type=Verdict)
        judged = f"judged {verdict.kind.value} afterwards"
    except (OSError, msgspec.MsgspecError):
        judged = "which nobody has judged: antipaxos check does"
    seed = "its seed runs again" if again else "its seed is not run again"
    return f"a run was under way, and counts nowhere: {folder}, {judged}; {seed}"
