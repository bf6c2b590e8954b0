"""The failing window as a drawing: who had what open when, in the order of events.

Rule: only the order of invocations and completions is drawn, since only the order is judged; a
long wait takes no more room than a short one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape

from markupsafe import Markup

from checkers.history import Call
from harness.report import words

CALLS_MAX = 40
_STEP, _ROW, _CHAR = 26, 30, 7.6


def nearest(calls: Sequence[Call], culprits: Collection[int]) -> list[Call]:
    """At most CALLS_MAX of the calls: the culprits, and those that ended nearest to the last."""
    if len(calls) <= CALLS_MAX:
        return list(calls)
    at = max(culprits, default=calls[-1].index)

    def distance(call: Call) -> tuple[bool, int]:
        return call.index not in culprits, abs((call.completion or call.invoke).index - at)

    return sorted(sorted(calls, key=distance)[:CALLS_MAX], key=lambda call: call.index)


def drawing(calls: Sequence[Call], culprits: Collection[int], end_at: int | None = None) -> Markup:
    """An SVG of the calls. `culprits`: indices of those that contradict the others. `end_at`: index
    of an event; what completed later is drawn open."""
    rows = _rows(calls)
    labels = {c.index: words.what(c, 24) for c in calls}
    left = max((len(f"process {name}") for name in rows), default=0) * _CHAR + 8
    columns = _columns(calls, labels, end_at, left)
    width = _width(calls, labels, columns)
    parts = []
    for name, row in rows.items():
        y = 18 + row * _ROW
        parts.append(f'<text class="soft" x="0" y="{y + 5}">process {escape(str(name))}</text>')
        parts.append(
            f'<line class="row" x1="{left:.0f}" x2="{width:.0f}" y1="{y + 14}" y2="{y + 14}"/>'
        )
    for call in calls:
        y = 18 + rows[call.invoke.process] * _ROW
        parts.append(_bar(call, labels[call.index], columns, y, culprits, end_at, width))
    height = 18 + len(rows) * _ROW + 4
    return Markup(
        f'<svg width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}">'
        + "".join(parts)
        + "</svg>"
    )


def _width(calls: Sequence[Call], labels: dict[int, str], columns: dict[int, float]) -> float:
    """Wide enough for the labels of open bars, which no column of an end made room for."""
    needed = [columns[c.index] + len(labels[c.index]) * _CHAR + 30 for c in calls]
    return max([*needed, *(x + 60 for x in columns.values())], default=60)


def _seen(call: Call, end_at: int | None) -> bool:
    done = call.completion
    if done is None or done.type == "info":
        return False
    return end_at is None or done.index <= end_at


def _rows(calls: Sequence[Call]) -> dict[int | str, int]:
    names = sorted({c.invoke.process for c in calls}, key=lambda p: (isinstance(p, str), p))
    return {name: row for row, name in enumerate(names)}


def _columns(
    calls: Sequence[Call], labels: dict[int, str], end_at: int | None, left: float
) -> dict[int, float]:
    """An x for every event: a step after the one before, and wide enough for the bars' labels."""
    begun = {c.completion.index: c.index for c in calls if c.completion and _seen(c, end_at)}
    xs: dict[int, float] = {}
    x = left - _STEP / 2
    for event in sorted({c.index for c in calls} | set(begun)):
        if event in begun:
            start = begun[event]
            x = max(x, xs[start] + len(labels[start]) * _CHAR + 14 - _STEP)
        x += _STEP
        xs[event] = x
    return xs


def _bar(
    call: Call,
    label: str,
    columns: dict[int, float],
    y: int,
    culprits: Collection[int],
    end_at: int | None,
    width: float,
) -> str:
    x1 = columns[call.index]
    closed = call.completion is not None and _seen(call, end_at)
    x2 = columns[call.completion.index] if closed and call.completion else width
    shape = "culprit" if call.index in culprits else call.outcome
    return (
        f"<g><title>{escape(words.whole(call))}</title>"
        f'<rect class="bar {shape}" x="{x1:.0f}" y="{y - 10}" rx="4" '
        f'width="{max(x2 - x1, 8):.0f}" height="21"/>'
        f'<text x="{x1 + 6:.0f}" y="{y + 5}">{escape(label)}</text></g>'
    )
