"""The run on one clock, as one plain figure for plotly's script: faults, leaders, every operation.

Rules
1. Colours are names of CSS variables ('--ok'); the page replaces them, so that light and dark are
   one file and printing works.
2. Operations travel once, as columns; the page makes traces of them, and hover texts only of what
   it draws. It is half of the page's weight.
3. What is bounded says so in `notes`.
4. Plotly reads a small set of tags in text, so '<' of a history is replaced before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from checkers.faults import FaultInterval
from checkers.history import Call
from checkers.statistics import Throughput
from checkers.trace import TraceEvent
from harness.report import words

OUTCOMES = ("ok", "fail", "info")
DRAWN_MAX = 12_000  # calls of one outcome
BARS_MAX = 300  # faults, and as many reigns of leaders
LANES_MAX = 6  # bars side by side in time; more share the last lane
MARKS_MAX = 4
WORDS_MAX = 24  # characters of one value in a hover text

Figure = dict[str, Any]


class Reign(msgspec.Struct, frozen=True):
    """From when a node began to lead until it followed or died; `end_ns` None: to the end."""

    node: str
    start_ns: int
    end_ns: int | None


def story(
    calls: Sequence[Call],
    faults: Sequence[FaultInterval],
    trace: Iterable[TraceEvent],
    completed: Throughput,
    workers: int,
    marked: Sequence[Call] = (),
) -> Figure:
    """Four charts over one time axis: faults and leaders, operations by worker, latency,
    throughput. A process number is its worker's plus a multiple of `workers`, 0 if unknown.
    `marked` calls, those that a contradiction is about, get a line through all charts."""
    end_s = max((_end_ns(calls) / 1e9, *(f.start_ns / 1e9 for f in faults)), default=0.0) or 1.0
    reigns = leaderships(trace, faults)
    bars, lanes = _bars(faults[:BARS_MAX], reigns[:BARS_MAX], end_s)
    return {
        "operations": {
            o: _columns([c for c in calls if c.outcome == o], workers) for o in OUTCOMES
        },
        "data": [*bars, *_throughput(completed)],
        "layout": {
            "shapes": [
                *_shades(faults, end_s),
                *(_mark(call) for call in marked[:MARKS_MAX]),
            ],
            "annotations": [_mark_label(call, end_s) for call in marked[:MARKS_MAX]],
            "xaxis": {"title": {"text": "seconds since the run began"}, "range": [0, end_s]},
            **_axes(lanes, len({_row(call, workers) for call in calls})),
        },
        "end_s": round(end_s, 6),
        "notes": _notes(calls, faults, reigns),
    }


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


def legend(faults: Sequence[FaultInterval], trace: Iterable[TraceEvent]) -> list[tuple[str, str]]:
    """What the colours of the strip mean: the class of each and its name."""
    kinds: dict[str, list[str]] = {}
    for fault in faults:
        names = kinds.setdefault(hue(fault.kind), [])
        if fault.kind not in names:
            names.append(words.clip(fault.kind, WORDS_MAX))
    if any(event.event == "leader" for event in trace):
        kinds["leader"] = ["leader"]
    return [(colour, ", ".join(names[:LANES_MAX])) for colour, names in kinds.items()]


def plain(text: str) -> str:
    """Free of the tags that plotly would interpret."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def hue(kind: str) -> str:
    """Faults that cut links, that strike processes, and others are told apart by colour too."""
    like = words.likened(kind)
    return like if like in ("kill", "pause", "partition") else "link"


def _columns(calls: Sequence[Call], workers: int) -> dict[str, list[Any]]:
    """`ms` is None where the call never completed."""
    drawn = _spread(calls)
    return {
        "index": [c.index for c in drawn],
        "process": [c.invoke.process for c in drawn],
        "node": [plain(words.clip(c.invoke.node or "", WORDS_MAX)) for c in drawn],
        "row": [_row(c, workers) for c in drawn],
        "start_s": [round(c.invoke.time / 1e9, 6) for c in drawn],
        "ms": [None if c.completion is None else _latency_ms(c) for c in drawn],
        "words": [_words(c) for c in drawn],
    }


def _words(call: Call) -> str:
    key = "" if call.key is None else f"{words.clip(str(call.key), WORDS_MAX)}: "
    return plain(key + words.what(call, WORDS_MAX))


def _row(call: Call, workers: int) -> int:
    process = call.invoke.process
    assert isinstance(process, int), "calls are of clients"
    return process % workers if workers else process


def _latency_ms(call: Call) -> float:
    assert call.completion is not None
    # A latency below the clock's resolution would vanish from a logarithmic axis.
    return max(round((call.completion.time - call.invoke.time) / 1e6, 3), 0.001)


def _spread(calls: Sequence[Call]) -> Sequence[Call]:
    """At most DRAWN_MAX of the calls, evenly, first and last included."""
    if len(calls) <= DRAWN_MAX:
        return calls
    return [calls[i] for i in np.linspace(0, len(calls) - 1, DRAWN_MAX).astype(int)]


def _end_ns(calls: Sequence[Call]) -> int:
    return max(((call.completion or call.invoke).time for call in calls), default=0)


def _bars(
    faults: Sequence[FaultInterval], reigns: Sequence[Reign], end_s: float
) -> tuple[list[dict[str, Any]], list[str]]:
    """Bars of leaders below and of faults above, and the names of the lanes from below."""
    led = [(r.start_ns, r.end_ns, r.node, f"{r.node} leads", "--leader") for r in reigns]
    broken = [
        (f.start_ns, f.end_ns, f.kind, words.fault(f), f"--bar-{hue(f.kind)}") for f in faults
    ]
    traces: list[dict[str, Any]] = []
    names: list[str] = []
    for name, group in (("leader", led), ("fault", broken)):
        lanes = _lanes([(start, stop) for start, stop, *_ in group])
        if group:
            traces.append(_bar_trace(group, [lane + len(names) for lane in lanes], end_s))
        names += [name] * (max(lanes, default=-1) + 1)
    return traces, names


