"""Rows of a space-time diagram: which event stands where.

Rules
1. A point is what one node did at one instant: what it received or which timer ran out, what it
   then noted, and what it sent. Points of one node stand in the order of happening.
2. Rows follow the order of happening, not the length of time: a burst takes the room it needs, and
   an idle second a line that says so.
3. Points share a row only if no message leads from one to the other, so every arrow points down,
   and only if they happened about the same time.
4. A label has a gap between two lines of life to itself: labels never overlap.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from statistics import median

import msgspec

from harness.report.deliveries import Message, with_kind
from harness.report.spacetime.focus import Chosen
from harness.report.spacetime.labels import wrapped
from harness.worldlog import CLIENT, WorldEvent

LABELS_MAX = 2  # at one point; the title has them all
_IDLE = 8  # times the usual way of a message: so long a silence is worth a line
_OPENS = frozenset({"receive", "timeout", "request", "start", "crash", "pause", "resume"})
_SILENT = frozenset({"timeout", "persist"})  # no reason to draw a point by themselves


class Point(msgspec.Struct, kw_only=True):
    """What a node did at one instant; `lines` is its label, `right` where that stands."""

    node: str
    time_ns: int
    positions: list[int]
    row: int = 0
    lines: Sequence[str] = ()
    right: bool = True


class Interlude(msgspec.Struct, frozen=True):
    """What stands above a row (or below the last): so many messages are left out there, and so much
    time passes."""

    row: int
    left_out: int
    idle_ns: int


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """`at`: the point of each drawn position. `times_ns` and `firsts`: when each row begins, and
    with which position of the log."""

    points: Sequence[Point]
    at: Mapping[int, Point]
    times_ns: Sequence[int]
    firsts: Sequence[int]
    interludes: Sequence[Interlude]


def arranged(events: Sequence[WorldEvent], chosen: Chosen, columns: Mapping[str, int]) -> Rows:
    """The points of what is chosen, placed and labelled. `columns`: of each node, from the left."""
    by_id = {message.id: message for message in chosen.messages}
    points = _points(events, chosen.positions)
    at = {position: point for point in points for position in point.positions}
    for point in points:
        point.lines = _label(events, point, by_id)
    usual_ns = _usual_ns(events, chosen.messages)
    times_ns = _placed(events, points, at, by_id, columns, usual_ns // 4)
    firsts = [0] * len(times_ns)
    for point in reversed(points):
        firsts[point.row] = point.positions[0]
    return Rows(
        points=points,
        at=at,
        times_ns=times_ns,
        firsts=firsts,
        interludes=_interludes(firsts, times_ns, chosen.passed_over, usual_ns * _IDLE),
    )


def _points(events: Sequence[WorldEvent], positions: Sequence[int]) -> list[Point]:
    points: list[Point] = []
    current: dict[str, Point] = {}
    for position in positions:
        event = events[position]
        point = current.get(event.node)
        if point is None or point.time_ns != event.time or _begins(events, event, point):
            point = Point(node=event.node, time_ns=event.time, positions=[])
            current[event.node] = point
            points.append(point)
        point.positions.append(position)
    return [p for p in points if any(events[i].what not in _SILENT for i in p.positions)]


def _begins(events: Sequence[WorldEvent], event: WorldEvent, point: Point) -> bool:
    if event.node == CLIENT:
        return True  # many clients share the line, and none knows what another does
    if event.what == "request":  # which is how the node reads what it has just received
        return events[point.positions[-1]].what != "receive"
    return event.what in _OPENS


def _label(events: Sequence[WorldEvent], point: Point, by_id: Mapping[int, Message]) -> list[str]:
    """What is written beside the point: protocol events and messages, each said once."""
    here = [events[position] for position in point.positions]
    named = {event.event for event in here if event.what == "event"}
    talks = any(CLIENT in (event.src, event.to) for event in here)
    said: dict[str, None] = {}
    for position, event in zip(point.positions, here, strict=True):
        message = by_id.get(event.id) if event.id is not None else None
        if event.event == "restart":
            continue  # the start that the world notes says more
        if event.what == "receive" and message is not None:
            said |= dict.fromkeys(_arrived(message, position))
        elif event.what == "send" and event.kind not in named:
            said[_sent(event)] = None
        elif event.what not in ("request", "reply") or not talks:
            said |= dict.fromkeys(_noted(event))
    texts = list(said)
    lines = [line for text in texts[:LABELS_MAX] for line in wrapped(text)]
    return [*lines, f"and {len(texts) - LABELS_MAX} more"] if len(texts) > LABELS_MAX else lines


def _arrived(message: Message, position: int) -> list[str]:
    if position != message.arrivals[0]:
        return ["again"]
    return ["late"] if message.late else []


def _sent(event: WorldEvent) -> str:
    if event.text and CLIENT in (event.node, event.to):
        return event.text  # that it is asked or answered is plain from where the arrow leads
    return with_kind(event.kind or "", event.text)


def _noted(event: WorldEvent) -> list[str]:
    """What stands beside a point for something that its node did by itself."""
    match event.what:
        case "event":
            return [with_kind(event.event or "", event.text)]
        case "request":
            return [" ".join(str(p) for p in ("asked", event.f, event.key) if p is not None)]
        case "reply":
            return [f"answers {event.text}"]
        case "start":
            return [f"restart {event.records} records" if event.records else "start"]
        case "crash" | "pause" | "resume":
            return [with_kind(event.what, event.text)]
    return []


def _usual_ns(events: Sequence[WorldEvent], messages: Sequence[Message]) -> int:
    """How long a message is usually on its way; a millisecond where none arrived."""
    took = [events[m.arrivals[0]].time - m.sent_ns for m in messages if m.arrivals]
    return int(median(took)) if took else 1_000_000


def _placed(
    events: Sequence[WorldEvent],
    points: Sequence[Point],
    at: Mapping[int, Point],
    by_id: Mapping[int, Message],
    columns: Mapping[str, int],
    together_ns: int,
) -> list[int]:
    """Gives every point its row and its side; the times at which rows begin."""
    times_ns: list[int] = []
    taken: set[int] = set()  # columns of the last row
    gaps: set[int] = set()  # and gaps between lines of life that hold a label; 0 is left of all
    for point in points:
        column = columns[point.node]
        sources = _sources(events, point, by_id)
        after = max((at[m.sent].row for m in sources if m.sent in at), default=-1)
        row = len(times_ns) - 1
        sides = _sides(column, [columns[m.src] for m in sources])
        if point.node == CLIENT:
            sides = [column + 1]  # left of them stand the times
        free = [side for side in sides if side not in gaps] if point.lines else sides
        if (
            row < 0
            or row <= after
            or column in taken
            or not free
            or point.time_ns - times_ns[row] > together_ns
        ):
            times_ns.append(point.time_ns)
            taken, gaps, free, row = set(), set(), sides, row + 1
        point.row, point.right = row, free[0] == column + 1
        taken.add(column)
        if point.lines:
            gaps.add(free[0])
    return times_ns


def _sources(
    events: Sequence[WorldEvent], point: Point, by_id: Mapping[int, Message]
) -> list[Message]:
    ids = [events[p].id for p in point.positions if events[p].what == "receive"]
    return [by_id[i] for i in ids if i is not None and i in by_id]


def _sides(column: int, sources: Sequence[int]) -> list[int]:
    """The gaps for a label, the better first: arrows come in from above, so not where one does."""
    left, right = column, column + 1
    return [left, right] if any(source > column for source in sources) else [right, left]


def _interludes(
    firsts: Sequence[int], times_ns: Sequence[int], passed_over: Sequence[int], idle_ns: int
) -> list[Interlude]:
    found = []
    counted = 0
    for row in range(len(firsts) + 1):
        end = row == len(firsts)
        until = len(passed_over) if end else bisect_left(passed_over, firsts[row])
        silent_ns = 0 if end or not row else times_ns[row] - times_ns[row - 1]
        if until > counted or silent_ns > idle_ns:
            found.append(Interlude(row, until - counted, silent_ns))
        counted = max(counted, until)
    return found
