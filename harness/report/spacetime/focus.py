"""Where to look in a world log, and what of it to draw.

Rules
1. A violation is looked at where its evidence lies: at the operations or protocol events that it
   names, and on what those are about. Of several violations it is the one that protocol events
   complete first: what clients see follows from it. Without any the beginning is shown.
2. Messages are chosen by their place among the others, not by time: every moment gets its share,
   however dense the traffic about another one is. What came before a moment counts for more.
3. What is not chosen is counted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from math import inf
from typing import Any

import msgspec

from checkers.history import Call
from checkers.verdict import Kind, Recording
from harness.report.deliveries import QUIET, Message, Subjects
from harness.report.explanations import Explanation
from harness.worldlog import CLIENT, WorldEvent

MOMENTS_MAX = 8
LOCAL_MAX = 800  # events of one node, beside messages
NEUTRAL_NEAR = 12  # places from a moment: so near, messages count that name no subject
AFTER_MAX = 16  # messages behind the last moment: the violation is complete by then
_AFTERWARDS = 4  # so much less counts what happened after a moment

# What a node does by itself that is worth a place in the drawing.
_LOCAL = frozenset({"event", "request", "reply", "crash", "start", "pause", "resume"})
_CAUSES = frozenset({"timeout", "persist"})  # worth a word where something came of it
_LIVES = frozenset({"crash", "start", "pause", "resume"})


class Moment(msgspec.Struct, frozen=True):
    """Something that the evidence names. `node` None: no particular one."""

    time_ns: int
    node: str | None = None


class Focus(msgspec.Struct, frozen=True):
    """`moments` empty: the beginning. `subjects`: keys and slots ('slot 7'), empty for all.
    `checker`: whose finding it is, empty for nobody's."""

    moments: Sequence[Moment] = ()
    subjects: frozenset[str] = frozenset()
    checker: str = ""


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """What to draw: messages in the order of sending, and `positions` of all events, theirs too.
    `passed_over`: positions of messages that there was no room for. `quiet`: how many messages
    that say only 'I live' were left out, `elsewhere`: how many about other
    subjects. `local_left_out`: events of one node."""

    messages: Sequence[Message]
    positions: Sequence[int]
    passed_over: Sequence[int]
    quiet: int
    elsewhere: int
    local_left_out: int


def focus(explained: Iterable[Explanation], recording: Recording) -> Focus:
    """The violation to look at first; the beginning of the run where there is none."""
    invalid = [e for e in explained if e.verdict.kind is Kind.INVALID]
    if not invalid:
        return Focus()

    def completed_ns(one: Explanation) -> float:
        return max((time_ns for time_ns, *_ in _named(one, recording)), default=inf)

    first = min(invalid, key=completed_ns)  # of equals the first, which the page's headline tells
    named = list(_named(first, recording))
    told = _told(first)
    ends = [(call.completion or call.invoke).time for call in told]
    moments = [Moment(time_ns, node) for time_ns, node, _ in named]
    moments += [Moment(time_ns, CLIENT) for time_ns in (*ends, *(c.invoke.time for c in told))]
    subjects = {str(call.key) for call in told if call.key is not None}
    subjects |= {_subject(instance) for *_, instance in named if instance is not None}
    return Focus(
        tuple(dict.fromkeys(moments))[:MOMENTS_MAX], frozenset(subjects), first.verdict.checker
    )


def _subject(instance: object) -> str:
    """As texts name it: a key is its own name, a number a slot of the log."""
    return f"slot {instance}" if type(instance) is int else str(instance)


def _told(explanation: Explanation) -> list[Call]:
    """The operations to look at, those that contradict the others before those."""
    others = explanation.essential - explanation.culprits
    told = [call for call in explanation.calls if call.index in explanation.culprits]
    return told + [call for call in explanation.calls if call.index in others]


def _named(explanation: Explanation, recording: Recording) -> Iterable[tuple[int, str, Any]]:
    """Time, node and instance of the protocol events that evidence names."""
    evidence = explanation.verdict.evidence
    named: list[Any] = [evidence.get("event")]
    for several in (evidence.get("against"), evidence.get("events")):
        named += several if isinstance(several, list) else []
    for event in named:
        if type(event) is int and 0 <= event < len(recording.trace):
            found = recording.trace[event]
            yield found.time, found.node, found.instance
        elif isinstance(event, dict) and isinstance(event.get("time"), int):
            yield event["time"], str(event.get("node")), event.get("instance", event.get("index"))


