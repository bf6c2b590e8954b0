"""One night: hand out runs until its time is up, take what comes, keep what failed, tell.

Rules
1. What came is in the archive before anything is made of it. The night's own file is written again
   every so often, so that a night that is killed is a night that can be read, and goes on from.
2. It ends by its budget, its stop rule, a first signal, or a place that takes nothing more: then no
   run begins, those under way get END_LIMIT_S (their own limit, where it was the budget), and what
   failed is kept. A second signal leaves at once; the processes of runs end with us.
3. The first failure of each group is made small while the night goes on, ahead of further runs; on
   real machines in the place of a run there, for as long as the budget lasts. When the night ends,
   those that wait are kept as they are.
4. What is written at the end says what came of the archive, too; trouble there never takes away
   that something failed.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from datetime import datetime
from importlib.metadata import version
from itertools import count
from typing import Any

import msgspec

from harness.clock import NS_PER_S, folder_time, monotonic_ns, utc_now
from harness.contracts import EnvironmentTrouble
from harness.nightly import leftovers, summary
from harness.nightly.archive import Archive, NightFolder
from harness.nightly.carrying import EndedByUs, carry_out, make_small
from harness.nightly.executors import Executor
from harness.nightly.findings import Findings
from harness.nightly.performing import store_of
from harness.nightly.records import Group, Night, RunRecord
from harness.nightly.retention import prune
from harness.nightly.spec import Spec, as_settled
from harness.nightly.tasks import Batch, Came, Carry, Kept, Run, Shrink
from harness.nightly.turns import BATCH_MAX, BATCH_S, Turn, Turns, seeds_after

TICK_S = 0.5
WRITTEN_EVERY_S = 30.0
FOUND_WRITTEN_S = 2.0  # sooner, after a failure that nothing is kept of yet
GOES_ON = "it goes on, or was killed"
END_LIMIT_S = 75.0  # within the 90 s that systemd waits between SIGTERM and SIGKILL
QUEUED = 2  # tasks for each slot: one at work, one at hand


class Over(msgspec.Struct, frozen=True):
    """What a night came to. `troubles`: sentences about what the night itself could not do."""

    night: Night
    groups: list[Group]
    records: Sequence[RunRecord]
    troubles: Sequence[str]


class Moment(msgspec.Struct, frozen=True):
    """What progress shows."""

    elapsed_s: float
    budget_s: float
    ends: Counter[str]
    new: int
    known: int
    workers: int
    ending: str


class Conductor:
    """Conducts one night. `stop` may be called from a signal handler."""

    def __init__(self, spec: Spec, archive: Archive, executor: Executor) -> None:
        self._spec, self._archive, self._executor = spec, archive, executor
        self._began, self._began_ns = utc_now(), monotonic_ns()
        # Before anything is read: what another night writes until it ends would be forgotten.
        self._folder: NightFolder = archive.begin(folder_time(self._began), as_settled(spec))
        try:
            last = archive.last_night()
            killed = archive.records(last.name) if last and last.stopped == GOES_ON else []
            seeds = seeds_after(archive.nights(), killed)
            self._findings = Findings(archive.groups(), archive.address, last)
            self.notices = list(spec.left_out)
            if last and last.stopped == GOES_ON:
                made_in = store_of(archive.address)
                self.notices += leftovers.told(archive, made_in, last, killed, spec.cells)
        except BaseException:
            self._folder.close()
            raise
        failures_max = spec.stop.failures_per_cell
        self._turns = Turns(
            [Turn(c, seeds.get(c.name, spec.first_seed), failures_max) for c in spec.cells],
            spec.real_at_once,
        )
        # Its workers may have another night of the same second, in another archive.
        self._said_as = f"{archive.address}/{self.name}"
        self._pending: dict[Future[list[Came]], Batch] = {}
        self._shrinking: dict[Future[Kept], Shrink] = {}
        self._to_shrink: deque[Shrink] = deque()
        self._ends: Counter[str] = Counter()
        self._ids = count(1)  # none twice: a run that comes back unbegun gets another
        self._under_way = 0  # runs
        self._stopped = ""
        self._stopped_s = 0.0
        self._end_limit_s = END_LIMIT_S
        self._written_s = self._found_s = 0.0
        self._slots = 0
        self.troubles: list[str] = []

    @property
    def name(self) -> str:
        return self._folder.name

    def stop(self, why: str) -> None:
        """End in order, for this reason: the first given counts."""
        if not self._stopped:
            self._stopped_s = self._elapsed_s()
            self._stopped = why

    def run(self, shown: Callable[[Moment], None] = lambda _moment: None) -> Over:
        """Until it ends. Raises nothing that a run or the archive does."""
        try:
            self._told(lambda: self._folder.write_night(self._night()))
            while not self._settled():
                self._hand_out()
                under_way: list[Future[Any]] = [*self._pending, *self._shrinking]
                done, _ = wait(under_way, timeout=TICK_S, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=self._handed_out_at):
                    self._take(future)
                self._write_now_and_then()
                shown(self._moment())
            return self._close()
        finally:
            self._executor.close()
            self._told(self._folder.close)

    # --- handing out ---

    def _settled(self) -> bool:
        elapsed_s = self._elapsed_s()
        why = self._why_stop(elapsed_s)
        if why:
            by_budget = elapsed_s >= self._spec.budget_s and not self._stopped
            if by_budget:
                self._end_limit_s = max((r.limit_s for r in self._running()), default=0.0)
                self._end_limit_s = max(self._end_limit_s, self._spec.shrink_s) + END_LIMIT_S
            self.stop(why)
        if not self._stopped:
            return False
        self._recall()
        if elapsed_s - self._stopped_s > self._end_limit_s:
            count = len(self._pending) + len(self._shrinking)
            if count:
                self.troubles.append(
                    f"{count} tasks had not ended {self._end_limit_s:g} s after the night's end: "
                    "they were left"
                )
            return True
        return not (self._pending or self._shrinking or self._to_shrink)

    def _recall(self) -> None:
        """What nobody has begun with is not begun any more."""
        if self._pending:
            self._executor.begin_no_more(self._said_as)
        for future in [one for one in self._pending if self._executor.recall(one)]:
            self._unbegun(self._pending.pop(future).tasks)

    def _unbegun(self, tasks: Sequence[Carry]) -> None:
        for task in tasks:
            self._under_way -= 1
            self._turns.of[task.run.cell.name].back(task.run.seed)

    def _running(self) -> list[Run]:
        runs = [task.run for batch in self._pending.values() for task in batch.tasks]
        return runs + [task.run for task in self._shrinking.values()]

    def _why_stop(self, elapsed_s: float) -> str:
        rule = self._spec.stop
        if elapsed_s >= self._spec.budget_s:
            return "its budget was spent"
        if rule.runs and self._ends.total() >= rule.runs:
            return f"the plan asks for {rule.runs} runs"
        if rule.new_groups and self._findings.new >= rule.new_groups:
            return f"{self._findings.new} new failures, as many as the plan asks for"
        if self._turns.over:
            return "every cell rests"
        return self._executor.trouble() and self._lost(self._executor.trouble())

    def _lost(self, why: str) -> str:
        if why not in self.troubles:
            self.troubles.append(why)
        return why

    def _hand_out(self) -> None:
        self._slots = self._executor.slots or self._slots
        room = max(1, self._slots) * QUEUED
        for _ in range(len(self._to_shrink)):
            task = self._to_shrink.popleft()
            if len(self._shrinking) >= room or not self._fits(task):
                self._to_shrink.append(task)
                continue
            in_time = self._in_time(task)
            if in_time is not None:
                self._shrinking[self._executor.submit(make_small, in_time)] = in_time
                self._turns.shrinking += not task.run.cell.simulated
        while not self._stopped and len(self._pending) + len(self._shrinking) < room:
            batch = self._batch()
            if batch is None:
                return
            self._pending[self._executor.submit(carry_out, batch)] = batch

    def _fits(self, task: Shrink) -> bool:
        return task.run.cell.simulated or self._turns.real_free or bool(self._stopped)

    def _in_time(self, task: Shrink) -> Shrink | None:
        """What is left of it to do: None where that is nothing."""
        if task.run.cell.simulated:
            budget_s = 0.0 if self._stopped else self._spec.shrink_s
        elif self._stopped:
            return None  # its folder is kept
        else:
            left_s = self._spec.budget_s - self._elapsed_s()
            budget_s = min(self._spec.shrink_real_s, left_s)
        return msgspec.structs.replace(task, budget_s=max(0.0, budget_s))

    def _batch(self) -> Batch | None:
        turn = self._turns.next()
        most = self._spec.stop.runs
        left = most - self._ends.total() - self._under_way if most else BATCH_MAX
        if turn is None or left <= 0:
            return None
        cell, tasks = turn.cell, []
        for _ in range(min(turn.fits, left)):
            self._under_way += 1
            limit_s = self._spec.run_time_limit_s or cell.time_limit_s
            run = Run(id=next(self._ids), cell=cell, seed=turn.seed(), limit_s=limit_s)
            keep_all = self._spec.retention == "all"
            tasks.append(Carry(run=run, archive=self._archive.address, keep_all=keep_all))
        ours = version("antipaxos")
        return Batch(tasks=tuple(tasks), slice_s=2 * BATCH_S, version=ours, night=self._said_as)

    # --- taking ---

    def _handed_out_at(self, future: Future[Any]) -> int:
        """Of two answers that came together the older goes first: the first of a group is that of
        the lowest seed, wherever it can be."""
        batch = self._pending.get(future)
        return 0 if batch is None else batch.tasks[0].run.id

    def _take(self, future: Future[Any]) -> None:
        if future in self._shrinking:
            self._take_kept(future)
            return
        batch = self._pending.pop(future)
        came = self._answer(future, batch)
        answered = {one.record.id for one in came}
        under_way = {task.run.id for other in self._pending.values() for task in other.tasks}
        again = [t for t in batch.tasks if t.run.id not in answered | under_way]
        self._unbegun(again)
        for one in came:
            self._take_run(one, next(t.run for t in batch.tasks if t.run.id == one.record.id))

    def _answer(self, future: Future[list[Came]], batch: Batch) -> list[Came]:
        """What came of the runs of a batch that were carried out."""
        try:
            wrong = future.exception()
        except CancelledError:
            self._lost("the scheduler has lost what it was given: is it still there?")
            self.stop("its scheduler is gone")
            return []
        if wrong is None:
            return future.result()
        if isinstance(wrong, EndedByUs):
            return []
        if len(batch.tasks) > 1:  # one of them ends its workers: which one, shows when it is alone
            for task in batch.tasks:
                alone = msgspec.structs.replace(batch, tasks=(task,))
                self._pending[self._executor.submit(carry_out, alone)] = alone
            return []
        run = batch.tasks[0].run
        record = run.record("lost", f"what was to carry it out came to nothing: {wrong!r}")
        return [Came(record=msgspec.structs.replace(record, tries=2))]

    def _take_run(self, came: Came, run: Run) -> None:
        record = came.record
        self._under_way -= 1
        self._ends[record.end] += 1
        self._turns.of[record.cell].came(record)
        self._told(lambda: self._folder.append(record))
        if came.stacks:
            content = came.stacks.encode(errors="replace")
            self._told(lambda: self._folder.write(f"stacks/{record.id}.txt", content))
        if came.trouble:
            self._refused(came.trouble)
        if self._findings.take(record):
            self._found_s = self._elapsed_s()
            if run.cell.simulated or (record.folder and self._spec.shrink_real_s):
                self._to_shrink.append(
                    Shrink(
                        run=run,
                        law=record.law,
                        budget_s=self._spec.shrink_s,
                        archive=self._archive.address,
                        folder=record.folder,
                    )
                )

    def _take_kept(self, future: Future[Kept]) -> None:
        task = self._shrinking.pop(future)
        self._turns.shrinking -= not task.run.cell.simulated
        wrong = None if future.cancelled() else future.exception()
        if future.cancelled() or wrong is not None:
            if not isinstance(wrong, EndedByUs):
                of = f"the failure of seed {task.run.seed} of {task.run.cell.name}"
                self._lost(f"{of} was not kept: {wrong or 'its scheduler is gone'}")
            return
        kept = future.result()
        if kept.trouble:
            self._refused(kept.trouble)
        if self._spec.shrink_s and not (task.budget_s or kept.why):
            kept = msgspec.structs.replace(kept, why="the night ended first")
        self._findings.kept(task, kept)

    # --- writing ---

    def _told(self, write: Callable[[], object]) -> None:
        """Write to the archive; a place that refuses ends the night."""
        try:
            write()
        except EnvironmentTrouble as wrong:
            self._refused(str(wrong))

    def _refused(self, why: str) -> None:
        self._lost(why)
        self.stop("the archive takes nothing more")

    def _write_now_and_then(self) -> None:
        since_s = self._elapsed_s() - self._written_s
        due_s = FOUND_WRITTEN_S if self._found_s > self._written_s else WRITTEN_EVERY_S
        if since_s >= due_s and not self._stopped:
            self._written_s = self._elapsed_s()
            self._told(lambda: self._folder.write_night(self._night()))
            self._told(lambda: self._archive.write_groups(self._findings.grouped(self.name).groups))

    def _close(self) -> Over:
        self._told(self._folder.flush)
        grouped = self._findings.grouped(self.name)
        night = self._night()
        self._told(lambda: self._archive.write_groups(grouped.groups))
        self._told(lambda: self._folder.write_night(night))
        self._told(lambda: self._summarise(night, grouped.groups))
        if self._spec.keep_nights is not None:
            keep = self._spec.keep_nights
            self._told(lambda: prune(self._archive, keep))
        return Over(night, grouped.groups, self._findings.records, self.troubles)

    def _summarise(self, night: Night, groups: list[Group]) -> None:
        told = summary.files(self._archive, night, self._findings.records, groups)
        for name, content in told.items():
            self._folder.write(name, content)

    def _night(self) -> Night:
        grouped = self._findings.grouped(self.name)
        turns = self._turns.all
        return Night(
            name=self.name,
            spec=self._spec.source,
            started=_iso(self._began),
            ended=_iso(utc_now()),
            stopped=self._stopped or GOES_ON,
            ends=dict(self._ends),
            cells=[turn.sum for turn in turns],
            new=[group.fingerprint for group in grouped.new],
            known=[group.fingerprint for group in grouped.known],
            gone=[unseen.fingerprint for unseen in grouped.gone],
            seconds=round(self._elapsed_s(), 3),
            workers=self._slots,
            notices=[*self.notices, *self.troubles],
        )

    def _elapsed_s(self) -> float:
        return (monotonic_ns() - self._began_ns) / NS_PER_S

    def _moment(self) -> Moment:
        return Moment(
            self._elapsed_s(),
            self._spec.budget_s,
            self._ends,
            self._findings.new,
            self._findings.known,
            self._slots,
            self._stopped,
        )


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
