"""Small charts of the nights, drawn here as SVG: no script, and a table beside each says the same.

Rule: colours are classes of the style sheet, so that a chart follows light and dark.
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
    title: str, unit: str, at: Sequence[str], values: Sequence[float], *, bad: bool = False
) -> Chart:
    step = WIDTH / max(len(values), 1)
    top = max([*values, 1.0])
    drawn = []
    for place, value in enumerate(values):
        height = (HEIGHT - TOP - BOTTOM) * value / top
        hint = escape(f"{moment(at[place])}: {number(value)} {unit}")
        drawn.append(
            f'<rect class="{"bad" if bad else "bar"}" x="{place * step + step * 0.1:.1f}" '
            f'y="{HEIGHT - BOTTOM - height:.1f}" width="{step * 0.8:.1f}" height="{height:.1f}">'
            f"<title>{hint}</title></rect>"
        )
    return _chart(title, unit, at, values, "".join(drawn), top)


def line(title: str, unit: str, at: Sequence[str], values: Sequence[float]) -> Chart:
    step = WIDTH / max(len(values), 1)
    top = max([*values, 1.0])
    dots = [
        (place * step + step / 2, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top)
        for place, value in enumerate(values)
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in dots)
    circles = "".join(
        f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3">'
        f"<title>{escape(f'{moment(when)}: {number(value)} {unit}')}</title></circle>"
        for (x, y), when, value in zip(dots, at, values, strict=True)
    )
    return _chart(title, unit, at, values, f'<polyline points="{path}"/>{circles}', top)


def _chart(
    title: str, unit: str, at: Sequence[str], values: Sequence[float], drawn: str, top: float
) -> Chart:
    said = f"{title}, {unit}: from {number(min(values))} to {number(max(values))}"
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
    points = [(moment(when), number(value)) for when, value in zip(at, values, strict=True)]
    return Chart(title=title, unit=unit, svg=svg, points=points, last=points[-1][1])
