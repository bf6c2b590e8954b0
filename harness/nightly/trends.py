"""Trends: how nights compare, from their summaries and records.

Rules
1. A number that nobody measured is None and never 0: a night without a failure has no time to one.
2. Quantiles are values that were measured (nearest rank), so that each can be looked up.
3. At most NIGHTS_MAX nights are told, the newest; `left_out` says how many were not.
4. A night of a million runs is read once and held as its sums: no two nights are in memory at once,
   and who has the sums of a night (`digest`) need not read its runs again.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import msgspec

from harness.nightly.grouping import JUDGED
from harness.nightly.records import Group, Night, RunRecord

NIGHTS_MAX = 30
DIGEST_VERSION = 1
_BARS = "▁▂▃▄▅▆▇█"
_GAP = "·"
HOUR_S = 3600.0


class Quantiles(msgspec.Struct, frozen=True):
    """Of `count` measured values: the tenth, fiftieth and ninetieth percentile."""

    count: int
    low: float
    median: float
    high: float


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One night. `judged`: runs with a verdict, idle ones included. `to_failure_s`: in a failing
    run, until its violation was complete. `first_failure_s`: from the night's beginning to the
    beginning of the first run that failed. `ok_share`: of the operations. `in_effect`: kinds of
    faults, with how often they took effect. Rates are None of a night that took no time."""

    night: str
    runs: int
    judged: int
    failed: int
    hours: float
    runs_per_hour: float | None
    operations_per_s: float | None
    ok_share: float | None
    to_failure_s: Quantiles | None
    first_failure_s: float | None
    in_effect: dict[str, int]


class GroupTrend(msgspec.Struct, frozen=True, kw_only=True):
    """One fingerprint in one system: `failed` of `judged` runs of the cells it was ever seen in, by
    night as in Trends.nights; judged 0 where a night did not run them."""

    fingerprint: str
    system: str
    failed: list[int]
    judged: list[int]
    to_failure_s: Quantiles | None

    @property
    def shares(self) -> list[float | None]:
        pairs = zip(self.failed, self.judged, strict=True)
        return [failed / judged if judged else None for failed, judged in pairs]


class Failed(msgspec.Struct, frozen=True):
    """A run that failed."""

    system: str
    fingerprint: str
    cell: str
    after_s: float | None


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """What trends take of a night. `judged`: by cell. `version`: of what it is made of."""

    point: Point
    judged: dict[str, int]
    failing: list[Failed]
    version: int = DIGEST_VERSION


class Trends(msgspec.Struct, frozen=True, kw_only=True):
    """`nights`: the oldest first. `groups`: those that failed last come first."""

    nights: list[Point]
    groups: list[GroupTrend]
    left_out: int = 0


def trends(
    nights: Sequence[Night],
    records_of: Callable[[str], Sequence[RunRecord]],
    groups: Sequence[Group] = (),
    nights_max: int = NIGHTS_MAX,
    digest_of: Callable[[str], Digest | None] = lambda _night: None,
) -> Trends:
    """`nights`: the oldest first; `records_of`: the records of a night, by its name. `groups`: for
    the fingerprints that turned out to be one. `digest_of`: of a night, None where there is none.
    """
    chosen = nights[-nights_max:] if nights_max else []
    found = [digest_of(night.name) or digest(night, records_of(night.name)) for night in chosen]
    return Trends(
        nights=[one.point for one in found],
        groups=_group_trends(found, groups),
        left_out=len(nights) - len(chosen),
    )


def digest(night: Night, records: Sequence[RunRecord]) -> Digest:
    """The sums of a night."""
    return Digest(
        point=_point(night, records),
        judged=dict(Counter(record.cell for record in records if record.end in JUDGED)),
        failing=[
            Failed(record.system, record.fingerprint, record.cell, record.failed_after_s)
            for record in records
            if record.end == "invalid"
        ],
    )


def quantiles(values: Sequence[float]) -> Quantiles | None:
    """None of nothing."""
    if not values:
        return None
    ranked = sorted(values)
    low, median, high = (ranked[max(0, math.ceil(len(ranked) * q) - 1)] for q in (0.1, 0.5, 0.9))
    return Quantiles(len(ranked), low, median, high)


