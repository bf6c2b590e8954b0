"""What becomes of runs whose process hangs or dies, told by real processes."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.nightly import carrying, processes
from harness.nightly.carrying import carry_out, make_small
from harness.nightly.cells import planned
from harness.nightly.executors import Here
from harness.nightly.tasks import Batch, Came, Carry, Run, Shrink
from nemesis.ledger import open_entries
from tests.harness.nightly import evil


@pytest.fixture
def here() -> Iterator[Here]:
    executor = Here(1)
    yield executor
    executor.close()


def tasks(folder: Path, does: str, limit_s: float = 60.0, seeds: int = 1) -> list[Carry]:
    settings: dict[str, Any] = {
        "system": str(evil.written(folder)),
        "cluster": "simulated",
        "options": {"does": does},
        "faults": "none",
        "nodes": 3,
    }
    cell = planned(settings)
    return [
        Carry(run=Run(id=n, cell=cell, seed=n, limit_s=limit_s), archive=str(folder / "runs"))
        for n in range(1, seeds + 1)
    ]


def batch(tasks: list[Carry]) -> Batch:
    return Batch(
        tasks=tuple(tasks), slice_s=60.0, version=version("antipaxos"), night="of this test"
    )


def carried(here: Here, tasks: list[Carry]) -> list[Came]:
    return here.submit(carry_out, batch(tasks)).result()


def test_a_run_that_hangs_is_ended_with_its_stacks(tmp_path: Path, here: Here) -> None:
    """It is not tried again, and its stacks name the function that does not return."""
    (came,) = carried(here, tasks(tmp_path, "hangs", limit_s=1.0))
    assert (came.record.end, came.record.tries) == ("hung", 1)
    assert "stacks/1.txt" in came.record.why
    assert came.record.seconds >= 1.0
    assert "_misbehave" in came.stacks


def test_a_run_whose_process_dies_is_tried_once_more_and_then_lost(
    tmp_path: Path, here: Here
) -> None:
    """A SIGKILL each time: two tries, and the signal is told; the next run has a new process."""
    (came,) = carried(here, tasks(tmp_path, "dies"))
    assert ("lost", 2) == (came.record.end, came.record.tries)
    assert "signal 9" in came.record.why


def test_a_run_whose_process_dies_once_is_what_the_second_try_says(
    tmp_path: Path, here: Here
) -> None:
    """None of the runs around it is lost, and each has its own record."""
    came = carried(here, tasks(tmp_path, "dies-once", seeds=3))
    assert [1, 2, 3] == [one.record.id for one in came]
    assert [2, 1, 1] == [one.record.tries for one in came]
    assert {"invalid"} == {one.record.end for one in came}
    assert all(one.record.fingerprint and one.record.operations for one in came)


def test_a_run_on_real_machines_that_hangs_is_ended_in_order(tmp_path: Path, here: Here) -> None:
    """Past its limit its faults are undone and its nodes ended, and what it recorded is kept."""
    cell = planned({"cluster": "local", "nodes": 3, "time_limit_s": 40.0, "rate": 50.0})
    run = Run(id=7, cell=cell, seed=1, limit_s=3.0)
    (came,) = carried(here, [Carry(run=run, archive=str(tmp_path / "runs"))])
    assert came.record.end == "hung"
    assert "harness/run.py" in came.stacks
    folder = tmp_path / "runs" / came.record.folder
    assert (folder / "verdict.json").is_file()
    assert not open_entries(folder / "ledger.jsonl")


def test_what_fails_is_made_small_and_kept(tmp_path: Path, here: Here) -> None:
    """The kept folder has the case, and fewer choices than the run had."""
    (task,) = tasks(tmp_path, "well")
    (came,) = carried(here, [task])
    archive = str(tmp_path / "runs")
    shrink = Shrink(run=task.run, law=came.record.law, budget_s=2.0, archive=archive)
    kept = here.submit(make_small, shrink).result()
    assert kept.shrunk is not None
    assert kept.shrunk[1] < kept.shrunk[0]
    assert (tmp_path / "runs" / kept.folder / "case.json").is_file()


def test_another_version_carries_out_nothing(tmp_path: Path) -> None:
    """On a machine with another antipaxos the same seed may be another run: that is trouble."""
    some = batch(tasks(tmp_path, "well"))
    (came,) = carry_out(msgspec.structs.replace(some, version="0.0.1"))
    assert came.record.end == "trouble"
    assert "0.0.1" in came.record.why


def test_the_end_of_a_night_ends_its_processes(tmp_path: Path) -> None:
    """What hangs at that moment is ended too, and nothing is said about it."""
    executor = Here(1)
    future = executor.submit(carry_out, batch(tasks(tmp_path, "hangs")))
    while not processes.working():
        assert not future.done()
    executor.close()
    assert isinstance(future.exception(), processes.EndedByUs)
    assert not processes.working()


def test_a_night_that_is_over_begins_no_run(tmp_path: Path, here: Here) -> None:
    """What waits in a batch goes back unbegun; another night's goes on."""
    carrying.begin_no_more("a")
    some = batch(tasks(tmp_path, "well", seeds=2))
    assert [] == here.submit(carry_out, msgspec.structs.replace(some, night="a")).result()
    other = msgspec.structs.replace(some, night="b")
    assert 2 == len(here.submit(carry_out, other).result())
