"""What lasts: faults, reigns of leaders, clocks that were off; and what has a moment, log lines.

Rules
1. Bars that overlap lie in lanes of their own, as few as there must be, at most LANES_MAX.
2. What is bounded says so in a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from checkers.faults import FaultInterval
from checkers.trace import TraceEvent
from harness.report import words
from harness.report.clocks import ClockSpan
from harness.report.logs import LogLine
from harness.report.timeline.columns import Span

BARS_MAX = 500  # faults, as many reigns, as many spans of clocks
LANES_MAX = 6  # side by side in time; more share the last lane
LINES_MAX = 4_000  # of logs
LABEL_MAX = 24  # characters


class Reign(msgspec.Struct, frozen=True):
    """From when a node began to lead until it followed or died; `end_ns` None: to the end."""

    node: str
    start_ns: int
    end_ns: int | None


def leaderships(trace: Iterable[TraceEvent], faults: Iterable[FaultInterval] = ()) -> list[Reign]:
    """Who led when, as the nodes said themselves: two may think so at once. A reign ends when its
    node follows or starts anew, or is killed."""
    ends = {"follower", "restart"}
    marks = [(e.time, e.node, e.event in ends) for e in trace if e.event in ends | {"leader"}]
    for fault in faults:
        if words.likened(fault.kind) == "kill" and fault.applied is not None:
            killed_ns = fault.start_ns if fault.effect_ns is None else fault.effect_ns
            marks += [(killed_ns, node, True) for node in words.struck(fault)]
    began: dict[str, int] = {}
    reigns = []
    for time_ns, node, is_end in sorted(marks, key=lambda mark: mark[0]):
        if not is_end:
            began.setdefault(node, time_ns)
        elif node in began:
            reigns.append(Reign(node, began.pop(node), time_ns))
    reigns += [Reign(node, start_ns, None) for node, start_ns in began.items()]
    return sorted(reigns, key=lambda reign: reign.start_ns)


def hue(kind: str) -> str:
    """Faults that cut links, that strike processes, and others are told apart by colour too."""
    like = words.likened(kind)
    return like if like in ("kill", "pause", "partition") else "link"


def bars(
    faults: Sequence[FaultInterval],
    reigns: Sequence[Reign],
    clocks: Sequence[ClockSpan],
    over: Span,
) -> list[dict[str, Any]]:
    """Groups of bars from above: what they are, and each bar with its lane."""
    broken = [
        _bar(f.start_ns, f.end_ns, f.kind, words.fault(f), hue(f.kind), f.in_effect)
        for f in faults[:BARS_MAX]
    ]
    led = [
        _bar(r.start_ns, r.end_ns, r.node, f"{r.node} leads", "leader") for r in reigns[:BARS_MAX]
    ]
    skewed = [
        _bar(c.start_ns, c.end_ns, f"{c.node} {_off(c)}", _clock(c), "clock")
        for c in clocks[:BARS_MAX]
    ]
    named = (("fault", broken), ("leader", led), ("clock", skewed))
    return [_group(name, given, over) for name, given in named if given]


def lines(logs: Sequence[LogLine], over: Span, around_ns: int | None) -> list[list[Any]]:
    """Log lines as [seconds, node, level, text] by time, at most LINES_MAX: what is marked as
    trouble and what is nearest to `around_ns` first."""
    at = over.end_ns if around_ns is None else around_ns
    kept = sorted(logs, key=lambda line: (line.level == "", abs(line.time_ns - at)))[:LINES_MAX]
    return [
        [round(over.seconds(o.time_ns), 6), words.clip(o.node, LABEL_MAX), o.level, o.text]
        for o in sorted(kept, key=lambda line: line.time_ns)
        if over.origin_ns <= o.time_ns <= over.end_ns
    ]


def notes(
    faults: Sequence[FaultInterval], reigns: Sequence[Reign], logs: Sequence[LogLine]
) -> list[str]:
    """What is left out."""
    told = [
        f"The first {BARS_MAX} of {len(many):,} {name} are drawn."
        for name, many in (("faults", faults), ("reigns of leaders", reigns))
        if len(many) > BARS_MAX
    ]
    if len(logs) > LINES_MAX:
        told.append(
            f"Of {len(logs):,} log lines {LINES_MAX:,} are here: errors and warnings, and those "
            "nearest to what was found."
        )
    return told


class _Bar(msgspec.Struct, frozen=True):
    start_ns: int
    end_ns: int | None
    label: str
    told: str
    hue: str
    sure: bool


def _bar(
    start_ns: int, end_ns: int | None, label: str, told: str, colour: str, sure: bool = True
) -> _Bar:
    return _Bar(start_ns, end_ns, words.clip(label, LABEL_MAX), words.clip(told, 200), colour, sure)


def _group(name: str, given: Sequence[_Bar], over: Span) -> dict[str, Any]:
    placed = sorted(given, key=lambda bar: bar.start_ns)
    lanes = _lanes([(bar.start_ns, bar.end_ns) for bar in placed])
    return {
        "name": name,
        "lanes": max(lanes) + 1,
        "bars": [
            {
                "from": over.seconds(bar.start_ns),
                "to": None if bar.end_ns is None else over.seconds(bar.end_ns),
                "lane": lane,
                "label": bar.label,
                "told": bar.told,
                "hue": bar.hue,
                "sure": bar.sure,
            }
            for bar, lane in zip(placed, lanes, strict=True)
        ],
    }


def _lanes(spans: Sequence[tuple[int, int | None]]) -> list[int]:
    """The lowest lane that is free when each span begins; spans are in order of their starts."""
    free_at: list[float] = []
    lanes = []
    for start, stop in spans:
        lane = next((i for i, free in enumerate(free_at) if free <= start), len(free_at))
        lane = min(lane, LANES_MAX - 1)
        end = float("inf") if stop is None else stop
        if lane == len(free_at):
            free_at.append(end)
        else:
            free_at[lane] = max(free_at[lane], end)
        lanes.append(lane)
    return lanes


def _off(clock: ClockSpan) -> str:
    drift = f" {clock.drift_ppm:+g} ppm" if clock.drift_ppm else ""
    return f"{clock.offset_ms:+g} ms{drift}"


def _clock(clock: ClockSpan) -> str:
    until = "the end" if clock.end_ns is None else words.seconds(clock.end_ns)
    since = words.seconds(clock.start_ns)
    return f"clock of {clock.node} off by {_off(clock)} from {since} to {until}"
