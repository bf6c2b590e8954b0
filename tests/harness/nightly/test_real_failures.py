"""Failures on real machines made small at night, with runs that end as the tests say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from checkers.verdict import Kind
from harness.contracts import EnvironmentTrouble
from harness.nightly.cells import planned
from harness.nightly.real_failures import made_small
from harness.nightly.tasks import Kept, Run, Shrink
from harness.repeats import Repetition
from harness.trial import Trial
from nemesis import schedule
from nemesis.schedule import Schedule

Fails = Callable[[Trial], bool]
FAILED = "paxos-register/20261124T000000Z-1"


def shrunk(
    store: Path, monkeypatch: pytest.MonkeyPatch, fails: Fails, budget_s: float = 60.0
) -> tuple[Kept, set[str]]:
    """What came of it, and the folders that are there then."""
    failed = store / FAILED
    failed.mkdir(parents=True)
    (failed / "schedule.json").write_bytes(schedule.encode(Schedule(8.0)))
    made: list[Path] = []

    def again(trial: Trial, file: Path, store: Path) -> Repetition:
        assert file.exists()
        folder = store / "paxos-register" / f"20261124T00{len(made) + 1:04}Z-1"
        folder.mkdir()
        (folder / "history.jsonl").touch()
        made.append(folder)
        kind = Kind.INVALID if fails(trial) else Kind.VALID
        return Repetition(folder, kind, ("linearizable",) if kind is Kind.INVALID else ())

    monkeypatch.setattr("harness.repeats.again", again)
    cell = planned({"cluster": "local", "faults": "none", "time_limit_s": 8, "clients": 4})
    task = Shrink(
        run=Run(id=1, cell=cell, seed=1, limit_s=60.0),
        law="linearizable",
        budget_s=budget_s,
        archive=str(store),
        folder=FAILED,
    )
    kept = made_small(task, store)
    assert not list(store.glob(".*"))
    return kept, {path.name for path in failed.parent.iterdir()}


def test_the_smallest_is_kept_beside_the_run_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 1: of all candidates one folder stays."""
    kept, there = shrunk(tmp_path, monkeypatch, lambda trial: trial.clients >= 2)
    assert (12, 3) == kept.shrunk
    assert {FAILED.rsplit("/", 1)[1], kept.folder.rsplit("/", 1)[1]} == there
    assert 2 == len(there)


def test_what_does_not_fail_again_is_kept_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 2: with the reason, and without the folders of its repetitions."""
    kept, there = shrunk(tmp_path, monkeypatch, lambda _trial: False)
    assert (FAILED, None) == (kept.folder, kept.shrunk)
    assert "too few runs" in kept.why
    assert {FAILED.rsplit("/", 1)[1]} == there


def test_a_machine_that_has_had_enough_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No repetition can be carried out: the failure is one all the same."""

    def refuses(_trial: Trial) -> bool:
        raise EnvironmentTrouble("no port is free")

    kept, _ = shrunk(tmp_path, monkeypatch, refuses)
    assert (FAILED, None) == (kept.folder, kept.shrunk)
    assert "no port is free" in kept.why


def test_without_time_nothing_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As at the end of a night."""
    kept, there = shrunk(tmp_path, monkeypatch, lambda _trial: True, budget_s=0.0)
    assert (FAILED, None) == (kept.folder, kept.shrunk)
    assert 1 == len(there)
