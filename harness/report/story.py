"""The message story of a simulated run: one line an event, as a person would tell it.

Rules
1. The order of the lines is the order of happening.
2. A line stands alone: an arrival repeats what was sent, an answer what was asked.
3. A text of the system under test is cut, and what is not printable in it is replaced: a terminal
   or a page that shows a line does nothing else with it.
4. What is left out is counted, in a line of its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from harness.report import words
from harness.report.deliveries import Message, messages, texts, with_kind
from harness.worldlog import CLIENT, WorldEvent

LINES_MAX = 2_000
TEXT_MAX = 160  # characters of what the system said
NAME_MAX = 30

# How people say what a node did; what is not listed is told as it is named.
_VERBS = {
    "prepare": "prepares",
    "promise": "promises",
    "refuse": "refuses",
    "accept": "asks to accept",
    "accepted": "accepts",
    "chosen": "learns that chosen is",
    "leader": "leads under",
    "follower": "follows",
    "restart": "begins a life",
    "state": "has applied",
    "messages": "has sent",
}


class Only(msgspec.Struct, frozen=True, kw_only=True):
    """Which events to tell; what is None or empty restricts nothing.

    `nodes`: that did it, sent it or get it. `kinds`: what happened (`send`, `crash`), the type of a
    message (`prepare`), or the name of a protocol event (`promise`). `keys`: of the request, or
    whole words in the text. Times in ns, both ends included.
    """

    nodes: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    start_ns: int | None = None
    end_ns: int | None = None


_ALL = Only()
_MESSAGES = frozenset({"send", "receive", "lost"})
_FIRST_START = "starts with an empty disk"


def story(
    events: Sequence[WorldEvent],
    only: Only = _ALL,
    *,
    most: int = LINES_MAX,
    around_ns: int | None = None,
) -> list[str]:
    """One line for each event that `only` lets through, at most `most`: the first ones, or those
    about the time `around_ns`. Lines that say how many are left out come on top of those."""
    known = messages(events)
    chosen = _chosen(events, only, known)
    first = 0
    if around_ns is not None:
        at = bisect_left(chosen, around_ns, key=lambda position: events[position].time)
        # Two thirds before: what led there says more than what followed.
        first = max(0, min(at - most * 2 // 3, len(chosen) - most))
    shown = chosen[first : first + most]
    last = len(chosen) - first - len(shown)
    narrower = "name nodes, kinds, keys or times to see them"
    before = [f"… {first:,} earlier lines are left out: {narrower}"] if first else []
    after = [f"… {last:,} later lines are left out: {narrower}"] if last > 0 else []
    return [*before, *telling(events, shown), *after]


def telling(events: Sequence[WorldEvent], positions: Iterable[int]) -> list[str]:
    """The lines of the events at these positions."""
    teller = _Teller(events, messages(events))
    return [teller.line(position) for position in positions]


def _chosen(
    events: Sequence[WorldEvent], only: Only, known: Mapping[int, Message]
) -> Sequence[int]:
    said = texts(events, known) if only.keys else ()
    return [
        position
        for position, event in enumerate(events)
        if (only.start_ns is None or only.start_ns <= event.time)
        and (only.end_ns is None or event.time <= only.end_ns)
        and not _told_by_its_sending(event, position, known)
        and (not only.nodes or not only.nodes.isdisjoint(_parties(event)))
        and (not only.kinds or not only.kinds.isdisjoint(_kinds(event, known)))
        and (not only.keys or any(_mentions(said[position], key) for key in only.keys))
    ]


def _told_by_its_sending(event: WorldEvent, position: int, known: Mapping[int, Message]) -> bool:
    """A loss at the moment of sending is part of the line of the sending."""
    message = known.get(event.id) if event.what == "lost" and event.id is not None else None
    return message is not None and message.sent_ns == event.time and message.sent != position


def _parties(event: WorldEvent) -> set[str]:
    asked = {CLIENT} if event.what in ("request", "reply") else set()
    return {party for party in (event.node, event.to, event.src) if party is not None} | asked


def _kinds(event: WorldEvent, known: Mapping[int, Message]) -> set[str]:
    message = known.get(event.id) if event.what in _MESSAGES and event.id is not None else None
    if message is None:
        return {name for name in (event.what, event.event, event.kind) if name is not None}
    lost = {"lost"} if event.what == "send" and message.lost is not None else set()
    return {event.what, message.kind} | lost


def _mentions(text: str, key: str) -> bool:
    """Is the key a word of the text, not a part of another? 'r1' is no part of 'r12'."""
    at = text.find(key)
    while at >= 0:
        before, after = text[at - 1 : at] if at else "", text[at + len(key) : at + len(key) + 1]
        if not (before.isalnum() or after.isalnum()):
            return True
        at = text.find(key, at + 1)
    return False


def said(text: str, most: int = TEXT_MAX) -> str:
    """What the system said, on one line, fit to be shown."""
    flat = " ".join(words.clip(text, most * 4).split())
    return words.clip("".join(c if c.isprintable() else "�" for c in flat), most)


class _Teller:
    """Tells events of one log; what a line needs of other events is looked up here."""

    def __init__(self, events: Sequence[WorldEvent], known: Mapping[int, Message]) -> None:
        self._events = events
        self._known = known
        self._asked = _requests_by_reply(events)

    def line(self, position: int) -> str:
        event = self._events[position]
        what = self._message(position) if event.what in _MESSAGES else self._other(position)
        return f"{event.time / 1e9:12.6f} s  {what}".rstrip()

    def _other(self, position: int) -> str:
        event, asked = self._events[position], self._asked.get(position)
        if asked is None:
            return local(event)
        took = _lasted(event.time - asked.time)
        opening = f"{_name(event.node)} answers {_client(asked)}: {_question(asked)}"
        return f"{opening} -> {said(event.text)}  (after {took})"

    def _message(self, position: int) -> str:
        event = self._events[position]
        message = None if event.id is None else self._known.get(event.id)
        if event.what == "receive":
            link, fate = f"{_name(event.node)} <- {_name(event.src)}", ""
            if message is not None:
                fate = _arrival(message, position, event.time)
        else:
            link, fate = f"{_name(event.node)} -> {_name(event.to)}", "  (lost)"
            if event.what == "send" and (message is None or message.lost is None):
                fate = "  (never arrives)" if message is None or not message.arrivals else ""
        text = with_kind(event.kind or "", event.text) if message is None else message.words
        return f"{link}  {said(text) or 'a message'}{fate}"


def _requests_by_reply(events: Sequence[WorldEvent]) -> dict[int, WorldEvent]:
    """What was asked, by the position of the answer."""
    asked: dict[tuple[str, int | None], WorldEvent] = {}
    found = {}
    for position, event in enumerate(events):
        # Numbers begin anew with each life of a node: the latest request is meant.
        if event.what == "request":
            asked[event.node, event.id] = event
        elif event.what == "reply" and (event.node, event.id) in asked:
            found[position] = asked[event.node, event.id]
    return found


def _arrival(message: Message, position: int, time_ns: int) -> str:
    if message.sent < 0:
        return "  (its sending is not recorded)"
    took = f"after {_lasted(time_ns - message.sent_ns)}"
    if position != message.arrivals[0]:
        return f"  ({took}, again)"
    return f"  ({took}, late: a later one overtook it)" if message.late else f"  ({took})"


def local(event: WorldEvent) -> str:
    """What one node did by itself: 'n2 promises 3.n1', 'n1 crashes: killed'."""
    node, text = _name(event.node), said(event.text)
    match event.what:
        case "event":
            name = event.event or ""
            if text.split(" ", 1)[0].lower() == name.lower():
                text = text[len(name) :].lstrip()
            if name == "follower" and not text:
                text = "nobody"
            does = f"{_VERBS.get(name, f'says {said(name, NAME_MAX)}')} {text}"
        case "request":
            return f"{_client(event)} asks {node}: {_question(event)}"
        case "reply":
            does = f"answers {CLIENT}: {text}"
        case "crash":
            does = f"crashes: {text}" if text else "crashes"
        case "start":
            does = f"restarts with {event.records:,} records" if event.records else _FIRST_START
        case "timeout":
            does = f"timer {said(event.name or '', NAME_MAX)} runs out"
        case "persist":
            does = f"writes to disk: {text}"
        case "pause":
            does = "is paused"
        case "resume":
            does = "goes on"
        case what:
            does = f"{said(what, NAME_MAX)} {text}"
    return f"{node} {does}".rstrip()


def _name(text: str | None) -> str:
    return said(text or "?", NAME_MAX)


def _question(event: WorldEvent) -> str:
    """'put r1 = 5', 'cas r1 = [1, 2]', 'get r1'."""
    key = "" if event.key is None else f" {said(words.named_key(event.key), NAME_MAX)}"
    value = "" if event.value is None else f" = {said(words.short(event.value))}"
    return f"{said(event.f or '', NAME_MAX)}{key}{value}"


def _client(event: WorldEvent) -> str:
    unnamed = event.client is None or event.client == CLIENT
    return CLIENT if unnamed else f"{CLIENT} {_name(str(event.client))}"


def _lasted(duration_ns: int) -> str:
    return f"{duration_ns / 1e6:.3f} ms" if duration_ns < 10**9 else f"{duration_ns / 1e9:.3f} s"
