"""Whose turn it is: the cells of a night, and what they have had of it.

Rules
1. Each cell gets the same time of the workers: the next run is of the cell that has had least,
   with what is under way counted as its runs have taken so far. A real run weighs as much as the
   hundred simulated ones that take as long.
2. Seeds of a cell go up by one from where its last night ended. A seed that was handed out and came
   came back unused is the next. A night that was killed had gone on since its file was written: the
   seeds of its records count, too.
3. A cell rests for the night when it has failed as often as the plan allows, or when TROUBLES_MAX
   runs in a row could not be carried out: more would say the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from harness.nightly import records
from harness.nightly.cells import Cell
from harness.nightly.grouping import TELLING
from harness.nightly.records import Night, RunRecord

TROUBLES_MAX = 5
BATCH_S = 1.0  # of runs that are handed out together
BATCH_MAX = 32
LEAST_S = 0.005  # what a run counts that came to nothing at once
_TROUBLED = ("trouble", "hung", "lost")


class Turn:
    """A cell in the night. `rests`: why it has no more runs, empty as long as it has."""

    def __init__(self, cell: Cell, first_seed: int, failures_max: int) -> None:
        self.cell = cell
        self.rests = ""
        self.under_way = 0
        self.runs = self.invalid = self.valid = self.operations = 0
        self.unjudged = 0
        self.why = ""
        self.spent_s = 0.0
        self.in_effect: dict[str, int] = {}
        self._failures_max = failures_max
        self._troubles = 0
        self._next_seed = first_seed
        self._back: deque[int] = deque()

    @property
    def _each_s(self) -> float:
        expected_s = 0.1 if self.cell.simulated else self.cell.trial.time_limit_s
        return self.spent_s / self.runs if self.runs else expected_s

    @property
    def share_s(self) -> float:
        return self.spent_s + self.under_way * self._each_s

    @property
    def fits(self) -> int:
        """How many runs to hand out together."""
        if not self.runs or self._troubles or not self.cell.simulated:
            return 1
        return max(1, min(BATCH_MAX, round(BATCH_S / max(self._each_s, 0.001))))

    def seed(self) -> int:
        self.under_way += 1
        if self._back:
            return self._back.popleft()
        self._next_seed += 1
        return self._next_seed - 1

    def back(self, seed: int) -> None:
        """It was not run."""
        self.under_way -= 1
        self._back.append(seed)

    def came(self, record: RunRecord) -> None:
        self.under_way -= 1
        self.runs += 1
        self.spent_s += max(record.seconds, LEAST_S)
        self.operations += record.operations
        self.valid += record.end == "valid"
        if record.end not in TELLING:
            self.unjudged += 1
            self.why = self.why or record.why
        for kind, times in record.in_effect.items():
            self.in_effect[kind] = self.in_effect.get(kind, 0) + times
        self._troubles = self._troubles + 1 if record.end in _TROUBLED else 0
        if self._troubles == TROUBLES_MAX:
            self.rests = f"{TROUBLES_MAX} runs in a row came to nothing: {record.why}"
        if record.end == "invalid":
            self.invalid += 1
            if self.invalid == self._failures_max:
                self.rests = f"it failed {self.invalid} times, as often as the plan allows"

    @property
    def _goes_on(self) -> int:
        """After the last seed that was run or is: those that came back from the end are free."""
        seed = self._next_seed
        while seed - 1 in self._back:
            seed -= 1
        return seed

    @property
    def sum(self) -> records.Cell:
        return records.Cell(
            name=self.cell.name,
            runs=self.runs,
            invalid=self.invalid,
            next_seed=self._goes_on,
            operations=self.operations,
            seconds=round(self.spent_s, 3),
            in_effect=self.in_effect,
            unjudged=self.unjudged,
            why=self.why,
        )


class Turns:
    """`real_at_once`: runs on real machines under way at the same time. `shrinking`: how many of
    their places failures have that are made small."""

    def __init__(self, turns: Sequence[Turn], real_at_once: int) -> None:
        self.all = turns
        self.of = {turn.cell.name: turn for turn in turns}
        self.shrinking = 0
        self._real_at_once = real_at_once

    @property
    def real_free(self) -> bool:
        under_way = sum(turn.under_way for turn in self.all if not turn.cell.simulated)
        return under_way + self.shrinking < self._real_at_once

    def next(self) -> Turn | None:
        """Whose turn it is; None if nobody's, for now."""
        free = self.real_free
        waiting = [turn for turn in self.all if not turn.rests and (turn.cell.simulated or free)]
        return min(waiting, key=lambda turn: turn.share_s, default=None)

    @property
    def over(self) -> bool:
        return all(turn.rests for turn in self.all)


def seeds_after(nights: Sequence[Night], killed: Sequence[RunRecord] = ()) -> Mapping[str, int]:
    """Where each cell goes on, by name. `killed`: the records of a night that did not end."""
    seeds: dict[str, int] = {}
    for night in nights:
        for cell in night.cells:
            seeds[cell.name] = max(cell.next_seed, seeds.get(cell.name, 0))
    for record in killed:
        seeds[record.cell] = max(record.seed + 1, seeds.get(record.cell, 0))
    return seeds
