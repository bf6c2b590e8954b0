"""A night from its first run to its end, with workers that answer at once from a script."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.contracts import EnvironmentTrouble
from harness.nightly.archive import Archive
from harness.nightly.cells import planned
from harness.nightly.night import GOES_ON, Conductor, Moment, Over
from harness.nightly.records import RunRecord
from harness.nightly.spec import Spec, Stop
from harness.nightly.tasks import Batch, Came, Kept, Run, Shrink
from harness.nightly.turns import TROUBLES_MAX

Answers = Callable[[Run], RunRecord]


class Scripted:
    """An executor whose runs end as `answers` says, at once."""

    def __init__(self, answers: Answers) -> None:
        self.slots = 2
        self.closed = False
        self.over = ""
        self.shrunk: list[Shrink] = []
        self.seeds: list[tuple[str, int]] = []
        self._answers = answers

    def submit(self, work: Callable[[Any], Any], task: Any) -> Future[Any]:  # noqa: ARG002
        future: Future[Any] = Future()
        try:
            future.set_result(self._answer(task))
        except CancelledError:
            future.cancel()
            future.set_running_or_notify_cancel()
        except OSError as wrong:  # what a worker that is gone comes to
            future.set_exception(wrong)
        return future

    def _answer(self, task: Batch | Shrink) -> list[Came] | Kept:
        if isinstance(task, Shrink):
            self.shrunk.append(task)
            return Kept(folder=f"kept/{task.run.seed}")
        self.seeds += [(t.run.cell.name, t.run.seed) for t in task.tasks]
        return [Came(record=self._answers(t.run)) for t in task.tasks]

    def recall(self, future: Future[Any]) -> bool:
        return future.cancel()

    def begin_no_more(self, night: str) -> None:
        self.over = night

    def trouble(self) -> str:
        return ""

    def close(self) -> None:
        self.closed = True


def valid(run: Run) -> RunRecord:
    return msgspec.structs.replace(run.record("valid"), seconds=0.5, operations=10)


def invalid(run: Run) -> RunRecord:
    found = {"fingerprint": "agreement-1", "law": "agreement", "shape": "s", "sentence": "s"}
    return msgspec.structs.replace(run.record("invalid"), seconds=0.5, **found)


def spec(stop: Stop, *settings: dict[str, Any], budget_s: float = 60.0) -> Spec:
    cells = tuple(planned({"cluster": "simulated", **one}) for one in settings or ({},))
    return Spec(source="night.yaml", cells=cells, stop=stop, budget_s=budget_s)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(str(tmp_path / "runs"))


def conducted(spec: Spec, archive: Archive, answers: Answers) -> tuple[Over, Scripted]:
    executor = Scripted(answers)
    over = Conductor(spec, archive, executor).run()
    assert executor.closed
    return over, executor


def test_seeds_go_on_from_the_night_before(archive: Archive) -> None:
    """No seed is run twice, and none is left out, over two nights."""
    plan = spec(Stop(runs=40))
    first, began = conducted(plan, archive, valid)
    second, went_on = conducted(plan, archive, valid)
    assert ({"valid": 40}, {"valid": 40}) == (first.night.ends, second.night.ends)
    seeds = [seed for _, seed in (*began.seeds, *went_on.seeds)]
    assert list(range(1, 81)) == seeds
    assert second.night.cells[0].next_seed == 81
    assert 40 == len(archive.records(second.night.name))


def test_runs_that_a_worker_left_are_run(archive: Archive) -> None:
    """A worker answers what it did in its time, and leaves the rest of a batch: as many runs come
    as the plan asks for, each seed once, each with an id of its own."""

    class Slow(Scripted):
        def _answer(self, task: Batch | Shrink) -> list[Came] | Kept:
            answers = super()._answer(task)
            return answers[:2] if isinstance(answers, list) else answers

    over = Conductor(spec(Stop(runs=40)), archive, Slow(valid)).run()
    records = archive.records(over.night.name)
    assert {"valid": 40} == over.night.ends
    assert 40 == len({record.id for record in records}) == len({r.seed for r in records})


def test_cells_get_the_same_time(archive: Archive) -> None:
    """One whose runs take three times as long has a third of the runs."""

    def slow(run: Run) -> RunRecord:
        took_s = 1.5 if run.cell.trial.workload == "log" else 0.5
        return msgspec.structs.replace(valid(run), seconds=took_s)

    plan = spec(Stop(runs=200), {"workload": "register"}, {"workload": "log"})
    over, _ = conducted(plan, archive, slow)
    quick, slow_ = (cell.runs for cell in over.night.cells)
    assert quick == pytest.approx(150, abs=5)
    assert slow_ == pytest.approx(50, abs=5)


def test_the_first_of_each_new_failure_is_kept(archive: Archive) -> None:
    """Once, however often it fails; the next night knows it and keeps it no more."""
    over, executor = conducted(spec(Stop(runs=20)), archive, invalid)
    assert ["agreement-1"] == over.night.new
    assert [1] == [task.run.seed for task in executor.shrunk]
    (group,) = over.groups
    assert (group.folder, {over.night.name: 20}) == ("kept/1", group.nights)
    assert group.replay.endswith("kept/1")
    again, executor = conducted(spec(Stop(runs=5)), archive, invalid)
    assert ([], ["agreement-1"]) == (again.night.new, again.night.known)
    assert not executor.shrunk
    assert 2 == len(again.groups[0].nights)


def test_a_cell_rests_after_its_failures(archive: Archive) -> None:
    """A night of such cells alone ends; others go on."""
    over, _ = conducted(spec(Stop(failures_per_cell=3)), archive, invalid)
    assert over.night.stopped == "every cell rests"
    assert over.night.ends["invalid"] >= 3


def test_what_cannot_be_carried_out_is_not_tried_all_night(archive: Archive) -> None:
    """A system that is not installed, say: some runs say so, and the cell rests."""
    plan = spec(Stop(runs=300), {"workload": "register"}, {"workload": "log"})

    def absent(run: Run) -> RunRecord:
        if run.cell.trial.workload == "register":
            return run.record("trouble", "no such program")
        return valid(run)

    over, _ = conducted(plan, archive, absent)
    assert over.night.ends["trouble"] < TROUBLES_MAX + 10
    assert over.night.ends["valid"] > 280


def test_it_ends_after_so_many_new_failures(archive: Archive) -> None:
    """The rule of those who want to be told at once."""
    over, _ = conducted(spec(Stop(new_groups=1)), archive, invalid)
    assert "1 new failures" in over.night.stopped


def test_it_ends_by_its_budget_and_when_it_is_told(archive: Archive) -> None:
    """Each with its reason, and with all that came until then."""
    over, _ = conducted(spec(Stop(), budget_s=0.3), archive, valid)
    assert over.night.stopped == "its budget was spent"
    conductor = Conductor(spec(Stop()), archive, Scripted(valid))

    def shown(moment: Moment) -> None:
        if moment.ends["valid"] > 10:
            conductor.stop("it was ended by SIGTERM")

    told = conductor.run(shown)
    assert told.night.stopped == "it was ended by SIGTERM"
    assert told.night.ends["valid"] == len(archive.records(told.night.name))


def test_a_full_disk_ends_it_and_keeps_what_there_is(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence is told, records from before are there, and failures are still failures."""
    conductor = Conductor(spec(Stop(runs=500)), archive, Scripted(invalid))
    append, taken = conductor._folder.append, []

    def full(record: RunRecord) -> None:
        if len(taken) == 7:
            raise EnvironmentTrouble("runs.jsonl cannot be written: No space left on device.")
        taken.append(record)
        append(record)

    monkeypatch.setattr(conductor._folder, "append", full)
    over = conductor.run()
    assert over.night.stopped == "the archive takes nothing more"
    assert ["runs.jsonl cannot be written: No space left on device."] == list(over.troubles)
    assert 7 == len(archive.records(over.night.name))
    assert over.night.ends["invalid"] >= 7