def choose(
    events: Sequence[WorldEvent],
    known: Sequence[Message],
    on: Focus,
    nodes: Sequence[str],
    most: int,
) -> Chosen:
    """What of the log to draw: at most `most` messages, those between `nodes`."""
    about = Subjects(events)
    moments = _at(events, on.moments)
    told, quiet = _worth_telling(known, nodes)
    between = len(told)
    told = _on_subjects(told, about, on, moments)
    sent = [message.sent for message in told]
    end = bisect_left(sent, max(moments)) + AFTER_MAX if moments else len(told)
    taken = set(_nearest(told[:end], sent, moments, most))
    positions = {p for i in taken for p in (told[i].sent, *told[i].arrivals)}
    near = [
        position
        for position in _local(events, about, on, set(nodes))
        if _beside(bisect_left(sent, position), taken, len(told))
    ]
    return Chosen(
        messages=[told[i] for i in sorted(taken)],
        positions=_with_causes(events, positions.union(_closest(near, moments))),
        passed_over=[at for i, at in enumerate(sent) if i not in taken],
        quiet=quiet,
        elsewhere=between - len(told),
        local_left_out=max(len(near) - LOCAL_MAX, 0),
    )


def _worth_telling(known: Sequence[Message], nodes: Sequence[str]) -> tuple[list[Message], int]:
    """The messages between `nodes`, and how many quiet ones beside them."""
    between = [m for m in known if m.sent >= 0 and m.src in nodes and m.to in nodes]
    told = [message for message in between if message.kind.lower() not in QUIET]
    return told, len(between) - len(told)


def _on_subjects(
    told: Sequence[Message], about: Subjects, on: Focus, moments: Sequence[int]
) -> list[Message]:
    """Those on the subjects, and close to a moment those that name none."""
    if not on.subjects:
        return list(told)
    sent = [message.sent for message in told]
    places = [bisect_left(sent, at) for at in moments]
    kept = []
    for i, message in enumerate(told):
        bearing = about.bearing(message.text, on.subjects)
        near = any(abs(i - place) <= NEUTRAL_NEAR for place in places)
        if bearing or (bearing is None and near):
            kept.append(message)
    return kept


def _local(
    events: Sequence[WorldEvent], about: Subjects, on: Focus, nodes: Collection[str]
) -> Iterable[int]:
    """Positions of what nodes did by themselves, on the subjects."""
    asked: dict[tuple[str, int | None], bool] = {}  # is the latest request of that number told?
    for position, event in enumerate(events):
        if event.what not in _LOCAL or event.node not in nodes or event.event == "messages":
            continue
        told = not on.subjects or event.what in _LIVES
        if event.what == "request":
            told = told or str(event.key) in on.subjects
            asked[event.node, event.id] = told
        elif event.what == "reply":
            told = asked.get((event.node, event.id), told)
        elif not told:
            told = about.bearing(event.text, on.subjects) is not False
        if told:
            yield position


def _at(events: Sequence[WorldEvent], moments: Sequence[Moment]) -> list[int]:
    """Behind which event each moment lies."""
    return [bisect_left(events, m.time_ns + 1, key=lambda event: event.time) for m in moments]


def _nearest(
    told: Sequence[Message], sent: Sequence[int], moments: Sequence[int], most: int
) -> Sequence[int]:
    """Indices of the messages nearest to a moment, by how many others lie between."""
    if len(told) <= most:
        return range(len(told))
    places = [bisect_left(sent, at) for at in moments] or [0]
    ends = [
        [i, *(bisect_left(sent, arrival) for arrival in message.arrivals)]
        for i, message in enumerate(told)
    ]

    def distance(i: int) -> int:
        return min(
            place - end if end <= place else (end - place) * _AFTERWARDS
            for place in places
            for end in ends[i]
        )

    return sorted(range(len(told)), key=distance)[:most]


def _closest(near: Sequence[int], moments: Sequence[int]) -> Sequence[int]:
    """At most LOCAL_MAX of the positions, the closest to a moment."""

    def distance(position: int) -> int:
        return min((abs(position + 1 - at) for at in moments), default=position)

    return near if len(near) <= LOCAL_MAX else sorted(near, key=distance)[:LOCAL_MAX]


def _with_causes(events: Sequence[WorldEvent], positions: Iterable[int]) -> list[int]:
    """In order, with what went before at the same instant: the timer, the writing to disk."""
    found = set(positions)
    for position in list(found):
        for before in range(position - 1, -1, -1):
            event = events[before]
            same = event.node == events[position].node and event.time == events[position].time
            if not same or event.what not in _CAUSES:
                break
            found.add(before)
    return sorted(found)


def _beside(index: int, taken: set[int], total: int) -> bool:
    """Is the message before or behind this place drawn? Where there are none, all is drawn."""
    return not total or index in taken or index - 1 in taken
