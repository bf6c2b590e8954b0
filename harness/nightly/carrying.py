"""What every worker does, whoever it belongs to: carry out tasks in a child process of its thread.

Rules
1. These functions are the same on threads of ours and on Dask's workers, of one machine or many:
   each thread has one child at a time, so nothing that a run does to its process is met by another.
2. A run whose process dies is tried once more, in a new process; what dies twice is `lost`. A run
   that hangs is ended, with the stacks of all its threads, and not tried again.
3. A child serves simulated runs one after the other. A run on real machines has one to itself: it
   handles signals, and changes limits of its process.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from importlib.metadata import version

import msgspec

from harness.clock import NS_PER_S, monotonic_ns, utc_now
from harness.nightly.performing import bring, store_of
from harness.nightly.processes import Child, Died, EndedByUs
from harness.nightly.records import RunRecord
from harness.nightly.tasks import Answer, Batch, Came, Carry, Kept, Shrink, Task

TASKS_MAX = 2000  # of one child: what a machine under test leaks goes with it
BESIDE_SHRINKING_S = 120.0  # for the last candidate, and for keeping what was reached
HEAL_LIMIT_S = 60.0
TRIES_MAX = 2
_own = threading.local()
_over: set[str] = set()  # nights that begin with no run any more


def carry_out(batch: Batch) -> list[Came]:
    """Carry out runs, one after the other: what came of each. At least one of them, unless the
    night is over. Raises EndedByUs where it was left meanwhile."""
    ours = version("antipaxos")
    if ours != batch.version:
        why = (
            f"this worker has antipaxos {ours} and the night is of {batch.version}: the same seed "
            "may be another run. Install the same on every machine"
        )
        return [Came(record=task.run.record("trouble", why)) for task in batch.tasks]
    began_ns = monotonic_ns()
    came: list[Came] = []
    for task in batch.tasks:
        if batch.night in _over:
            break
        came.append(_carried_out(task))
        if monotonic_ns() - began_ns >= batch.slice_s * NS_PER_S:
            break
    return came


def begin_no_more(night: str) -> None:
    """From now on no run of this night begins in this process; the one at work goes on."""
    _over.add(night)


def make_small(task: Shrink) -> Kept:
    """Make a failure small and keep it."""
    real = not task.run.cell.simulated
    limit_s = task.budget_s + BESIDE_SHRINKING_S + (task.run.limit_s if real else 0.0)
    answer = _ask(task, limit_s, orderly=real)
    if isinstance(answer, Kept):
        return answer
    if real:
        _heal(task.archive)
    if task.budget_s > 0:  # as it is, then
        return msgspec.structs.replace(
            make_small(msgspec.structs.replace(task, budget_s=0.0)),
            why="the process that made it small hung or died",
        )
    return Kept(why="the process that was to keep it hung or died")


def _carried_out(task: Carry) -> Came:
    began, began_ns = utc_now(), monotonic_ns()
    came = _tried_out(task)
    if came.record.started:
        return came
    spent_s = round((monotonic_ns() - began_ns) / NS_PER_S, 3)
    told = {"started": began.isoformat(timespec="seconds"), "seconds": spent_s}
    return msgspec.structs.replace(came, record=msgspec.structs.replace(came.record, **told))


def _tried_out(task: Carry) -> Came:
    real = not task.run.cell.simulated
    tries = 0
    while True:
        tries += 1
        answer = _ask(task, task.run.limit_s, orderly=real)
        if isinstance(answer, Came):
            if tries == 1:
                return answer
            return msgspec.structs.replace(answer, record=_tried(answer.record))
        assert isinstance(answer, Died), "a run comes to a record"
        if real:
            _heal(task.archive)
        if answer.hung:
            return _hung(task, answer, tries)
        if tries == TRIES_MAX:
            return _lost(task, answer)


def _ask(task: Task, limit_s: float, *, orderly: bool) -> Answer | Died:
    child: Child | None = getattr(_own, "child", None)
    if child is not None and (orderly or child.done >= TASKS_MAX or not child.usable):
        child.end()
        child = None
    if child is None:
        child = Child()
    _own.child = None
    answer = child.ask(task, limit_s, orderly=orderly)
    if isinstance(answer, Died):
        return answer
    if orderly:
        child.end()
    else:
        _own.child = child
    return answer


def _tried(record: RunRecord) -> RunRecord:
    return msgspec.structs.replace(record, tries=2)


def _hung(task: Carry, died: Died, tries: int) -> Came:
    why = (
        f"it had not ended after {task.run.limit_s:g} s: its stacks are in stacks/{task.run.id}.txt"
    )
    came = died.answer if isinstance(died.answer, Came) else _left_behind(task)
    if came.record.end == "invalid":  # what was recorded until then proves it, however it ended
        return msgspec.structs.replace(came, stacks=died.told)
    record = msgspec.structs.replace(came.record, end="hung", why=why, tries=tries)
    return Came(record=record, stacks=died.told, trouble=came.trouble)


def _lost(task: Carry, died: Died) -> Came:
    code = died.code or 0
    how = f"signal {-code}" if code < 0 else f"exit status {code}"
    came = _left_behind(task)
    why = f"its process ended twice, the second time by {how}"
    record = msgspec.structs.replace(came.record, end="lost", why=why, tries=2)
    return Came(record=record, stacks=died.told, trouble=came.trouble)


def _left_behind(task: Carry) -> Came:
    """Of a run whose process is gone: the folder that it had begun, if it is on real machines."""
    record = task.run.record("lost")
    if task.run.cell.simulated:
        return Came(record=record)
    trial = task.run.cell.of_seed(task.run.seed)
    begun = (store_of(task.archive) / trial.label).glob(f"*-{trial.seed}")
    newest = max((path for path in begun if path.is_dir()), default=None)
    return Came(record=record) if newest is None else bring(record, newest, task.archive)


def _heal(archive: str) -> None:
    """Undo what a run on real machines left, in a process of its own; what it says is in its own
    words for those who look, and the next run heals first anyway."""
    words: Sequence[str] = ("heal", "--store", str(store_of(archive)))
    try:
        subprocess.run(
            [sys.executable, "-P", "-m", "harness.cli", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=HEAL_LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return  # rule 2 of the next run: it starts from a clean place, or says why it cannot


__all__ = ["EndedByUs", "begin_no_more", "carry_out", "make_small"]
