"""The run on one clock: all operations, faults, leaders, clocks and log lines, to be zoomed.

Rules
1. The page gets numbers, not drawings: what is drawn is decided in the reader's browser, for the
   part of the run and the operations that the reader wants, at every frame anew.
2. Everything has a maximum, and a sentence says what was left out.
3. Texts of a history are never markup: they travel as data and are drawn, or become text nodes.

One canvas is drawn on by scripts of our own, and no library: the libraries of charts that we know
keep an object for each mark, and stall from some ten thousand operations on.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import msgspec
from markupsafe import Markup

from checkers.faults import FaultInterval
from checkers.history import Call
from checkers.statistics import Statistics
from checkers.trace import TraceEvent
from harness.report.clocks import ClockSpan
from harness.report.logs import LogLine
from harness.report.timeline import bars, columns

MARKS_MAX = 8
_SCRIPTS = ("data.js", "view.js", "lanes.js", "plots.js", "picking.js", "controls.js", "main.js")


class Timeline(msgspec.Struct, frozen=True):
    """`markup`: what stands in the page, data included. `notes`: what was left out, sentences."""

    markup: Markup
    notes: Sequence[str]


def timeline(
    calls: Sequence[Call],
    faults: Sequence[FaultInterval],
    trace: Sequence[TraceEvent],
    stats: Statistics,
    *,
    workers: int = 0,
    marked: Sequence[Call] = (),
    logs: Sequence[LogLine] = (),
    clocks: Sequence[ClockSpan] = (),
) -> Timeline | None:
    """`workers`: how many clients worked, 0 if unknown. `marked` calls, those that a contradiction
    is about, get a line through everything, and are what is kept where not all can be drawn. None
    where there is nothing to draw."""
    if not calls and not faults:
        return None
    over = columns.span(calls, _times(faults))
    drawn = columns.columns(calls, columns.chosen(calls, marked), workers, over)
    reigns = bars.leaderships(trace, faults)
    around_ns = marked[0].invoke.time if marked else None
    rest = {
        "origin_s": 0.0 if over.by_order else over.origin_ns / 1e9,
        "step_s": 1.0 if over.by_order else over.step_ns / 1e9,
        "end_s": over.end_ns - over.origin_ns if over.by_order else over.seconds(over.end_ns),
        "by_order": over.by_order,
        "workers": workers,
        "groups": [] if over.by_order else bars.bars(faults, reigns, clocks, over),
        "lines": [] if over.by_order else bars.lines(logs, over, around_ns),
        "marks": [call.index for call in marked[:MARKS_MAX]],
        "rates": _rates(stats) if drawn.count < drawn.total else None,
        "stepped": columns.STEPPED,
    }
    markup = Markup(_part("timeline.html")).replace(  # base64 has nothing that markup minds
        Markup("{{ data }}"), Markup(columns.payload(drawn, rest))
    )
    return Timeline(markup, [*_notes(drawn, over, marked), *bars.notes(faults, reigns, logs)])


def css() -> str:
    """Of the timeline, to stand in the page."""
    return _part("timeline.css")


def script() -> str:
    """Of the timeline, to stand behind the markup. It listens, anywhere in the page, to clicks on
    elements with `data-operation` (an index) or `data-from` and `data-to` (seconds), and zooms."""
    return "(() => {\n" + "\n".join(_part(name) for name in _SCRIPTS) + "\n})();\n"


def _times(faults: Sequence[FaultInterval]) -> list[int]:
    ends = [f.end_ns for f in faults if f.end_ns is not None]
    return [f.start_ns for f in faults] + ends


def _rates(stats: Statistics) -> dict[str, Any]:
    """Of all operations, where those that are drawn are a sample."""
    rates = stats.throughput
    return {"bucket_s": rates.bucket_s, "ok": rates.ok, "fail": rates.fail, "info": rates.info}


def _notes(drawn: columns.Columns, over: columns.Span, marked: Sequence[Call]) -> list[str]:
    told = []
    if over.by_order:
        told.append("No time passes in this history: the order of its events is drawn.")
    if drawn.count < drawn.total:
        where = "around what was found" if marked else "at the beginning"
        told.append(
            f"Of {drawn.total:,} operations {drawn.count:,} are drawn: {columns.WHOLE_MAX:,} "
            f"together {where}, the rest an even sample. Operations a second are of all."
        )
    return told


def _part(name: str) -> str:
    return (files("harness.report.timeline") / name).read_text(encoding="utf-8")
