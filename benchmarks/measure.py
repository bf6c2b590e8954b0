"""One search by the engine: verdict, seconds, and the memory it took beyond the history.

Rules
1. A wrong verdict ends the benchmark: what is fast and wrong is not measured.
2. Memory is what the process held at its highest during the search, less what it held before; the
   history and its columns are there before. Where the system does not tell, it is NaN.
"""

from __future__ import annotations

import ctypes
import gc
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from checkers.linearizability import engine
from checkers.models import Model
from harness.clock import NS_PER_S, monotonic_ns

MB = 1e6
REPEATS_MAX, REPEATED_S = 6, 2.0


class Measured(NamedTuple):
    """`linearizable` is None where a budget was spent, for `reason`."""

    linearizable: bool | None
    took_s: float
    peak_mb: float
    reason: str | None

    def __str__(self) -> str:
        names = {True: "valid", False: "invalid", None: f"unknown ({self.reason})"}
        return names[self.linearizable]


def search(
    table: Any,
    model: Model,
    *,
    time_s: float | None = 60.0,
    memory: int | None = None,
    threads: int = 1,
    weigh: bool = False,
) -> Measured:
    """One search of a table, by the native model where there is one.

    To `weigh` it, the memory that lies about is given back before, which costs the search time.
    """
    from checkers import _engine  # the extension is optional

    asked = engine.native(model)
    before = _settled() if weigh else math.nan
    began_ns = monotonic_ns()
    outcome = _engine.search(
        table,
        asked,
        time_s=time_s,
        configurations=None,
        memory=memory,
        threads=threads,
        witness=False,
    )
    took_s = (monotonic_ns() - began_ns) / NS_PER_S
    if outcome.refused is not None:
        raise AssertionError(f"the model cannot read the call {outcome.refused}")
    linearizable = False if outcome.refuted else None if outcome.reason else True
    peak_mb = _resident("VmHWM") - before if weigh else math.nan
    return Measured(linearizable, took_s, peak_mb, outcome.reason)


def repeated(measure: Callable[[bool], Measured], expected: bool) -> Measured:
    """The median of some runs, after one that is weighed and counts only where it took long.

    Raises AssertionError where a verdict is not the expected one.
    """
    weighed = measure(True)
    insist(weighed.linearizable, expected)
    if weighed.took_s > REPEATED_S:
        return weighed
    runs: list[Measured] = []
    while len(runs) < REPEATS_MAX and sum(run.took_s for run in runs) < REPEATED_S:
        runs.append(measure(False))
        insist(runs[-1].linearizable, expected)
    return weighed._replace(took_s=statistics.median(run.took_s for run in runs))


def insist(found: bool | None, expected: bool, about: str = "this history") -> None:
    """Raises AssertionError where the verdict is wrong; none within the budget is not wrong."""
    if found is not None and found != expected:
        words = {True: "linearizable", False: "not linearizable"}
        raise AssertionError(f"WRONG VERDICT: {about} is {words[expected]}, found {words[found]}")


def slope(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Of the line through log n, log t: 1 is linear. NaN for fewer than two sizes."""
    if len(sizes) < 2:
        return math.nan
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def held_mb() -> float:
    """Megabytes that this process holds."""
    return _resident("VmRSS")


def need_engine() -> None:
    if not engine.available():
        sys.exit(f"no engine to measure: {engine.why_not()}")


def _settled() -> float:
    """Megabytes held now, garbage collected, with the high-water mark set back to it."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    return _resident("VmRSS")


def _resident(field: str) -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        return math.nan
    line = next(line for line in status.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024 / MB
