"""The harness finds the bugs that are there, and none that are not.

Every mutant of the catalogue is hunted by a swarm from seed 1 on, and the unbroken reference goes
through the same trials. Budgets are runs, not seconds: the outcome is the same on every machine.

What fits into a minute or two is done here. Mutants that take more than RUNS are in RARE, and ten
times the runs of the hunts would be some thousands of the reference: `make mutants` does both, and
`make swarm`, which is part of CI, 2,000 runs more of the reference.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from harness import matrix
from harness.catalogue import entries
from harness.jobs import each
from harness.matrix import Hunt, Spent

RUNS = 60
REFERENCE_RUNS = 800
RARE = {"clings-to-office", "no-back-off"}
S = TypeVar("S")
T = TypeVar("T")
SOUGHT = [entry for entry in entries() if entry.name not in RARE]


def done(items: Sequence[S], work: Callable[[S], T], lost: Callable[[S, int | None], T]) -> list[T]:
    """By two processes, in the order of the items."""
    return list(each(items, work, lost, min(2, os.cpu_count() or 1)))


def test_every_mutant_is_found() -> None:
    """Within RUNS runs, and by a checker or law that the catalogue names."""
    hunts = [Hunt(mutant=entry, scheduler="swarm", first=1, runs=RUNS) for entry in SOUGHT]
    hunted = done(hunts, matrix.hunt, matrix.lost_hunt)
    assert [] == [h.hunt.mutant.name for h in hunted if h.found is None]
    # A node that never gets ready is what some mutants of liveness are, and trouble.
    assert [] == [h.trouble for h in hunted if h.trouble and h.hunt.mutant.kind == "safety"]


def test_the_unbroken_reference_breaks_nothing() -> None:
    """Not in any of the trials in which mutants are hunted; and many of its runs say something."""
    spells = matrix.spells(SOUGHT, ("swarm",), REFERENCE_RUNS, first=1)
    came = Spent()
    for spent in done(spells, matrix.spend, matrix.lost_spell):
        came = came.plus(spent)
    assert came.runs >= REFERENCE_RUNS
    assert [] == [(found.seed, found.case, found.summary) for found in came.alarms]
    assert ((), ()) == (came.troubled, came.unknown)
    assert came.valid > came.runs / 4


def test_the_rare_ones_exist() -> None:
    """A mutant that is gone, or has a new name, would be hunted by nobody."""
    assert {entry.name for entry in entries()} >= RARE
