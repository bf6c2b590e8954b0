"""Arrows of a space-time diagram, and labels kept out of their way.

Rules
1. An arrow begins in the row of its sending and ends in a later one, or in the air if nothing more
   is known of its message: close to the line of whom it did not reach, so that this is plain.
2. A label stands on the side of its point on which fewer arrows run through it. It never takes a
   gap that another label of its row has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from harness.report.deliveries import Message
from harness.report.spacetime.labels import width
from harness.report.spacetime.rows import Point, Rows
from harness.report.story import said
from harness.worldlog import CLIENT, WorldEvent

PITCH = 100  # pixels between two lines of life, at least
ASIDE = 9  # pixels from a line of life to a label
CELL, LINE = 6.62, 13  # pixels: the advance of a sign, and of a line of text
STUB = 12  # pixels: how far below its sending a message ends that did not arrive
_AIR = 0.3  # of the pitch: how far from its goal
_SCALES = (1.0, 1.7)  # of the pitch: as narrow as can be, and as wide as a usual page


class Arrow(msgspec.Struct, frozen=True, kw_only=True):
    """From a column and y to another. `rows`: the first it crosses and the one in which it ends.
    `shape`: '', 'client', 'late', 'again', 'lost' or 'open'."""

    x1: float
    y1: float
    x2: float
    y2: float
    rows: tuple[int, int]
    shape: str
    told: str


def arrows(
    events: Sequence[WorldEvent],
    told: Iterable[Message],
    rows: Rows,
    ys: Sequence[float],
    columns: Mapping[str, int],
) -> list[Arrow]:
    """One for each arrival, one for each message without. `ys`: of the rows."""
    found = []
    for message in told:
        row = rows.at[message.sent].row
        x1, x2, words = columns[message.src], columns[message.to], said(message.words)
        route = f"{words}: {said(message.src)} to {said(message.to)}"
        if not message.arrivals:
            lost = message.lost is not None
            found.append(
                Arrow(
                    x1=x1,
                    y1=ys[row],
                    x2=x2 - _AIR if x1 < x2 else x2 + _AIR,
                    y2=ys[row] + STUB,
                    rows=(row + 1, row + 1),
                    shape="lost" if lost else "open",
                    told=f"{route}, {'lost' if lost else 'never arrives'}",
                )
            )
        for arrival in message.arrivals:
            shape, fate = _fate(message, arrival)
            took_ms = (events[arrival].time - message.sent_ns) / 1e6
            end = rows.at[arrival].row
            found.append(
                Arrow(
                    x1=x1,
                    y1=ys[row],
                    x2=x2,
                    y2=ys[end],
                    rows=(row + 1, end),
                    shape=shape,
                    told=f"{route}, after {took_ms:.3f} ms{fate}",
                )
            )
    return found


def _fate(message: Message, arrival: int) -> tuple[str, str]:
    if arrival != message.arrivals[0]:
        return "again", ", again"
    if message.late:
        return "late", ", overtaken by a later one"
    return "client" if CLIENT in (message.src, message.to) else "", ""


def clear(
    points: Iterable[Point], drawn: Iterable[Arrow], ys: Sequence[float], columns: Mapping[str, int]
) -> None:
    """Turn labels to the side where fewer arrows cross them, where that gap is free."""
    crossing: dict[int, list[Arrow]] = {}
    for arrow in drawn:
        for row in range(arrow.rows[0], arrow.rows[1] + 1):
            crossing.setdefault(row, []).append(arrow)
    labelled = [point for point in points if point.lines]
    taken = {(point.row, columns[point.node] + point.right) for point in labelled}
    for point in labelled:
        column = columns[point.node]
        other = point.row, column + (not point.right)
        if other in taken or (other[1] == 0 and CLIENT in columns):
            continue  # left of the clients' line is no room
        count = _counter(point, crossing.get(point.row, ()), ys[point.row], column)
        if count(not point.right) < count(point.right):
            taken.remove((point.row, column + point.right))
            taken.add(other)
            point.right = not point.right


def _counter(point: Point, near: Sequence[Arrow], y: float, column: int) -> Callable[[bool], int]:
    """How many of the arrows run through the label on its right, or left."""
    long = max(width(line) for line in point.lines) * CELL
    top, bottom = y - 4 - len(point.lines) * LINE, y - 2

    def count(right: bool) -> int:
        found = 0
        for pitch in (PITCH * scale for scale in _SCALES):
            start = column * pitch + (ASIDE if right else -ASIDE - long)
            found += sum(
                _runs_through(a, pitch, (start, start + long), (top, bottom)) for a in near
            )
        return found

    return count


def _runs_through(
    arrow: Arrow, pitch: float, across: tuple[float, float], down: tuple[float, float]
) -> bool:
    top, bottom = max(down[0], arrow.y1), min(down[1], arrow.y2)
    if top >= bottom:
        return False
    slope = (arrow.x2 - arrow.x1) * pitch / (arrow.y2 - arrow.y1)
    ends = [arrow.x1 * pitch + (y - arrow.y1) * slope for y in (top, bottom)]
    return min(ends) < across[1] and across[0] < max(ends)
