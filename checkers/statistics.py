"""Statistics of a run: how much was done, how fast, and what it cost. Numbers, no verdict.

Rules
1. Everything is JSON-able as it stands: finite numbers, lists, string keys, None for "no value".
2. Latency is from invocation to completion as journaled, so it includes the harness's own part.
   An operation that never completed has none, and counts as info.
3. An operation belongs to the fault intervals that its invocation lies in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from checkers.call_columns import FAIL, INFO, NEVER, OK, REFUSED, CallColumns
from checkers.faults import FaultInterval, fault_intervals
from checkers.trace import TraceEvent
from checkers.verdict import Recording

_SECOND_NS = 1_000_000_000
_OUTAGE_NS = _SECOND_NS  # longer than this without an ok is an outage
_BUCKETS_MAX = 3_600

_Times = NDArray[np.int64]
_Outcomes = NDArray[np.uint8]


class Latency(msgspec.Struct, frozen=True):
    """Quantiles in milliseconds over `count` completed operations."""

    count: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float


class Availability(msgspec.Struct, frozen=True):
    """`answered`: the ok ones, and the compare-and-sets that were refused because they did not
    match, which is an answer. `share` is answered / invoked, None if nothing was invoked."""

    invoked: int
    ok: int
    answered: int
    share: float | None


class DuringFault(msgspec.Struct, frozen=True):
    id: Any
    kind: str
    start_s: float
    end_s: float | None
    in_effect: bool
    availability: Availability


class Throughput(msgspec.Struct, frozen=True):
    """Completions per bucket of `bucket_s` seconds from the start of the run, by outcome."""

    bucket_s: int
    ok: list[int]
    fail: list[int]
    info: list[int]


class Messages(msgspec.Struct, frozen=True):
    """Messages that nodes sent, by type, over all lives. A life that was killed counts up to its
    last report. `per_ok_operation` is None if no operation succeeded."""

    by_type: dict[str, int]
    total: int
    per_ok_operation: float | None


class Statistics(msgspec.Struct, frozen=True):
    """`counts`: by operation, then outcome. `errors`: by code. `latency`: overall (`all`), by
    operation (`f:read`) and by outcome (`outcome:ok`). `outages`: [start, end] in seconds between
    two successes (or the ends of the run) more than a second apart. `messages`: None without a
    trace of them."""

    duration_s: float
    counts: dict[str, dict[str, int]]
    errors: dict[str, int]
    availability: Availability
    during_faults: list[DuringFault]
    throughput: Throughput
    latency: dict[str, Latency]
    outages: list[tuple[float, float]]
    messages: Messages | None

    def to_json(self) -> dict[str, Any]:
        """The statistics as JSON objects and lists."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


def statistics(recording: Recording) -> Statistics:
    """The statistics of a recording; of an empty one, zeros."""
    history = recording.history
    end_ns = history[-1].time if len(history) else 0
    columns = CallColumns.of(history.calls())
    return measured(columns, fault_intervals(history), end_ns, recording.trace)


def measured(
    columns: CallColumns,
    faults: Iterable[FaultInterval],
    end_ns: int,
    trace: Iterable[TraceEvent] = (),
) -> Statistics:
    """The statistics of calls that are columns; `end_ns` is the time of the last operation."""
    outcome, done_ns, invoked_ns = columns.outcome, columns.done_ns, columns.invoked_ns
    ok_ns = np.sort(done_ns[outcome == OK])
    return Statistics(
        duration_s=_seconds(end_ns),
        counts=_counts(columns.names, columns.f, outcome),
        errors=dict(columns.errors.most_common()),
        availability=_availability(outcome),
        during_faults=_during_faults(invoked_ns, outcome, faults),
        throughput=_throughput(done_ns, outcome, end_ns),
        latency=_latencies(columns),
        outages=_outages(ok_ns, invoked_ns, end_ns),
        messages=_messages(trace, len(ok_ns)),
    )


def _seconds(time_ns: int) -> float:
    return round(int(time_ns) / _SECOND_NS, 3)


def _counts(names: Sequence[str], f: _Times, outcome: _Outcomes) -> dict[str, dict[str, int]]:
    by_outcome = np.where(outcome == REFUSED, FAIL, outcome)
    counted = np.bincount(f * 3 + by_outcome, minlength=3 * len(names)).reshape(-1, 3).tolist()
    counts = {
        name: {"ok": ok, "fail": fail, "info": info}
        for name, (ok, fail, info) in zip(names, counted, strict=True)
    }
    return dict(sorted(counts.items()))