def _bar_trace(
    group: Sequence[tuple[int, int | None, str, str, str]], lanes: Sequence[int], end_s: float
) -> dict[str, Any]:
    ends_s = [end_s if stop is None else stop / 1e9 for _, stop, *_ in group]
    return {
        "type": "bar",
        "orientation": "h",
        "yaxis": "y",
        "showlegend": False,
        "base": [start / 1e9 for start, *_ in group],
        "x": [max(end - bar[0] / 1e9, 0) for end, bar in zip(ends_s, group, strict=True)],
        "y": list(lanes),
        "width": 0.78,
        "text": [plain(words.clip(label, WORDS_MAX)) for _, _, label, *_ in group],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "textfont": {"color": "--ink"},
        "hovertext": [plain(words.clip(told, 160)) for _, _, _, told, _ in group],
        "hoverinfo": "text",
        "marker": {"color": [colour for *_, colour in group]},
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


def _throughput(completed: Throughput) -> list[dict[str, Any]]:
    width_s = completed.bucket_s
    counts = {"ok": completed.ok, "fail": completed.fail, "info": completed.info}
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": outcome,
            "legendgroup": outcome,
            "showlegend": False,
            "yaxis": "y4",
            "x": [(i + 0.5) * width_s for i in range(len(counts[outcome]))],
            "y": [round(n / width_s, 2) for n in counts[outcome]],
            "line": {"color": f"--{outcome}", "width": 2, "shape": "hvh"},
            "hovertemplate": "%{y} " + outcome + " a second<extra></extra>",
        }
        for outcome in OUTCOMES
    ]


def _axes(lanes: Sequence[str], rows: int) -> dict[str, Any]:
    """Heights from above: a strip as high as its lanes need, then operations, latency, rates."""
    top = 1 - (0.02 + 0.032 * len(lanes) if lanes else 0)
    return {
        "yaxis": {
            "domain": [1 - 0.032 * len(lanes), 1] if lanes else [0.999, 1],
            "range": [-0.5, max(len(lanes), 1) - 0.5],
            "tickvals": [i for i, name in enumerate(lanes) if name not in lanes[:i]],
            "ticktext": list(dict.fromkeys(lanes)),
            "fixedrange": True,
            "showgrid": False,
            "zeroline": False,
        },
        "yaxis2": {
            "domain": [0.56, top],
            "title": {"text": "worker"},
            "tick0": 0,
            "dtick": max(1, rows // 8),
            "zeroline": False,
        },
        "yaxis3": {
            "domain": [0.24, 0.52],
            "title": {"text": "latency, ms"},
            "type": "log",
            "dtick": 1,
        },
        "yaxis4": {
            "domain": [0, 0.2],
            "title": {"text": "ops a second"},
            "rangemode": "tozero",
        },
    }


def _shades(faults: Sequence[FaultInterval], end_s: float) -> list[dict[str, Any]]:
    """Where faults of one colour overlap there is one shade: fifty would be black."""
    shades: dict[str, list[dict[str, Any]]] = {}
    for fault in sorted(faults, key=lambda f: f.start_ns):
        start = fault.start_ns / 1e9
        stop = end_s if fault.end_ns is None else fault.end_ns / 1e9
        same = shades.setdefault(hue(fault.kind), [])
        if same and start <= same[-1]["x1"]:
            same[-1]["x1"] = max(same[-1]["x1"], stop)
        else:
            same.append(_shade(start, stop, hue(fault.kind)))
    return [shade for same in shades.values() for shade in same[:BARS_MAX]]


def _shade(start_s: float, stop_s: float, colour: str) -> dict[str, Any]:
    return {
        "type": "rect",
        "xref": "x",
        "yref": "paper",
        "x0": start_s,
        "x1": stop_s,
        "y0": 0,
        "y1": 1,
        "layer": "below",
        "line": {"width": 0},
        "fillcolor": f"--fault-{colour}",
    }


def _mark(call: Call) -> dict[str, Any]:
    at = call.invoke.time / 1e9
    return {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": at,
        "x1": at,
        "y0": 0,
        "y1": 1,
        "line": {"color": "--bad", "width": 1.5, "dash": "dot"},
    }


def _mark_label(call: Call, end_s: float) -> dict[str, Any]:
    at = call.invoke.time / 1e9
    side = "left" if at < 0.1 * end_s else "right" if at > 0.9 * end_s else "center"
    return {
        "xref": "x",
        "yref": "paper",
        "x": at,
        "xanchor": side,
        "y": 0.54,
        "text": f"operation {call.index}",
        "showarrow": False,
        "font": {"color": "--bad"},
        "bgcolor": "--paper",
    }


def _notes(
    calls: Sequence[Call], faults: Sequence[FaultInterval], reigns: Sequence[Reign]
) -> list[str]:
    notes = []
    for outcome in OUTCOMES:
        count = sum(call.outcome == outcome for call in calls)
        if count > DRAWN_MAX:
            notes.append(
                f"Of {count:,} {outcome} operations {DRAWN_MAX:,} are drawn, evenly chosen."
            )
    for name, many in (("faults", faults), ("reigns of leaders", reigns)):
        if len(many) > BARS_MAX:
            notes.append(f"The first {BARS_MAX} of {len(many):,} {name} are drawn.")
    return notes
