"""The failing window, or how a whole run went, as one standalone SVG: for papers and tickets.

Rules
1. A picture needs nothing but itself: light background, styles inside, no script, no link.
2. Everything that came from a history is escaped, and what XML does not allow is replaced.
3. Only the order of events is drawn of a window, since only the order is judged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from checkers.faults import FaultInterval
from checkers.statistics import Statistics
from harness.report import words
from harness.report.failing import Bar

MARK = "antipaxos report"  # what tells our files from anybody's
WIDTH_MIN, WIDTH_MAX = 640, 1_600
SHADES_MAX = 200
_STEP, _ROW, _CHAR, _MARGIN = 26, 34, 7.2, 20
_LINE = 18  # height of a line of text
_PLOT_WIDTH, _PLOT_HEIGHT = 760, 200
_COLOURS = {"ok": "#1a7f4b", "fail": "#8a6d1a", "info": "#6b6f76", "culprit": "#c0262d"}
_FILLS = {"ok": "#d9f0e2", "fail": "#f3e8c4", "info": "#e8eaed", "culprit": "#fbdcdc"}
_STYLE = (
    "text{font-family:'Source Sans Pro','Helvetica Neue',Helvetica,Arial,'DejaVu Sans',sans-serif;"
    "font-size:14px;fill:#1c1e21}.head{font-weight:600;font-size:16px}.soft{fill:#5b6068}"
    ".row{stroke:#e3e5e8}.axis{stroke:#5b6068}"
)


def window_svg(bars: Sequence[Bar], title: str, summary: str, notes: Sequence[str] = ()) -> str:
    """The bars, one row a process, under a title and a summary; notes stand below."""
    rows = {name: row for row, name in enumerate(sorted({b.process for b in bars}, key=_natural))}
    left = _MARGIN + max((len(f"process {name}") for name in rows), default=0) * _CHAR + 10
    xs = _columns(bars, left)
    right = max([*xs.values(), *(xs[b.operation] + _label_width(b) for b in bars)]) + 24
    width = min(max(right + _MARGIN, WIDTH_MIN), 10 * WIDTH_MAX)
    top, head = _head(title, summary, width)
    parts = [head]
    for name, row in rows.items():
        y = top + row * _ROW
        parts.append(_text(_MARGIN, y + 17, f"process {name}", "soft"))
        parts.append(_rule(left, right, y + _ROW - 4))
    parts += [_bar(bar, xs, top + rows[bar.process] * _ROW, right) for bar in bars]
    bottom = top + len(rows) * _ROW + 10
    for note in notes:
        lines = _wrapped(note, width)
        parts += [_text(_MARGIN, bottom + _LINE * (i + 1), t, "soft") for i, t in enumerate(lines)]
        bottom += _LINE * len(lines)
    return _svg(width, bottom + _MARGIN, title, parts)


def overview_svg(
    stats: Statistics, faults: Sequence[FaultInterval], title: str, summary: str
) -> str:
    """Completions a second over the run, with faults shaded."""
    left = _MARGIN + 60
    width = left + _PLOT_WIDTH + 2 * _MARGIN
    top, head = _head(title, summary, width)
    end_s = max(stats.duration_s, *((f.start_ns / 1e9) for f in faults), 0.001)
    bottom = top + _PLOT_HEIGHT
    parts = [head, *_shades(faults, end_s, left, top)]
    series = {
        "ok": stats.throughput.ok,
        "fail": stats.throughput.fail,
        "info": stats.throughput.info,
    }
    highest = max((max(counts, default=0) for counts in series.values()), default=0) or 1
    bucket_s = stats.throughput.bucket_s
    for at, (name, counts) in enumerate(series.items()):
        parts.append(_curve(counts, bucket_s, end_s, highest, left, top, _COLOURS[name]))
        parts.append(_text(left + at * 90, bottom + 52, f"\u2014 {name}", "", _COLOURS[name]))
    parts.append(_rule(left, left + _PLOT_WIDTH, bottom, "axis"))
    for tick_s in _ticks(end_s):
        x = left + tick_s / end_s * _PLOT_WIDTH
        parts.append(_text(x, bottom + 20, f"{tick_s:g} s", "soft", anchor="middle"))
    parts.append(_text(left - 8, bottom, "0", "soft", anchor="end"))
    parts.append(_text(left - 8, top + 10, f"{highest / bucket_s:,.4g}/s", "soft", anchor="end"))
    kinds = list(dict.fromkeys(words.clip(fault.kind, 30) for fault in faults))
    shaded = f"shaded: {', '.join(kinds[:6])}" if kinds else "no faults"
    parts.append(_text(left + 300, bottom + 52, shaded, "soft"))
    return _svg(width, bottom + 52 + _MARGIN, title, parts)


def _ticks(end_s: float) -> list[float]:
    """Round numbers from 0 to the end, some five of them."""
    rough = end_s / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    return [round(i * step, 9) for i in range(int(end_s / step + 1e-9) + 1)]


def _columns(bars: Sequence[Bar], left: float) -> dict[int, float]:
    """An x for every event: a step after the one before, and wide enough for the bars' labels."""
    begun = {bar.completed: bar for bar in bars if bar.completed is not None}
    xs: dict[int, float] = {}
    x = left - _STEP / 2
    for event in sorted({bar.operation for bar in bars} | set(begun)):
        if event in begun:
            x = max(x, xs[begun[event].operation] + _label_width(begun[event]) - _STEP)
        x += _STEP
        xs[event] = x
    return xs


