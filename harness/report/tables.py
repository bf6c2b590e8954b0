"""The rows of the report's tables, as text; each format gives them its markup.

Rule: every table has a maximum of rows and every cell one of characters, and counts what was left
out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec

from checkers.faults import FaultInterval
from checkers.statistics import Statistics
from harness.report import words
from harness.report.clocks import ClockSpan

ROWS_MAX = 200
CELL_MAX = 300  # characters
LISTED_MAX = 8  # things in one cell
MESSAGE_TYPES_MAX = 40

LATENCY_HEADINGS = ("operation", "ok", "fail", "info", "p50 ms", "p90 ms", "p99 ms", "max ms")
_OUTCOMES = ("ok", "fail", "info")


class Table(msgspec.Struct, frozen=True):
    """`left_out`: rows that there was no room for."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    left_out: int = 0


class Messages(msgspec.Struct, frozen=True):
    """What nodes sent: in a sentence, and by type."""

    sentence: str
    table: Table


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """`to_s` None: never undone. `intended` and `applied`: beyond the kind and whom it struck.
    `probed`: False in foreign histories, where `in_effect` says nothing."""

    start: str
    end: str
    from_s: float
    to_s: float | None
    kind: str
    on: str
    intended: str
    applied: str
    observed: str
    in_effect: bool
    probed: bool = True


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """What the clock of a node showed, from when to when; `to_s` None: to the end of the run."""

    node: str
    start: str
    end: str
    from_s: float
    to_s: float | None
    offset: str
    drift: str


def facts(stats: Statistics, settings: Mapping[str, str]) -> dict[str, str]:
    """What was run and how it went, by name."""
    totals = {o: sum(c[o] for c in stats.counts.values()) for o in _OUTCOMES}
    share = stats.availability.share
    outages = [f"{start:.1f}-{end:.1f} s" for start, end in stats.outages]
    errors = [f"{words.clip(code, 40)} {count:,}" for code, count in stats.errors.items()]
    return named(settings) | {
        "operations": f"{sum(totals.values()):,}{words.lasting(stats.duration_s)}",
        "ok / fail / info": " / ".join(f"{totals[o]:,}" for o in _OUTCOMES),
        "available": "no operations" if share is None else f"{share:.1%}",
        "without success for over 1 s": _listed(outages, ", ") or "never",
        "errors": _listed(errors, ", ") or "none",
    }


def latencies(stats: Statistics) -> Table:
    """A row for each operation."""
    rows = []
    for f, counts in list(stats.counts.items())[:ROWS_MAX]:
        taken = stats.latency.get(f"f:{f}")
        numbers = [""] * 4
        if taken is not None and stats.duration_s >= words.MEASURED_S:
            quantiles = (taken.p50_ms, taken.p90_ms, taken.p99_ms, taken.max_ms)
            numbers = [f"{ms:,.1f}" for ms in quantiles]
        rows.append([words.clip(f, 40), *(f"{counts[o]:,}" for o in _OUTCOMES), *numbers])
    return Table(LATENCY_HEADINGS, rows, max(len(stats.counts) - ROWS_MAX, 0))


def fault(interval: FaultInterval) -> Fault:
    shown = interval.applied or interval.intended
    intended = _asked(interval.intended)
    end_s = None if interval.end_ns is None else interval.end_ns / 1e9
    return Fault(
        start=f"{interval.start_ns / 1e9:.1f} s",
        end="never undone" if end_s is None else f"{end_s:.1f} s",
        from_s=interval.start_ns / 1e9,
        to_s=end_s,
        kind=words.clip(interval.kind, 40),
        on=_listed(words.struck(interval), " ", 24),
        intended=intended or _listed(words.struck(interval), " ", 24),
        applied=_unapplied(interval)
        if interval.applied is None
        else "as intended"
        if _asked(shown) in ("", intended)
        else _asked(shown),
        observed=words.clip(_observed(interval.observed), CELL_MAX),
        in_effect=interval.in_effect,
        probed=interval.probed,
    )


def _unapplied(interval: FaultInterval) -> str:
    return "nothing" if interval.probed else "not recorded"


def clock(span: ClockSpan) -> Clock:
    drift = f"{span.drift_ppm:+,.0f} ppm" if span.drift_ppm else "none"
    end_s = None if span.end_ns is None else span.end_ns / 1e9
    return Clock(
        node=words.clip(span.node, 40),
        start=f"{span.start_ns / 1e9:.1f} s",
        end="the end" if end_s is None else f"{end_s:.1f} s",
        from_s=span.start_ns / 1e9,
        to_s=end_s,
        offset=f"{span.offset_ms:+,.1f} ms",
        drift=drift,
    )


def messages(stats: Statistics, learning: str) -> Messages | None:
    """None where the nodes left no count. `learning`: how learners learn, empty if unknown."""
    counted = stats.messages
    if counted is None:
        return None
    ok = stats.availability.ok
    each = f"{counted.per_ok_operation:g} for each operation that succeeded" if ok else "none ok"
    by = f" Learning: {words.clip(learning, 40)}." if learning else ""
    shown = list(counted.by_type.items())[:MESSAGE_TYPES_MAX]
    left_out = len(counted.by_type) - len(shown)
    rest = f" Of {len(counted.by_type)} types the {len(shown)} most frequent." if left_out else ""
    rows = [
        [words.clip(kind, 60), f"{count:,}", f"{count / ok:.2f}" if ok else "-"]
        for kind, count in shown
    ]
    return Messages(
        f"The nodes sent {counted.total:,} messages, {each}.{by}{rest}",
        Table(("type", "sent", "for each success"), rows, left_out),
    )


def named(facts: Mapping[str, str]) -> dict[str, str]:
    """Facts by name, as many and as long as a page has room for."""
    listed = list(facts.items())[:ROWS_MAX]
    return {words.clip(name, 60): words.clip(str(value), CELL_MAX) for name, value in listed}


def _asked(fault: Any) -> str:
    """What a fault was to be, beyond its kind; whom it struck has a column of its own."""
    fields = fault if isinstance(fault, Mapping) else {}
    skipped = ("fault", "nodes", "links")
    told = [
        f"{words.clip(str(name), 30)} {words.short(value)}"
        for name, value in islice(fields.items(), ROWS_MAX)
        if name not in skipped
    ]
    return words.clip(_listed(told, ", "), CELL_MAX)


def _listed(texts: Iterable[str], between: str, most: int = LISTED_MAX) -> str:
    listed = list(texts)
    rest = len(listed) - most
    return between.join(listed[:most]) + (f" and {rest} more" if rest > 0 else "")


def _observed(observed: Any) -> str:
    """What a probe saw; evidence is nested objects and lists of plain values."""
    if isinstance(observed, Mapping):
        pairs = [f"{k}: {_observed(v)}" for k, v in islice(observed.items(), ROWS_MAX)]
        return _listed(pairs, "; ", 12)
    if isinstance(observed, list | tuple):
        return _listed([str(v) for v in observed[:ROWS_MAX]], " ", 16)
    if isinstance(observed, float):
        return f"{observed:g}"
    return "nothing" if observed is None else str(observed)
