"""The run folder: what a run leaves behind can be read after a crash at any instant."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.contracts import EnvironmentTrouble
from harness.store.folder import RunFolder
from harness.trial import Trial

TRIAL = Trial(seed=7, options={"refusals": "off"})


def test_latest_points_to_the_newest_run(tmp_path: Path) -> None:
    """Beside the runs of a trial and at the root of the store."""
    RunFolder.create(tmp_path, TRIAL, "20260101T000000Z")
    newest = RunFolder.create(tmp_path, TRIAL, "20260101T000001Z")
    assert newest.path == (tmp_path / "latest").resolve()
    assert newest.path == (tmp_path / "paxos-register" / "latest").resolve()


def test_two_runs_of_one_second_and_seed_get_folders_of_their_own(tmp_path: Path) -> None:
    """Nothing that was recorded is ever written over."""
    paths = {RunFolder.create(tmp_path, TRIAL, "20260101T000000Z").path for _ in range(3)}
    assert 3 == len(paths)


def test_a_trial_reads_back_as_it_was_written(tmp_path: Path) -> None:
    """Options that YAML would take for booleans included."""
    folder = RunFolder.create(tmp_path, TRIAL, "20260101T000000Z")
    folder.write_trial(TRIAL, {"python": "3.11"})
    assert (TRIAL, {"python": "3.11"}) == folder.read_trial()


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    """The environment is at fault, and the remedy is named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentTrouble, match=r"cannot be written: .*--store"):
        RunFolder.create(tmp_path / "file", TRIAL, "20260101T000000Z")


def test_a_failed_write_keeps_what_was_there(tmp_path: Path) -> None:
    """A disk that is full leaves the earlier file whole, and no draft behind."""
    folder = RunFolder.create(tmp_path, TRIAL, "20260101T000000Z")
    folder.write(folder.verdict, b"first")
    draft = folder.path / ".verdict.json.draft"
    draft.mkdir()  # stands for a disk that refuses
    with pytest.raises(EnvironmentTrouble, match="antipaxos check"):
        folder.write(folder.verdict, b"second")
    assert b"first" == folder.verdict.read_bytes()


def test_notices_read_back_as_they_were_written(tmp_path: Path) -> None:
    """And are none where a run was killed before it wrote any."""
    folder = RunFolder.create(tmp_path, TRIAL, "20260101T000000Z")
    assert [] == folder.read_notices()
    folder.write_notices(["node n1 crashed", "Interrupted by SIGINT"])
    assert ["node n1 crashed", "Interrupted by SIGINT"] == folder.read_notices()
