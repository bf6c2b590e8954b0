"""Small charts of the nights, drawn here as SVG: no script, and a table beside each says the same.

Rules
1. Colours are classes of the style sheet, so that a chart follows light and dark.
2. What nobody measured is a gap and no zero.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from markupsafe import Markup, escape

from harness.serve.wording import moment, number

WIDTH, HEIGHT, TOP, BOTTOM = 360.0, 120.0, 14.0, 18.0


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """`points`: what is drawn, as texts: (when, how much)."""

    title: str
    unit: str
    svg: Markup
    points: list[tuple[str, str]]
    last: str


def bars(
    title: str, unit: str, at: Sequence[str], values: Sequence[float | None], *, bad: bool = False
) -> Chart:
    """A bar a value; where one is None there is none."""
    step = WIDTH / max(len(values), 1)
    top = _top(values)
    drawn = []
    for place, value in enumerate(values):
        if value is None:
            continue
        height = (HEIGHT - TOP - BOTTOM) * value / top
        drawn.append(
            f'<rect class="{"bad" if bad else "bar"}" x="{place * step + step * 0.1:.1f}" '
            f'y="{HEIGHT - BOTTOM - height:.1f}" width="{step * 0.8:.1f}" height="{height:.1f}">'
            f"<title>{escape(f'{moment(at[place])}: {number(value)} {unit}')}</title></rect>"
        )
    return _chart(title, unit, at, values, "".join(drawn), top)


def line(
    title: str,
    unit: str,
    at: Sequence[str],
    values: Sequence[float | None],
    spreads: Sequence[tuple[float, float] | None] = (),
) -> Chart:
    """A dot a value, joined with its neighbours; where one is None the line is broken. `spreads`:
    the range about each value, drawn as an upright line; empty where there are none."""
    step = WIDTH / max(len(values), 1)
    top = _top([*values, *(spread[1] for spread in spreads if spread is not None)])
    drawn, joined = [], list[str]()
    for place, value in enumerate(values):
        if value is None:
            drawn.append(_joined(joined))
            joined = []
            continue
        x, y = place * step + step / 2, _height(value, top)
        joined.append(f"{x:.1f},{y:.1f}")
        hint = f"{moment(at[place])}: {number(value)} {unit}"
        spread = spreads[place] if spreads else None
        if spread is not None:
            low, high = spread
            hint += f", from {number(low)} to {number(high)}"
            drawn.append(
                f'<line class="spread" x1="{x:.1f}" x2="{x:.1f}" y1="{_height(low, top):.1f}" '
                f'y2="{_height(high, top):.1f}"/>'
            )
        drawn.append(
            f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{escape(hint)}</title>'
            "</circle>"
        )
    return _chart(title, unit, at, values, "".join([*drawn, _joined(joined)]), top)


def _joined(dots: Sequence[str]) -> str:
    return f'<polyline points="{" ".join(dots)}"/>' if len(dots) > 1 else ""


def _height(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top


def _top(values: Sequence[float | None]) -> float:
    """What the height stands for; small numbers fill it too, zeroes do not divide."""
    return max((value for value in values if value is not None), default=0.0) or 1.0


def _chart(
    title: str, unit: str, at: Sequence[str], values: Sequence[float | None], drawn: str, top: float
) -> Chart:
    known = [value for value in values if value is not None]
    said = f"{title}, {unit}: "
    said += f"from {number(min(known))} to {number(max(known))}" if known else "nothing measured"
    ground = HEIGHT - BOTTOM
    ends = "".join(
        f'<text x="{x:g}" y="{HEIGHT - 4:g}" text-anchor="{anchor}">{escape(moment(day)[:10])}'
        "</text>"
        for x, anchor, day in ((0.0, "start", at[0]), (WIDTH, "end", at[-1]))
    )
    svg = Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" '
        f'aria-label="{escape(said)}"><text x="0" y="10">{escape(number(top))}</text>'
        f'<line x1="0" x2="{WIDTH:g}" y1="{ground:g}" y2="{ground:g}"/>{drawn}{ends}</svg>'
    )
    points = [(moment(when), number(value) or "–") for when, value in zip(at, values, strict=True)]
    return Chart(title=title, unit=unit, svg=svg, points=points, last=points[-1][1])
