"""What the night after says of one that was cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from checkers.verdict import Kind, Verdict
from harness.nightly.archive import Archive
from harness.nightly.cells import Cell, planned
from harness.nightly.leftovers import SHOWN_MAX, told
from harness.nightly.night import GOES_ON, Conductor
from harness.nightly.records import RunRecord
from harness.nightly.spec import Spec, Stop
from harness.store.folder import RunFolder
from tests.harness.nightly.nights import SECOND, night, run
from tests.harness.nightly.test_night import Scripted, valid

FAULTS = ("partitions", "crashes")


def cells() -> list[Cell]:
    return [planned({"cluster": "local", "nodes": 3, "faults": name}) for name in FAULTS]


def begun(store: Path, cell: Cell, seed: int, at: str = SECOND) -> RunFolder:
    """The folder of a run as it is when it begins."""
    trial = cell.of_seed(seed)
    folder = RunFolder.create(store, trial, at)
    folder.write_trial(trial, {})
    return folder


def said(store: Path, records: list[RunRecord]) -> list[str]:
    cut = night(SECOND, records, stopped=GOES_ON)
    return told(Archive(str(store)), store, cut, records, cells())


def test_a_run_that_was_under_way_is_told(tmp_path: Path) -> None:
    """With its folder, what it came to, and whether its seed comes again."""
    partitions, crashes = cells()
    begun(tmp_path, crashes, 4)
    judged = begun(tmp_path, crashes, 2)
    judged.write_verdict(Verdict(checker="a", kind=Kind.INVALID, summary="s"))
    begun(tmp_path, partitions, 1)
    begun(tmp_path, partitions, 9, at="20261101T220000Z")  # of another night
    records = [run(1, cell=partitions.name), run(3, cell=crashes.name)]
    head, first, second = said(tmp_path, records)
    assert "of its runs 2 are on file" in head
    assert f"{judged.path}, judged invalid afterwards; its seed is not run again" in first
    assert "which nobody has judged" in second
    assert "its seed runs again" in second


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    """And says by how much."""
    for seed in range(1, SHOWN_MAX + 3):
        begun(tmp_path, cells()[0], seed)
    lines = said(tmp_path, [])
    assert "nothing of it is on file" in lines[0]
    assert SHOWN_MAX + 2 == len(lines)
    assert lines[-1].startswith("and 2 more of its runs")


@pytest.mark.parametrize("cut", [True, False])
def test_the_next_night_says_so(tmp_path: Path, cut: bool) -> None:
    """In its record and in the morning's word, once; of a night that ended nothing is said."""
    archive = Archive(str(tmp_path))
    with_end = night(SECOND) if not cut else night(SECOND, stopped=GOES_ON)
    folder = archive.begin(SECOND, "")
    folder.write_night(with_end)
    folder.close()
    begun(tmp_path, cells()[0], 1)
    plan = Spec(source="night.yaml", cells=tuple(cells()), stop=Stop(runs=2))
    over = Conductor(plan, archive, Scripted(valid)).run()
    assert cut == any("a run was under way" in notice for notice in over.night.notices)
    summary = archive.read(over.night.name, "summary.md")
    assert summary is not None
    assert cut == (b"was cut off" in summary)
    later = Conductor(plan, archive, Scripted(valid)).run()
    assert [] == later.night.notices
