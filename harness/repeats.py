"""Repeating a run on real machines: the same schedule and seed again, and how often it fails again.

Rules
1. Such a run does not follow from its seed: how processes and packets race is the machine's. So a
   failure is repeated many times, and what is said is a share with its interval, never "it does".
2. Each repetition is a run like any other, with a folder of its own. It counts as failed again only
   if the same law is broken; one that fails otherwise is told, and does not count.
3. A repetition that was interrupted, or of which nothing was recorded, says nothing and does not
   count at all.

Sources: Wilson 1927, "Probable inference, the law of succession, and statistical inference": the
interval stays within 0 and 1, and means something for few runs.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from math import sqrt
from pathlib import Path

import msgspec

from checkers.verdict import Kind
from harness import run as running
from harness.clock import NS_PER_S, monotonic_ns
from harness.contracts import EnvironmentTrouble
from harness.fingerprint import fingerprint
from harness.store.folder import RunFolder
from harness.trial import Trial

Z_95 = 1.959964  # of the normal distribution: 95 % lie within so many deviations of the mean


class Repetition(msgspec.Struct, frozen=True):
    """`laws`: all that were broken, the fingerprint's first. `interrupted`: by a signal."""

    folder: Path
    kind: Kind
    laws: tuple[str, ...]
    interrupted: bool = False

    def breaks(self, law: str | None) -> bool:
        """None: any law."""
        return self.kind is Kind.INVALID if law is None else law in self.laws


class Repeated(msgspec.Struct, frozen=True, kw_only=True):
    """`law`: that the stored run broke, None if it broke none. `troubles`: sentences about runs
    that said nothing. `asked`: how many there were to be; fewer where time was up."""

    law: str | None
    asked: int
    runs: Sequence[Repetition]
    troubles: Sequence[str]

    @property
    def failed(self) -> int:
        return sum(run.breaks(self.law) for run in self.runs)

    @property
    def kind(self) -> Kind:
        """INVALID if any run was, VALID if all were, else UNKNOWN."""
        kinds = {run.kind for run in self.runs}
        if Kind.INVALID in kinds:
            return Kind.INVALID
        return Kind.VALID if kinds == {Kind.VALID} else Kind.UNKNOWN


def wilson(successes: int, tries: int) -> tuple[float, float]:
    """The 95 % interval of a share of which so many tries are known. (0, 1) without any."""
    if not tries:
        return 0.0, 1.0
    share, square = successes / tries, Z_95**2 / tries
    middle = share + square / 2
    spread = Z_95 * sqrt(share * (1 - share) / tries + square / (4 * tries))
    return max(0.0, (middle - spread) / (1 + square)), min(1.0, (middle + spread) / (1 + square))


def share_told(failed: int, of: int, one: str = "run", several: str = "runs") -> str:
    """'3 of 5 runs (95 %: 23 % to 88 %)'."""
    low, high = wilson(failed, of)
    runs = f"1 {one}" if of == 1 else f"{of} {several}"
    return f"{failed} of {runs} (95 %: {100 * low:.0f} % to {100 * high:.0f} %)"


def again(trial: Trial, schedule: Path, store: Path) -> Repetition:
    """One run of the trial with these faults, or by the scenario beside them, by the seed of the
    trial.

    Raises EnvironmentTrouble where nothing was recorded.
    """
    trial = msgspec.structs.replace(trial, live_check="off")
    if trial.scenario:  # it waits for what it needs, where its faults at their times would miss it
        trial = msgspec.structs.replace(trial, scenario=str(RunFolder(schedule.parent).scenario))
    else:
        trial = msgspec.structs.replace(trial, faults=str(schedule))
    with contextlib.redirect_stdout(io.StringIO()):  # its verdict is one line of ours
        outcome = running.run(trial, store)
    found = fingerprint(outcome.verdict)
    laws = () if found is None else tuple(dict.fromkeys((found.law, *found.seen_by)))
    notices = RunFolder(outcome.folder).read_notices()
    interrupted = any(notice.startswith("Interrupted by") for notice in notices)
    return Repetition(outcome.folder, outcome.verdict.kind, laws, interrupted)


def repeat(
    carry_out: Callable[[], Repetition],
    law: str | None,
    times: int,
    budget_s: float,
    told: Callable[[int, Repetition], None] = lambda _number, _run: None,
) -> Repeated:
    """Carry out a run up to `times` times; none begins when `budget_s` has passed. `told` hears of
    each with its number, from 1."""
    began_ns = monotonic_ns()
    found: list[Repetition] = []
    troubles: list[str] = []
    for number in range(1, times + 1):
        if (monotonic_ns() - began_ns) / NS_PER_S >= budget_s:
            break
        try:
            run = carry_out()
        except EnvironmentTrouble as wrong:
            troubles.append(f"run {number}: {wrong}")
            if str(wrong).startswith("Interrupted"):
                break
            continue
        if run.interrupted:
            troubles.append(f"run {number} was interrupted")
            break
        found.append(run)
        told(number, run)
    return Repeated(law=law, asked=times, runs=found, troubles=troubles)
