"""What nodes logged about the time of a finding.

Rule: of too many lines errors and warnings are kept first, then those nearest to the finding's
end; the rest is counted.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

import msgspec

from checkers.verdict import Recording
from harness.report import words
from harness.report.explanations import Explanation
from harness.report.logs import LogLine

LINES_MAX = 60
AROUND_NS = 1_000_000_000
TEXT_MAX = 400  # characters


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """`level`: 'error', 'warning' or ''."""

    time: str
    at_s: float
    node: str
    level: str
    text: str


class Nearby(msgspec.Struct, frozen=True, kw_only=True):
    """The lines from `from_s` to `to_s` of the run."""

    lines: Sequence[Line]
    left_out: int
    from_s: float
    to_s: float


def lines(logs: Sequence[LogLine], start_ns: int, end_ns: int) -> Nearby | None:
    """None where nobody said anything then."""
    ordered = sorted(logs, key=lambda line: line.time_ns)
    first = bisect_left(ordered, start_ns - AROUND_NS, key=lambda line: line.time_ns)
    last = bisect_right(ordered, end_ns + AROUND_NS, key=lambda line: line.time_ns)
    near = ordered[first:last]
    if not near:
        return None

    def rank(line: LogLine) -> tuple[bool, int]:
        return line.level not in ("error", "warning"), abs(line.time_ns - end_ns)

    kept = sorted(sorted(near, key=rank)[:LINES_MAX], key=lambda line: line.time_ns)
    return Nearby(
        lines=[_line(line) for line in kept],
        left_out=len(near) - len(kept),
        from_s=max(start_ns - AROUND_NS, 0) / 1e9,
        to_s=(end_ns + AROUND_NS) / 1e9,
    )


def _line(line: LogLine) -> Line:
    return Line(
        time=words.seconds(line.time_ns),
        at_s=line.time_ns / 1e9,
        node=words.clip(line.node, 40),
        level=line.level if line.level in ("error", "warning") else "",
        text=words.clip(line.text, TEXT_MAX),
    )


def about_ns(one: Explanation, recording: Recording) -> tuple[int, int] | None:
    """From when to when the operations or protocol events were that a finding is about."""
    blamed = [call for call in one.calls if call.index in one.culprits]
    times = [call.invoke.time for call in blamed]
    times += [call.completion.time for call in blamed if call.completion is not None]
    if not times:
        times = _event_times(one.verdict.evidence, recording)
    return (min(times), max(times)) if times else None


def _event_times(evidence: dict[str, Any], recording: Recording) -> list[int]:
    named: list[Any] = [evidence.get("event")]
    for several in (evidence.get("against"), evidence.get("events")):
        named += several if isinstance(several, list) else []
    times = []
    for event in named:
        if isinstance(event, dict) and isinstance(event.get("time"), int):
            times.append(event["time"])
        elif type(event) is int and 0 <= event < len(recording.trace):
            times.append(recording.trace[event].time)
    return times
