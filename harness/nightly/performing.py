"""Carrying out one task, in the process that was started for it.

Rules
1. Whatever a run does, it comes to a record: a run that cannot be carried out is trouble, with the
   sentence; only what ends the process itself is left to whoever waits for it.
2. The folder of a run on real machines is made in the archive where that is a folder of this
   machine: if all dies, `antipaxos heal` finds its ledger there. It goes when it is not to be kept.
"""

from __future__ import annotations

import functools
import os
import socket
import traceback
from pathlib import Path

import msgspec

from checkers.formats import FormatError, read_history
from checkers.history import HistoryError
from harness import keeping
from harness import run as running
from harness.clock import NS_PER_S, monotonic_ns, utc_now
from harness.contracts import EnvironmentTrouble
from harness.fingerprint import fingerprint
from harness.nightly.archive import Archive
from harness.nightly.judging import judged
from harness.nightly.real_failures import forget, made_small
from harness.nightly.records import RunRecord
from harness.nightly.tasks import Answer, Came, Carry, Kept, Shrink, Task
from harness.shrink import NotFailing, shrink
from harness.simulate import CANNOT_RUN, simulate
from harness.store.folder import RunFolder
from harness.trial import TrialError
from nemesis.schedule import ScheduleError

# What a file of the user says wrong is told before the night; on another machine it may differ.
_TROUBLES = (*CANNOT_RUN, TrialError, ScheduleError, FormatError, HistoryError, OSError)
_archive = functools.cache(Archive)


def perform(task: Task) -> Answer:
    """Carry out a task."""
    if isinstance(task, Shrink):
        return (
            _shrunk(task) if task.run.cell.simulated else made_small(task, store_of(task.archive))
        )
    began, began_ns = utc_now(), monotonic_ns()
    try:
        came = _simulated(task) if task.run.cell.simulated else _real(task)
    except _TROUBLES as wrong:
        came = Came(record=task.run.record("trouble", str(wrong)))
    except Exception as wrong:  # noqa: BLE001 - rule 1: told in full, and the night goes on
        why = f"a bug of antipaxos, {wrong!r}: please report it with the traceback"
        came = Came(record=task.run.record("trouble", why), stacks=traceback.format_exc())
    record = msgspec.structs.replace(
        came.record,
        started=began.isoformat(timespec="seconds"),
        seconds=round((monotonic_ns() - began_ns) / NS_PER_S, 3),
        worker=f"{socket.gethostname()}:{os.getpid()}",
    )
    return msgspec.structs.replace(came, record=record)


def _simulated(task: Carry) -> Came:
    case = task.run.cell.case(task.run.seed)
    simulated = simulate(case)
    record = judged(task.run, simulated.history, simulated.verdict())
    if not task.keep_all:
        return Came(record=record)
    folder, _ = keeping.keep(case, store_of(task.archive))
    return bring(record, folder.path, task.archive)


def _real(task: Carry) -> Came:
    run = task.run
    trial = run.cell.of_seed(run.seed)
    outcome = running.run(trial, store_of(task.archive))
    folder = RunFolder(outcome.folder)
    history = read_history(folder.history).history
    record = judged(run, history, outcome.verdict)
    notices = folder.read_notices()
    if outcome.exit_code == running.TROUBLE:
        why = notices[0] if notices else "see its run.log"
        record = msgspec.structs.replace(record, end="trouble", why=why)
    ended = any(notice.startswith("Interrupted by") for notice in notices)
    if task.keep_all or ended or record.end in ("invalid", "trouble"):
        return bring(record, folder.path, task.archive)
    forget(folder.path)
    return Came(record=record)


def _shrunk(task: Shrink) -> Kept:
    case = task.run.cell.case(task.run.seed)
    shrunk, why = None, ""
    if task.budget_s > 0:
        try:
            made = shrink(case, task.law, time_limit_s=task.budget_s)
            case, shrunk = made.case, (made.before, made.after)
        except NotFailing as wrong:
            why = f"it could not be repeated: {wrong}"
        except CANNOT_RUN as wrong:
            why = f"it could not be made small: {wrong}"
    try:
        folder, verdict = keeping.keep(case, store_of(task.archive))
        found = fingerprint(verdict.verdict)
        address = _moved(folder.path, task.archive)
    except _TROUBLES as wrong:
        return Kept(shrunk=shrunk, why=why, trouble=str(wrong))
    return Kept(folder=address, found=found, shrunk=shrunk, why=why)


def store_of(archive: str) -> Path:
    """Where runs are made (rule 2)."""
    own = _archive(archive).folder
    if own is not None:
        return own
    # Not /tmp, which may be memory: disks that forget are ours to imitate.
    store = Path(os.environ.get("TMPDIR", "/var/tmp")) / f"antipaxos-nights-{os.getuid()}"
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    return store


def bring(record: RunRecord, folder: Path, archive: str) -> Came:
    """The record of a run with the address of its folder, once that is in the archive."""
    try:
        address = _moved(folder, archive)
    except (EnvironmentTrouble, TrialError) as wrong:
        return Came(record=record, trouble=f"{wrong} The run is in {folder}.")
    return Came(record=msgspec.structs.replace(record, folder=address))


def _moved(folder: Path, archive: str) -> str:
    place = _archive(archive)
    address = place.put_folder(folder, folder.parent.name)
    if place.folder is None:
        forget(folder)
    return address
