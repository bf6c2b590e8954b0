"""A simulated run as a space-time diagram, after Lamport.

Rule: everything has a maximum, and what is left out is counted in words.

Source: Lamport, Time, clocks, and the ordering of events in a distributed system, 1978, figure 1.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from markupsafe import Markup

from harness.report.deliveries import messages
from harness.report.spacetime.drawing import Drawing
from harness.report.spacetime.focus import Chosen, Focus, Moment, choose
from harness.report.spacetime.rows import arranged
from harness.worldlog import CLIENT, WorldEvent

MESSAGES_MAX = 400
NODES_MAX = 12
_BEGINNING = Focus()


class Diagram(msgspec.Struct, frozen=True, kw_only=True):
    """`heads` and `body` are two SVGs over one another, to be put into an element of class
    'spacetime' with spacetime.css and the page's colours. `named`: the moments that it is about, as
    far as they are in it, by the ids of their points. `positions`: of the events that are drawn, in
    the log. `notes` say what is left out, `start_ns` and `end_ns` what time is drawn."""

    heads: Markup
    body: Markup
    named: Mapping[str, Moment]
    positions: Sequence[int]
    notes: Sequence[str]
    start_ns: int
    end_ns: int


def spacetime(
    events: Sequence[WorldEvent],
    on: Focus = _BEGINNING,
    *,
    most: int = MESSAGES_MAX,
    name: str = "spacetime",
) -> Diagram | None:
    """The part of the log about the moments of `on`, with at most `most` messages. `name` begins
    the ids in it, of which a page may have each once. None where there is nothing to draw."""
    nodes, absent = _nodes(events)
    chosen = choose(events, list(messages(events).values()), on, nodes, most)
    columns = {node: column for column, node in enumerate(nodes)}
    rows = arranged(events, chosen, columns)
    if not rows.points:
        return None
    drawing = Drawing(events, rows, columns, chosen.messages, on.moments, name)
    return Diagram(
        heads=drawing.heads(),
        body=drawing.body(),
        named=drawing.named(),
        positions=sorted(rows.at),
        notes=_notes(chosen, absent),
        start_ns=rows.points[0].time_ns,
        end_ns=max(point.time_ns for point in rows.points),
    )


def _nodes(events: Iterable[WorldEvent]) -> tuple[list[str], int]:
    """The clients and then the nodes by their names, n2 before n10; and how many are left out."""
    # A node that is dead all the time does nothing, and yet has its line, to be sent to.
    busy = Counter(name for event in events for name in (event.node, event.to) if name is not None)
    nodes = [node for node, _ in busy.most_common() if node != CLIENT]
    kept = sorted(nodes[:NODES_MAX], key=_natural)
    return [CLIENT] * (CLIENT in busy) + kept, max(len(nodes) - NODES_MAX, 0)


def _natural(name: str) -> list[tuple[int, str]]:
    parts = re.split(r"([0-9]{1,9})", name)
    return [(int(part), "") if i % 2 else (-1, part) for i, part in enumerate(parts)]


def _notes(chosen: Chosen, absent: int) -> list[str]:
    notes = []
    if chosen.passed_over:
        total = len(chosen.messages) + len(chosen.passed_over)
        notes.append(f"Of {total:,} messages {len(chosen.messages):,} are drawn.")
    left_out = {
        "messages about other things": chosen.elsewhere,
        "messages that say no more than 'I live'": chosen.quiet,
        "events of nodes": chosen.local_left_out,
        "more nodes, those with the least to say,": absent,
    }
    return notes + [f"{n:,} {what} are left out." for what, n in left_out.items() if n]
