"""The rows of the report's tables, as text; the page's template gives them their markup.

Rule: every table has a maximum of rows and every cell one of characters; the page says what was
left out and where it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import Any

from checkers.faults import FaultInterval
from checkers.history import Call
from checkers.statistics import Statistics
from harness.report import words

ROWS_MAX = 200
CELL_MAX = 300  # characters
LISTED_MAX = 8  # things in one cell
MESSAGE_TYPES_MAX = 40

LATENCY_HEADINGS = ("operation", "ok", "fail", "info", "p50 ms", "p90 ms", "p99 ms", "max ms")
_OUTCOMES = ("ok", "fail", "info")


def facts(stats: Statistics, settings: Mapping[str, str]) -> dict[str, str]:
    """What was run and how it went, by name."""
    totals = {o: sum(c[o] for c in stats.counts.values()) for o in _OUTCOMES}
    share = stats.availability.share
    outages = [f"{start:.1f}-{end:.1f} s" for start, end in stats.outages]
    errors = [f"{words.clip(code, 40)} {count:,}" for code, count in stats.errors.items()]
    return dict(settings) | {
        "operations": f"{sum(totals.values()):,} in {stats.duration_s:.1f} s",
        "ok / fail / info": " / ".join(f"{totals[o]:,}" for o in _OUTCOMES),
        "available": "no operations" if share is None else f"{share:.1%}",
        "without success for over 1 s": _listed(outages, ", ") or "never",
        "errors": _listed(errors, ", ") or "none",
    }


def latencies(stats: Statistics) -> list[list[str]]:
    """A row for each operation, as LATENCY_HEADINGS."""
    rows = []
    for f, counts in stats.counts.items():
        taken = stats.latency.get(f"f:{f}")
        numbers = [""] * 4
        if taken is not None:
            quantiles = (taken.p50_ms, taken.p90_ms, taken.p99_ms, taken.max_ms)
            numbers = [f"{ms:,.1f}" for ms in quantiles]
        rows.append([words.clip(f, 40), *(f"{counts[o]:,}" for o in _OUTCOMES), *numbers])
    return rows


def operation(call: Call, anchor: str, culprits: Collection[int]) -> dict[str, Any]:
    """`anchor` is what sentences link to."""
    done = call.completion
    why = done.error.text if done is not None and done.error is not None else ""
    return {
        "anchor": anchor,
        "culprit": call.index in culprits,
        "index": f"{call.index}" + ("" if done is None else f" to {done.index}"),
        "process": call.invoke.process,
        "node": words.clip(call.invoke.node or "", 40),
        "key": "" if call.key is None else words.clip(str(call.key), 40),
        "what": words.clip(words.what(call), CELL_MAX),
        "start": words.seconds(call.invoke.time),
        "end": "never" if done is None else words.seconds(done.time),
        "outcome": call.outcome + (f": {words.clip(why, 120)}" if why else ""),
    }


def fault(interval: FaultInterval) -> dict[str, Any]:
    shown = interval.applied or interval.intended
    fields = shown if isinstance(shown, Mapping) else {}
    on = words.struck(interval)
    skipped = ("fault", "nodes", "links")
    how = _listed([f"{k} {words.short(v)}" for k, v in fields.items() if k not in skipped], ", ")
    return {
        "start": f"{interval.start_ns / 1e9:.1f} s",
        "end": "never undone" if interval.end_ns is None else f"{interval.end_ns / 1e9:.1f} s",
        "kind": words.clip(interval.kind, 40),
        "how": words.clip(how, CELL_MAX),
        "on": _listed(on, " ", 24),
        "observed": words.clip(_observed(interval.observed), CELL_MAX),
        "in_effect": interval.in_effect,
    }


def messages(stats: Statistics, learning: str) -> dict[str, Any] | None:
    """None where the nodes left no count. `learning`: how learners learn, empty if unknown."""
    counted = stats.messages
    if counted is None:
        return None
    ok = stats.availability.ok
    each = f"{counted.per_ok_operation:g} for each operation that succeeded" if ok else "none ok"
    by = f" Learning: {learning}." if learning else ""
    shown = list(counted.by_type.items())[:MESSAGE_TYPES_MAX]
    left_out = len(counted.by_type) - len(shown)
    rest = f" Of {len(counted.by_type)} types the {len(shown)} most frequent." if left_out else ""
    return {
        "sentence": f"The nodes sent {counted.total:,} messages, {each}.{by}{rest}",
        "rows": [
            {
                "type": words.clip(kind, 60),
                "count": f"{count:,}",
                "each": f"{count / ok:.2f}" if ok else "-",
            }
            for kind, count in shown
        ],
    }


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