def _availability(outcome: _Outcomes) -> Availability:
    ok = int(np.count_nonzero(outcome == OK))
    answered = ok + int(np.count_nonzero(outcome == REFUSED))
    share = round(answered / len(outcome), 4) if len(outcome) else None
    return Availability(len(outcome), ok, answered, share)


def _during_faults(
    invoked_ns: _Times, outcome: _Outcomes, faults: Iterable[FaultInterval]
) -> list[DuringFault]:
    during = []
    for fault in faults:
        start = int(np.searchsorted(invoked_ns, fault.start_ns, "left"))
        end = len(outcome)
        if fault.end_ns is not None:
            end = int(np.searchsorted(invoked_ns, fault.end_ns, "right"))
        during.append(
            DuringFault(
                fault.id,
                fault.kind,
                _seconds(fault.start_ns),
                None if fault.end_ns is None else _seconds(fault.end_ns),
                fault.in_effect,
                _availability(outcome[start:end]),
            )
        )
    return during


def _throughput(done_ns: _Times, outcome: _Outcomes, end_ns: int) -> Throughput:
    # Foreign recorders write -1 for a time that nobody took.
    bucket_s = 1 + max(end_ns, 0) // _SECOND_NS // _BUCKETS_MAX  # a day-long run fits on a page
    size = max(end_ns, 0) // (bucket_s * _SECOND_NS) + 1
    buckets = np.maximum(done_ns, 0) // (bucket_s * _SECOND_NS)
    completed = done_ns != NEVER

    def counted(which: NDArray[np.bool_]) -> list[int]:
        found: list[int] = np.bincount(buckets[completed & which], minlength=size).tolist()
        return found

    failed = (outcome == FAIL) | (outcome == REFUSED)
    return Throughput(bucket_s, counted(outcome == OK), counted(failed), counted(outcome == INFO))


def _latencies(columns: CallColumns) -> dict[str, Latency]:
    completed = columns.done_ns != NEVER
    taken_ns = (columns.done_ns - columns.invoked_ns)[completed]
    outcome, f = columns.outcome[completed], columns.f[completed]
    by_outcome = np.where(outcome == REFUSED, FAIL, outcome)
    samples = {"all": taken_ns}
    for number, name in ((OK, "ok"), (FAIL, "fail"), (INFO, "info")):
        samples[f"outcome:{name}"] = taken_ns[by_outcome == number]
    sorted_by_f = np.argsort(f, kind="stable")
    ends = np.searchsorted(f[sorted_by_f], np.arange(len(columns.names)), "right")
    for name, taken in zip(columns.names, np.split(taken_ns[sorted_by_f], ends), strict=False):
        samples[f"f:{name}"] = taken
    return {group: _quantiles(taken) for group, taken in sorted(samples.items()) if len(taken)}


def _quantiles(taken_ns: _Times) -> Latency:
    taken_ms = taken_ns / 1e6
    p50, p90, p99 = (round(float(q), 3) for q in np.quantile(taken_ms, (0.5, 0.9, 0.99)))
    return Latency(len(taken_ns), p50, p90, p99, round(float(taken_ms.max()), 3))


def _outages(ok_ns: _Times, invoked_ns: _Times, end_ns: int) -> list[tuple[float, float]]:
    if not len(invoked_ns):
        return []
    marks = np.concatenate(([invoked_ns[0]], ok_ns, [end_ns]))
    return [
        (_seconds(marks[at]), _seconds(marks[at + 1]))
        for at in np.flatnonzero(np.diff(marks) > _OUTAGE_NS)
    ]


def _messages(trace: Iterable[TraceEvent], ok: int) -> Messages | None:
    total: Counter[str] = Counter()
    current: dict[str, dict[str, int]] = {}  # node: last counts of its present life
    seen = False
    for event in trace:
        if event.event == "restart":
            total.update(current.pop(event.node, {}))
        elif event.event == "messages" and event.sent is not None:
            current[event.node] = event.sent
            seen = True
    if not seen:
        return None
    for sent in current.values():
        total.update(sent)
    count = total.total()
    return Messages(dict(total.most_common()), count, round(count / ok, 2) if ok else None)
