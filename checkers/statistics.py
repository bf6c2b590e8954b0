"""Statistics of a run: how much was done, how fast, and what it cost. Numbers, no verdict.

Rules
1. Everything is JSON-able as it stands: finite numbers, lists, string keys, None for "no value".
2. Latency is from invocation to completion as journaled, so it includes the harness's own part.
   An operation that never completed has none, and counts as info.
3. An operation belongs to the fault intervals that its invocation lies in.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from checkers.faults import FaultInterval, fault_intervals
from checkers.history import COMPARE_FAILED, Call
from checkers.trace import TraceEvent
from checkers.verdict import Recording

_SECOND_NS = 1_000_000_000
_OUTAGE_NS = _SECOND_NS  # longer than this without an ok is an outage
_BUCKETS_MAX = 3_600


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
    calls = recording.history.calls()
    end_ns = recording.history[-1].time if len(recording.history) else 0
    ok_ns = sorted(c.completion.time for c in calls if c.outcome == "ok" and c.completion)
    return Statistics(
        duration_s=_seconds(end_ns),
        counts=_counts(calls),
        errors=_errors(calls),
        availability=_availability(calls),
        during_faults=_during_faults(calls, fault_intervals(recording.history)),
        throughput=_throughput(calls, end_ns),
        latency=_latencies(calls),
        outages=_outages(ok_ns, calls, end_ns),
        messages=_messages(recording.trace, len(ok_ns)),
    )


def _seconds(time_ns: int) -> float:
    return round(time_ns / _SECOND_NS, 3)


def _counts(calls: Iterable[Call]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for call in calls:
        counts.setdefault(call.f, {"ok": 0, "fail": 0, "info": 0})[call.outcome] += 1
    return dict(sorted(counts.items()))


def _errors(calls: Iterable[Call]) -> dict[str, int]:
    codes = Counter(c.completion.error.code for c in calls if c.completion and c.completion.error)
    return dict(codes.most_common())


def _availability(calls: Sequence[Call]) -> Availability:
    ok = sum(call.outcome == "ok" for call in calls)
    answered = ok + sum(_refused(call) for call in calls)
    share = round(answered / len(calls), 4) if calls else None
    return Availability(len(calls), ok, answered, share)


def _refused(call: Call) -> bool:
    error = call.completion.error if call.completion else None
    return call.outcome == "fail" and error is not None and error.code == COMPARE_FAILED


def _during_faults(calls: Sequence[Call], faults: Iterable[FaultInterval]) -> list[DuringFault]:
    invoked_ns = [call.invoke.time for call in calls]
    during = []
    for fault in faults:
        start = bisect_left(invoked_ns, fault.start_ns)
        end = len(calls) if fault.end_ns is None else bisect_right(invoked_ns, fault.end_ns)
        during.append(
            DuringFault(
                fault.id,
                fault.kind,
                _seconds(fault.start_ns),
                None if fault.end_ns is None else _seconds(fault.end_ns),
                fault.in_effect,
                _availability(calls[start:end]),
            )
        )
    return during


def _throughput(calls: Iterable[Call], end_ns: int) -> Throughput:
    # Foreign recorders write -1 for a time that nobody took.
    bucket_s = 1 + max(end_ns, 0) // _SECOND_NS // _BUCKETS_MAX  # a day-long run fits on a page
    size = max(end_ns, 0) // (bucket_s * _SECOND_NS) + 1
    buckets = {outcome: [0] * size for outcome in ("ok", "fail", "info")}
    for call in calls:
        if call.completion is not None:
            buckets[call.outcome][max(call.completion.time, 0) // (bucket_s * _SECOND_NS)] += 1
    return Throughput(bucket_s, buckets["ok"], buckets["fail"], buckets["info"])


def _latencies(calls: Iterable[Call]) -> dict[str, Latency]:
    samples: dict[str, list[int]] = {"all": []}
    for call in calls:
        if call.completion is None:
            continue
        taken_ns = call.completion.time - call.invoke.time
        for group in ("all", f"f:{call.f}", f"outcome:{call.outcome}"):
            samples.setdefault(group, []).append(taken_ns)
    return {group: _quantiles(taken) for group, taken in sorted(samples.items()) if taken}


def _quantiles(taken_ns: list[int]) -> Latency:
    taken_ms = np.asarray(taken_ns, dtype=np.float64) / 1e6
    p50, p90, p99 = (round(float(q), 3) for q in np.quantile(taken_ms, (0.5, 0.9, 0.99)))
    return Latency(len(taken_ns), p50, p90, p99, round(float(taken_ms.max()), 3))


def _outages(ok_ns: Sequence[int], calls: Sequence[Call], end_ns: int) -> list[tuple[float, float]]:
    if not calls:
        return []
    marks = [calls[0].invoke.time, *ok_ns, end_ns]
    return [
        (_seconds(earlier), _seconds(later))
        for earlier, later in pairwise(marks)
        if later - earlier > _OUTAGE_NS
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