def test_what_ends_its_workers_is_lost_alone(archive: Archive) -> None:
    """Dask gives up a batch whose workers die: its runs are tried one by one, each is answered."""

    class Deadly(Scripted):
        def _answer(self, task: Batch | Shrink) -> list[Came] | Kept:
            if isinstance(task, Batch) and any(t.run.seed == 10 for t in task.tasks):
                raise OSError("KilledWorker")
            return super()._answer(task)

    over = Conductor(spec(Stop(runs=40)), archive, Deadly(valid)).run()
    assert {"valid": 39, "lost": 1} == over.night.ends
    (lost,) = (r for r in archive.records(over.night.name) if r.end == "lost")
    assert (10, 2) == (lost.seed, lost.tries)
    assert "KilledWorker" in lost.why


def test_a_scheduler_that_is_gone_ends_it(archive: Archive) -> None:
    """Its tasks come back cancelled: that is trouble, and what came before stays."""

    class Gone(Scripted):
        def _answer(self, task: Batch | Shrink) -> list[Came] | Kept:
            if len(self.seeds) > 5:
                raise CancelledError
            return super()._answer(task)

    over = Conductor(spec(Stop(runs=40)), archive, Gone(valid)).run()
    assert over.night.stopped == "its scheduler is gone"
    assert over.troubles
    assert over.night.ends["valid"] > 5