def sparkline(values: Sequence[float | None]) -> str:
    """A character a value, from 0 to the greatest; a dot where there is none."""
    greatest = max((value for value in values if value is not None), default=0.0) or 1.0
    return "".join(
        _GAP if value is None else _BARS[round(value / greatest * (len(_BARS) - 1))]
        for value in values
    )


def lines(found: Trends) -> list[str]:
    """For a terminal: a sparkline for each number, with its last value. Empty below two nights."""
    points = found.nights
    if len(points) < 2:
        return []
    first, last = points[0], points[-1]
    told = [f"{len(points)} nights, {first.night} to {last.night}"]
    rows: list[tuple[str, list[float | None], str]] = [
        ("runs", [point.runs for point in points], f"{last.runs}"),
        ("runs/h", [point.runs_per_hour for point in points], _number(last.runs_per_hour)),
        ("ops/s", [point.operations_per_s for point in points], _number(last.operations_per_s)),
        ("failed", [point.failed for point in points], f"{last.failed}"),
        (
            "s to failure",
            [_median(point.to_failure_s) for point in points],
            _number(_median(last.to_failure_s)),
        ),
        ("kinds of faults", [len(p.in_effect) for p in points], f"{len(last.in_effect)}"),
    ]
    width = max(len(name) for name, _, _ in rows)
    told += [f"  {name:<{width}}  {sparkline(values)}  {end}" for name, values, end in rows]
    return told


def _median(found: Quantiles | None) -> float | None:
    return None if found is None else found.median


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _point(night: Night, records: Sequence[RunRecord]) -> Point:
    failing = [record for record in records if record.end == "invalid"]
    operations = sum(record.operations for record in records)
    in_effect: Counter[str] = Counter()
    for record in records:
        in_effect.update(record.in_effect)
    return Point(
        night=night.name,
        runs=len(records),
        judged=sum(record.end in JUDGED for record in records),
        failed=len(failing),
        hours=night.seconds / HOUR_S,
        runs_per_hour=len(records) / night.seconds * HOUR_S if night.seconds else None,
        operations_per_s=operations / night.seconds if night.seconds else None,
        ok_share=sum(record.ok for record in records) / operations if operations else None,
        to_failure_s=_to_failure(record.failed_after_s for record in failing),
        first_failure_s=_since(night.started, [record.started for record in failing]),
        in_effect=dict(sorted(in_effect.items())),
    )


def _to_failure(after_s: Iterable[float | None]) -> Quantiles | None:
    return quantiles([seconds for seconds in after_s if seconds is not None])


def _since(start: str, moments: Sequence[str]) -> float | None:
    """Seconds from a moment to the first of some; None where there is none, or one is no time."""
    try:
        began = datetime.fromisoformat(start)
        seconds = [(datetime.fromisoformat(m) - began).total_seconds() for m in moments if m]
    except (ValueError, TypeError):
        return None
    return max(0.0, min(seconds)) if seconds else None


def _group_trends(nights: Sequence[Digest], groups: Sequence[Group]) -> list[GroupTrend]:
    homes = {(g.system, alias): (g.system, g.fingerprint) for g in groups for alias in g.aliases}
    cells: dict[tuple[str, str], set[str]] = {}
    after_s: dict[tuple[str, str], list[float | None]] = {}
    counts = [Counter[tuple[str, str]]() for _ in nights]
    last: dict[tuple[str, str], int] = {}
    for at, night in enumerate(nights):
        for run in night.failing:
            named = (run.system, run.fingerprint)
            key = homes.get(named, named)
            cells.setdefault(key, set()).add(run.cell)
            after_s.setdefault(key, []).append(run.after_s)
            counts[at][key] += 1
            last[key] = at
    found = [
        GroupTrend(
            fingerprint=key[1],
            system=key[0],
            failed=[count[key] for count in counts],
            judged=[sum(n.judged.get(cell, 0) for cell in cells[key]) for n in nights],
            to_failure_s=_to_failure(after_s[key]),
        )
        for key in cells
    ]
    order = {(g.system, g.fingerprint): -last[g.system, g.fingerprint] for g in found}
    return sorted(
        found, key=lambda g: (order[g.system, g.fingerprint], -sum(g.failed), g.fingerprint)
    )
