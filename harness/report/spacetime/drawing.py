"""The SVG of a space-time diagram.

Rules
1. A line of life for each node and one for the clients, time downwards.
2. Nothing is told by colour alone: lost messages end in a cross, those that never arrived in a
   ring, late ones and repeated arrivals have a dash and a word of their own.
3. Places from left to right are shares of the width, those from top to bottom are pixels: the
   drawing takes whatever width there is, and its letters never grow or shrink.
4. Every text that came from the log is cut and escaped.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from html import escape

from markupsafe import Markup

from harness.report.deliveries import Message
from harness.report.spacetime.arrows import ASIDE, LINE, PITCH, STUB, Arrow, arrows, clear
from harness.report.spacetime.focus import Moment
from harness.report.spacetime.labels import CELLS_MAX, clipped, printable
from harness.report.spacetime.rows import Interlude, Point, Rows
from harness.report.story import local, said
from harness.worldlog import CLIENT, WorldEvent

TITLE_LINES_MAX = 8

_GUTTER = 86  # pixels left of the first line of life, for the time; more where labels stand there
_NAME_CELLS = CELLS_MAX - 2  # its letters are larger
_HEAD, _ROW, _INTERLUDE = 26, 20, 26
_TOLD_NS = 100_000  # a shorter silence has no digits
_SORTS = {"crash": "stop", "pause": "stop", "start": "begin", "resume": "begin"}  # of dots
_STATES = {"crash": "down", "start": "life", "pause": "paused", "resume": "life"}


class Drawing:
    """What is chosen of a log, placed; `columns`: of each node, from the left."""

    def __init__(
        self,
        events: Sequence[WorldEvent],
        rows: Rows,
        columns: Mapping[str, int],
        told: Sequence[Message],
        moments: Sequence[Moment],
        name: str,
    ) -> None:
        self._events, self._rows, self._columns, self._name = events, rows, columns, name
        self._ys, self._interludes, self._height = _heights(rows, _rows_of_stubs(rows, told))
        self._arrows = arrows(events, told, rows, self._ys, columns)
        clear(rows.points, self._arrows, self._ys, columns)
        self._messages = len(told)
        self._gutter = _GUTTER if CLIENT in columns else _GUTTER + PITCH * 3 // 5
        self._width = self._gutter + len(columns) * PITCH
        wanted = {(moment.time_ns, moment.node): moment for moment in moments}
        places = [(point.time_ns, point.node) for point in rows.points]
        self._named = {i: wanted[place] for i, place in enumerate(places) if place in wanted}

    def named(self) -> dict[str, Moment]:
        """The moments that have a point here, by the id of its element."""
        return {f"{self._name}-{i}": moment for i, moment in self._named.items()}

    def heads(self) -> Markup:
        """The names of the lines, to stand above the body, also while that is scrolled."""
        names = "".join(
            f'<text x="{self._x(column)}" y="18">{_text(clipped(node, _NAME_CELLS))}</text>'
            for node, column in self._columns.items()
        )
        return Markup(
            f'<svg class="heads" style="min-width:{self._width}px" height="{_HEAD}" '
            f'aria-hidden="true"><text class="time" x="{_share(30, self._width)}" y="18">seconds'
            f"</text>{names}</svg>"
        )

    def body(self) -> Markup:
        """All but the names."""
        title, about = f"{self._name}-title", f"{self._name}-about"
        start, end = (
            f"{p.time_ns / 1e9:.3f} s" for p in (self._rows.points[0], self._rows.points[-1])
        )
        sentence = (
            f"{self._messages:,} messages between {', '.join(map(said, self._columns))}, "
            f"from {start} to {end}. The story below has them as text."
        )
        parts = [
            f'<svg style="min-width:{self._width}px" height="{self._height}" role="img" '
            f'aria-labelledby="{title} {about}"><title id="{title}">Space-time diagram</title>'
            f'<desc id="{about}">{_text(sentence)}</desc>',
            self._markers(),
            *(
                self._interlude(i, y)
                for i, y in zip(self._rows.interludes, self._interludes, strict=True)
            ),
            *(line for node in self._columns for line in self._life(node)),
            *(self._arrow(arrow) for arrow in self._arrows),
            *(self._point(i, point) for i, point in enumerate(self._rows.points)),
            *self._times(),
            "</svg>",
        ]
        return Markup("".join(parts))

    def _markers(self) -> str:
        """Heads of arrows, one of each colour: a head cannot take that of its line everywhere."""
        paint = {"": "--ink-soft", "client": "--link", "late": "--fail", "again": "--info"}
        heads = "".join(
            f'<marker id="{self._name}-arrow{shape}" markerUnits="userSpaceOnUse" markerWidth="12" '
            f'markerHeight="10" refX="12" refY="5" orient="auto"><path d="M0 1 9 5 0 9z" '
            f'fill="var({colour})"/></marker>'
            for shape, colour in paint.items()
        )
        ends = (
            f'<marker id="{self._name}-lost" markerUnits="userSpaceOnUse" markerWidth="12" '
            'markerHeight="12" refX="6" refY="6"><path d="M1 1 11 11M11 1 1 11" fill="none" '
            'stroke="var(--bad)" stroke-width="2.2"/></marker>'
            f'<marker id="{self._name}-open" markerUnits="userSpaceOnUse" markerWidth="12" '
            'markerHeight="12" refX="6" refY="6"><circle cx="6" cy="6" r="3.5" fill="var(--paper)" '
            'stroke="var(--ink-soft)" stroke-width="1.5"/></marker>'
        )
        return f"<defs>{heads}{ends}</defs>"

    def _x(self, column: float) -> str:
        return _share(self._gutter + column * PITCH, self._width)

    def _y(self, position: int) -> float:
        """Of what happened there, whether it is drawn or not."""
        point = self._rows.at.get(position)
        if point is not None:
            return self._ys[point.row]
        row = bisect_left(self._rows.firsts, position)
        return self._ys[row] - _ROW / 2 if row < len(self._ys) else self._height

    def _life(self, node: str) -> list[str]:
        """The node's line, in pieces of one state."""
        x, y, state = self._x(self._columns[node]), 0.0, "life"
        pieces = []
        changes = [
            (i, e) for i, e in enumerate(self._events) if e.node == node and e.what in _STATES
        ]
        if changes and changes[0][1].what == "start":
            state = "down"
        for position, event in changes:
            until = self._y(position)
            if until > y:
                pieces.append((y, until, state))
            y, state = until, _STATES[event.what]
        pieces.append((y, self._height, state))
        return [
            f'<line class="{state}" x1="{x}" x2="{x}" y1="{y1:.0f}" y2="{y2:.0f}"/>'
            for y1, y2, state in pieces
        ]

    def _arrow(self, arrow: Arrow) -> str:
        mark = arrow.shape if arrow.shape in ("lost", "open") else f"arrow{arrow.shape}"
        ends = (
            f'x1="{self._x(arrow.x1)}" y1="{arrow.y1:.0f}" '
            f'x2="{self._x(arrow.x2)}" y2="{arrow.y2:.0f}"'
        )
        return (
            f'<g><title>{_text(arrow.told)}</title><line class="{arrow.shape}" {ends} '
            f'marker-end="url(#{self._name}-{mark})"/><line class="hit" {ends}/></g>'
        )

    def _point(self, index: int, point: Point) -> str:
        x, y = self._x(self._columns[point.node]), self._ys[point.row]
        here = [self._events[position] for position in point.positions]
        kinds = {event.what for event in here}
        anchor = f' id="{self._name}-{index}"' if index in self._named else ""
        parts = [f"<g{anchor}><title>{_text(self._told(point, here))}</title>"]
        if anchor:
            parts.append(f'<circle class="named" cx="{x}" cy="{y:.0f}" r="7"/>')
        if point.lines or kinds - {"receive"}:
            sort = next((_SORTS[event.what] for event in here if event.what in _SORTS), "")
            parts.append(f'<circle class="dot {sort}" cx="{x}" cy="{y:.0f}" r="4"/>')
        side = f'dx="{ASIDE}"' if point.right else f'class="left" dx="-{ASIDE}"'
        for above, line in enumerate(reversed(point.lines)):
            parts.append(
                f'<text {side} x="{x}" y="{y - 4 - above * LINE:.0f}">{_text(line)}</text>'
            )
        return "".join([*parts, "</g>"])

    def _told(self, point: Point, here: Sequence[WorldEvent]) -> str:
        lines = [f"{point.time_ns / 1e9:.6f} s"]
        lines += [local(event) for event in here if event.what not in ("send", "receive", "lost")]
        left_out = len(lines) - TITLE_LINES_MAX
        return "\n".join(lines[:TITLE_LINES_MAX]) + (
            f"\nand {left_out} more" if left_out > 0 else ""
        )

    def _times(self) -> list[str]:
        """Beside each row that begins later than the one before, as far as its digits tell."""
        told, last = [], ""
        for time_ns, y in zip(self._rows.times_ns, self._ys, strict=True):
            text = f"{time_ns / 1e9:.4f}"
            if text != last:
                told.append(f'<text class="time" x="6" y="{y + 4:.0f}">{text}</text>')
            last = text
        return told

    def _interlude(self, interlude: Interlude, y: float) -> str:
        counted = f"{interlude.left_out:,} message{'s' * (interlude.left_out != 1)} left out"
        told = [counted] if interlude.left_out else []
        told += [f"{_lasting(interlude.idle_ns)} pass"] if interlude.idle_ns >= _TOLD_NS else []
        return (
            f'<line class="cut" x1="0" x2="100%" y1="{y:.0f}" y2="{y:.0f}"/>'
            f'<text class="gone" x="6" y="{y + 4:.0f}">⋮ {", ".join(told)}</text>'
        )