def test_after_a_night_that_was_killed_its_seeds_go_on(archive: Archive) -> None:
    """Its file was written before its last records: those count, and none is run again."""
    plan = spec(Stop(runs=40))
    killed, _ = conducted(plan, archive, valid)
    folder = Path(archive.address) / "nights" / killed.night.name
    cell = msgspec.structs.replace(killed.night.cells[0], next_seed=7)
    stale = msgspec.structs.replace(killed.night, stopped=GOES_ON, cells=[cell])
    (folder / "night.json").write_bytes(msgspec.json.encode(stale))
    _, went_on = conducted(plan, archive, valid)
    assert list(range(41, 81)) == [seed for _, seed in went_on.seeds]


def test_passing_runs_go_after_as_many_nights_as_asked_for(archive: Archive) -> None:
    """Their folders; those of failures and all records stay."""

    def kept(run: Run) -> RunRecord:
        record = invalid(run) if run.seed % 2 else valid(run)
        address = f"paxos/{run.seed}"
        folder = Path(archive.address) / address
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "history.jsonl").touch()
        return msgspec.structs.replace(record, folder=address)

    plan = msgspec.structs.replace(spec(Stop(runs=4)), retention="all", keep_nights=1)
    first, _ = conducted(plan, archive, kept)
    second, _ = conducted(plan, archive, kept)
    there = {path.name for path in (Path(archive.address) / "paxos").iterdir()}
    assert {"1", "3", "5", "6", "7", "8"} == there
    assert 4 == len(archive.records(first.night.name)) == len(archive.records(second.night.name))


def test_what_has_not_begun_is_taken_back_at_the_end(archive: Archive) -> None:
    """Rule 2: no run begins then; its seeds are the first of the next night."""

    class Asleep(Scripted):
        def submit(self, work: Callable[[Any], Any], task: Any) -> Future[Any]:
            return Future() if len(self.seeds) >= 3 else super().submit(work, task)

    executor = Asleep(valid)
    conductor = Conductor(spec(Stop()), archive, executor)
    over = conductor.run(lambda m: conductor.stop("enough") if m.ends["valid"] >= 3 else None)
    assert ("enough", []) == (over.night.stopped, list(over.troubles))
    assert len(executor.seeds) + 1 == over.night.cells[0].next_seed


def test_a_failure_on_real_machines_is_made_small_in_the_place_of_a_run(archive: Archive) -> None:
    """One at a time, within what is left of the budget; its folder is known either way."""
    real = {"cluster": "local", "workload": "register", "faults": "none"}

    def kept(run: Run) -> RunRecord:
        return msgspec.structs.replace(invalid(run), folder=f"paxos/{run.seed}")

    over, executor = conducted(spec(Stop(failures_per_cell=3), real), archive, kept)
    (task,) = executor.shrunk
    assert ("paxos/1", 1) == (task.folder, task.run.seed)
    assert 0 < task.budget_s <= 60
    (group,) = over.groups
    assert group.folder == "kept/1"
