"""The failing window as a drawing: who had what open when, in the order of events.

Rule: only the order of invocations and completions is drawn, since only the order is judged; a
long wait takes no more room than a short one.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from harness.report import words
from harness.report.failing import Bar

_STEP, _ROW, _CHAR = 26, 36, 7.6
_TOP, _NAME_MAX = 22, 20


def drawing(bars: Sequence[Bar]) -> Markup:
    """An SVG of the operations, a row for each process. The element of each has its number as
    `data-bar`, by which a script finds it."""
    rows = {name: row for row, name in enumerate(sorted({b.process for b in bars}, key=_natural))}
    left = max((len(_row_name(name)) for name in rows), default=0) * _CHAR + 14
    columns = _columns(bars, left)
    width = _width(bars, columns)
    parts = []
    for name, row in rows.items():
        y = _TOP + row * _ROW
        label = escape(_row_name(name))
        parts.append(f'<text class="soft name" x="0" y="{y + 5}">{label}</text>')
        parts.append(
            f'<line class="row" x1="{left:.0f}" x2="{width:.0f}" y1="{y + 17}" y2="{y + 17}"/>'
        )
    parts += [_bar(bar, columns, _TOP + rows[bar.process] * _ROW, width) for bar in bars]
    height = _TOP + len(rows) * _ROW
    return Markup(
        f'<svg width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}" '
        f'role="img" aria-label="{len(bars)} operations of {len(rows)} processes, in the order of '
        'events; the table of operations below says the same">' + "".join(parts) + "</svg>"
    )


def _row_name(process: str) -> str:
    return f"process {words.clip(process, _NAME_MAX)}"


def _natural(process: str) -> tuple[bool, int, str]:
    number = process.removeprefix("-")
    return (False, int(process), "") if number.isdecimal() else (True, 0, process)


def _width(bars: Sequence[Bar], columns: dict[int, float]) -> float:
    """Wide enough for the labels of open bars, which no column of an end made room for."""
    needed = [columns[b.operation] + len(b.label) * _CHAR + 30 for b in bars]
    return max([*needed, *(x + 60 for x in columns.values())], default=60)


def _columns(bars: Sequence[Bar], left: float) -> dict[int, float]:
    """An x for every event: a step after the one before, and wide enough for the bars' labels."""
    begun = {b.completed: b for b in bars if b.completed is not None}
    xs: dict[int, float] = {}
    x = left - _STEP / 2
    for event in sorted({b.operation for b in bars} | set(begun)):
        if event in begun:
            bar = begun[event]
            x = max(x, xs[bar.operation] + len(bar.label) * _CHAR + 18 - _STEP)
        x += _STEP
        xs[event] = x
    return xs


def _bar(bar: Bar, columns: dict[int, float], y: int, width: float) -> str:
    x1 = columns[bar.operation]
    x2 = width if bar.completed is None else columns[bar.completed]
    shape = "culprit" if bar.culprit else bar.outcome
    return (
        f'<g class="op" data-bar="{bar.operation}"><title>{escape(words.printable(bar.told))}'
        f'</title><rect class="bar {shape}" x="{x1:.0f}" y="{y - 11}" rx="4" '
        f'width="{max(x2 - x1, 8):.0f}" height="23"/>'
        f'<text x="{x1 + 9:.0f}" y="{y + 5}">{escape(words.printable(bar.label))}</text></g>'
    )