def _rows_of_stubs(rows: Rows, told: Sequence[Message]) -> set[int]:
    """Those under which a message ends in the air."""
    return {rows.at[message.sent].row for message in told if not message.arrivals}


def _heights(rows: Rows, roomy: set[int]) -> tuple[list[float], list[float], float]:
    """The y of every row and of every interlude, and that of the end. `roomy`: rows that need room
    below."""
    tall = [1] * len(rows.times_ns)
    for point in rows.points:
        tall[point.row] = max(tall[point.row], len(point.lines))
    above = {interlude.row for interlude in rows.interludes}
    ys: list[float] = []
    interludes: list[float] = []
    y = 4.0
    for row, lines in enumerate(tall):
        if row in above:
            interludes.append(y + _INTERLUDE / 2 + 4)
            y += _INTERLUDE
        y += max(_ROW, lines * LINE + 10) + (STUB if row - 1 in roomy else 0)
        ys.append(y)
    if len(tall) in above:
        interludes.append(y + _INTERLUDE / 2 + 12)
        y += _INTERLUDE
    return ys, interludes, y + 24


def _lasting(time_ns: int) -> str:
    return f"{time_ns / 1e6:.1f} ms" if time_ns < 10**9 else f"{time_ns / 1e9:.2f} s"


def _share(x: float, width: float) -> str:
    return f"{x / width * 100:.2f}%"


def _text(text: str) -> str:
    """Escaped, line breaks kept."""
    return escape("\n".join(printable(line) for line in text.split("\n")))
