"""Making a failure on real machines small, at night: fewer faults, a shorter run, fewer clients.

Rules
1. The run that failed stays: it is the evidence. Beside it the smallest run that failed often
   enough is kept; those of all other candidates go.
2. What cannot be made small says why, and is kept as it is. A failure that did not come again in as
   many runs as its time allowed is no less a failure.
"""

from __future__ import annotations

import shutil
import tempfile
from hashlib import sha256
from pathlib import Path

from harness import repeats, shrink_real
from harness.contracts import EnvironmentTrouble
from harness.nightly.archive import Archive
from harness.nightly.tasks import Kept, Shrink
from harness.repeats import Repetition
from harness.shrink import NotFailing
from harness.shrink_real import Plan, Reduced
from harness.store.folder import RunFolder
from harness.trial import TrialError
from nemesis import schedule
from nemesis.schedule import ScheduleError


def made_small(task: Shrink, store: Path) -> Kept:
    """`store`: where its runs are made; what is kept of them is brought to the archive."""
    archive = Archive(task.archive)
    trial = task.run.cell.of_seed(task.run.seed)
    if task.budget_s <= 0 or not task.folder:
        return Kept(folder=task.folder)
    if trial.scenario:
        why = "it played a scenario, whose steps wait for one another"
        return Kept(folder=task.folder, why=why)
    made: list[Path] = []
    try:
        # Beside the runs and not in them: a schedule that was read is no part of the evidence.
        with tempfile.TemporaryDirectory(dir=store, prefix=".shrinking-") as place:
            copied = Path(place) / "failed"
            archive.get_folder(task.folder, copied)
            plan = Plan(trial, schedule.read(RunFolder(copied).schedule))
            came = _reduced(plan, task, Path(place), store, made)
        kept = _kept(task, archive, plan, came)
    except NotFailing as wrong:
        kept = Kept(folder=task.folder, why=f"it could not be made small: {wrong}")
    except (EnvironmentTrouble, TrialError, ScheduleError, OSError) as wrong:
        kept = Kept(folder=task.folder, why=f"it could not be made small: {wrong}")
    for folder in made:
        inside = archive.folder is not None and archive.folder / kept.folder == folder.absolute()
        if not inside:
            forget(folder)
    return kept


def _reduced(plan: Plan, task: Shrink, place: Path, store: Path, made: list[Path]) -> Reduced:
    def carry_out(plan: Plan) -> Repetition:
        content = schedule.encode(plan.faults)
        file = place / f"{sha256(content).hexdigest()[:12]}.json"
        file.write_bytes(content)
        run = repeats.again(plan.trial, file, store)
        made.append(run.folder)
        return run

    return shrink_real.shrink(plan, task.law, carry_out, task.budget_s)


def _kept(task: Shrink, archive: Archive, plan: Plan, came: Reduced) -> Kept:
    if came.plan == plan:
        return Kept(folder=task.folder, why="nothing could be left out")
    address = archive.put_folder(came.folder, came.folder.parent.name)
    return Kept(folder=address, shrunk=(_choices(plan), _choices(came.plan)))


def _choices(plan: Plan) -> int:
    faults, clients, load_s = plan.counts
    return faults + clients + round(load_s)


def forget(folder: Path) -> None:
    """Remove the folder of a run, and the links to the newest that would lead nowhere then."""
    shutil.rmtree(folder, ignore_errors=True)
    for link in (folder.parent / "latest", folder.parent.parent / "latest"):
        if link.is_symlink() and not link.exists():
            link.unlink(missing_ok=True)