def _label_width(bar: Bar) -> float:
    return len(bar.label) * _CHAR + 16


def _natural(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdecimal() and len(name) < 19 else (2**63, name)


def _bar(bar: Bar, xs: dict[int, float], y: float, right: float) -> str:
    x1 = xs[bar.operation]
    x2 = right if bar.completed is None else xs[bar.completed]
    kind = "culprit" if bar.culprit else bar.outcome
    dashed = "" if bar.completed is not None else ' stroke-dasharray="4 3"'
    return (
        f'<g><title>{clean(bar.told)}</title><rect x="{x1:.1f}" y="{y:.1f}" rx="4" height="24" '
        f'width="{max(x2 - x1, 8):.1f}" fill="{_FILLS[kind]}" stroke="{_COLOURS[kind]}"{dashed}/>'
        f"{_text(x1 + 7, y + 17, bar.label)}</g>"
    )


def _head(title: str, summary: str, width: float) -> tuple[float, str]:
    """Where what follows begins, and the lines above it."""
    lines = _wrapped(summary, width)
    texts = [_text(_MARGIN, _MARGIN + 14, words.clip(title, 80), "head")]
    texts += [_text(_MARGIN, _MARGIN + 16 + _LINE * (i + 1), line) for i, line in enumerate(lines)]
    return _MARGIN + 16 + _LINE * (len(lines) + 1) + 8, "".join(texts)


def _shades(
    faults: Sequence[FaultInterval], end_s: float, left: float, top: float
) -> Sequence[str]:
    scale = _PLOT_WIDTH / end_s
    shades = []
    for fault in faults[:SHADES_MAX]:
        start_s = max(fault.start_ns / 1e9, 0)
        stop_s = end_s if fault.end_ns is None else min(fault.end_ns / 1e9, end_s)
        shades.append(
            f'<rect x="{left + start_s * scale:.1f}" y="{top:.1f}" height="{_PLOT_HEIGHT}" '
            f'width="{max((stop_s - start_s) * scale, 1):.1f}" fill="#e0862c" fill-opacity="0.22">'
            f"<title>{clean(words.fault(fault))}</title></rect>"
        )
    return shades


def _curve(
    counts: Sequence[int],
    bucket_s: int,
    end_s: float,
    highest: int,
    left: float,
    top: float,
    colour: str,
) -> str:
    points: list[str] = []
    for at, count in enumerate(counts):
        y = top + _PLOT_HEIGHT * (1 - count / highest)
        edges_s = (at * bucket_s, (at + 1) * bucket_s)
        points += [f"{left + _PLOT_WIDTH * min(s / end_s, 1):.1f},{y:.1f}" for s in edges_s]
    joined = " ".join(points)
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _rule(x1: float, x2: float, y: float, kind: str = "row") -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _text(
    x: float, y: float, text: str, kind: str = "", fill: str = "", anchor: str = "start"
) -> str:
    style = f' style="fill:{fill}"' if fill else ""
    named = f' class="{kind}"' if kind else ""
    return (
        f'<text{named}{style} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{clean(text)}</text>'
    )


def _wrapped(text: str, width: float, lines_max: int = 4) -> list[str]:
    most = int((width - 2 * _MARGIN) / 6.6)
    lines = [""]
    for word in text.split():
        cut = words.clip(word, most)
        if len(lines[-1]) + len(cut) + 1 > most and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {cut}".strip()
    if len(lines) > lines_max:
        lines = [*lines[: lines_max - 1], lines[lines_max - 1] + " \u2026"]
    return lines


def clean(text: str) -> str:
    """Escaped for XML, which knows no control characters, whatever they are escaped to."""
    return escape("".join(c if c.isprintable() else "\ufffd" for c in text))


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img"><!-- {MARK} -->'
        f"<title>{clean(title)}</title><style>{_STYLE}</style>"
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )
