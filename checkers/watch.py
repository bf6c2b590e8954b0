"""Watches of a store with revisions: what they promise, checked against all that anybody saw.

A watch covers the revisions behind the one that it was asked for (or, asked for none, behind the
one at which it says it began) up to its `to`. Known of a store are the events that any watch told,
the writes whose acknowledgement has a revision, and what reads answered.

Rules, by the `kind` of what breaks them
1. filter: a watch of a key tells of that key only.
2. ordered: revisions never go back, within a watch; equal ones are of several keys.
3. unique: no event comes twice in a watch, and no write makes two events, in whatever watches.
4. resumable: a watch from a revision tells of nothing at or before it. That it tells of everything
   behind it, the first event included, is a matter of the next two.
5. atomic: of one revision a watch tells of all keys that it is about, or of none: none is cut off.
6. complete: no known event of the range that a watch covers is missing from it.
7. true: at a revision a key has one value, whoever tells; it was written by a write that did not
   fail and began before it was told of.
8. revision-order: a write has a greater revision than all that was known of its key before it
   began: of operations that had returned, the revisions told and the `to` of watches.
9. stale-read: a read has at least the revision of each event of its key that was known, in that
   sense, before it began. A read of no value has none; keys that were ever deleted, or that other
   operations than these were tried on, are left out.

Revisions are compared within a key, and across keys only by watches that are about several.

Sources: the guarantees of etcd's watch API and their validation in its robustness tests.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator
from typing import Any

from checkers.finding import Found, counted, end_of, found, invalid, shown, untold, valid
from checkers.history import Call, freeze
from checkers.verdict import Recording, Verdict
from checkers.watch_reading import Event, Told, made_by, read_of, told_of

_ANY = object()  # the key of a watch that is about all


class Watches:
    """Judges `write`, `read` and `watch`, in the shapes of the workload watch.

    Evidence of INVALID: `kind`, `key`, `revision`, `operations`; of all others `watches`, `events`
    (distinct), `writes` (acknowledged with a revision). Raises HistoryError where a value has
    another shape.
    """

    name = "watches"

    def check(self, recording: Recording) -> Verdict:
        store = _Store(recording.history.calls())
        wrong = next(store.wrong(), None)
        if wrong is not None:
            return invalid(self.name, wrong)
        numbers = {
            "watches": len(store.watches),
            "events": store.events,
            "writes": sum(made_by(call) is not None for call in store.writes),
        }
        if not store.events:
            return untold(self.name, "No watch ever told of an event.", **numbers)
        return valid(
            self.name,
            f"Watches ({numbers['watches']:,}) told of {counted(store.events, 'event')}, in order, "
            "once, and left none out.",
            **numbers,
        )


class _Known:
    """An event that somebody told of, first `by` this call; `watched`: did any watch?"""

    __slots__ = ("by", "type", "value", "watched")

    def __init__(self, event: Event, by: Call) -> None:
        self.value, self.type, self.by = event.value, event.type, by
        self.watched = False


class _Store:
    """What is known of the store: by key and revision, from all calls of a history."""

    def __init__(self, calls: tuple[Call, ...]) -> None:
        self.watches: list[Told] = []
        self.reads: list[tuple[Call, Event | None]] = []
        self.writes: list[Call] = []
        self._by_value: dict[tuple[Any, Any], Call] = {}
        self._touched: set[Any] = set()  # keys of which nobody can say what happened to them
        for call in calls:
            if call.f not in ("write", "read", "watch"):
                self._touched.add(freeze(call.key))
            if call.f == "write":
                self.writes.append(call)
                written = (freeze(call.key), freeze(call.input))
                if self._by_value.setdefault(written, call).outcome == "fail":
                    self._by_value[written] = call
            elif call.outcome == "ok" and call.f == "watch":
                self.watches.append(told_of(call))
            elif call.outcome == "ok" and call.f == "read":
                self.reads.append((call, read_of(call)))
        self._known: dict[tuple[Any, int], _Known] = {}
        self._revisions: dict[Any, list[int]] = {_ANY: []}  # by key, ascending
        self._made: dict[tuple[Any, Any], int] = {}  # by key and value: its revision
        self.events = 0

    def wrong(self) -> Iterator[Found]:
        for told in self.watches:
            yield from _within(told)
        yield from self._true()
        for told in self.watches:
            yield from self._complete(told)
        yield from self._in_time()

    def _true(self) -> Iterator[Found]:
        """Rule 7 and the second half of rule 3. Learns all that is known."""
        claims: list[tuple[Call, tuple[Event, ...]]] = []
        for call in self.writes:
            made = made_by(call)
            claims += [] if made is None else [(call, (made,))]
        claims += [(told.call, told.events) for told in self.watches]
        claims += [(call, (event,)) for call, event in self.reads if event is not None]
        for call, events in sorted(claims, key=lambda claim: end_of(claim[0])):
            for event in events:
                known = self._known.get((event.key, event.revision))
                if known is None:
                    known = self._learn(event, call)
                    yield from self._origin(call, event)
                elif known.value != event.value or known.type != event.type:
                    sentence = (
                        f"operation {known.by.index} has {_said(known)} at revision "
                        f"{event.revision} and operation {call.index} has {_said(event)}"
                    )
                    yield _found("true", event, sentence, known.by, call)
                known.watched = known.watched or call.f == "watch"
        self.events = sum(known.watched for known in self._known.values())

    def _learn(self, event: Event, call: Call) -> _Known:
        insort(self._revisions.setdefault(event.key, []), event.revision)
        insort(self._revisions[_ANY], event.revision)
        return self._known.setdefault((event.key, event.revision), _Known(event, call))

    def _origin(self, call: Call, event: Event) -> Iterator[Found]:
        if event.type == "delete":
            return
        write = self._by_value.get((event.key, event.value))
        said = f"operation {call.index} has {_said(event)} at revision {event.revision}"
        if write is None:
            yield _found("true", event, f"{said}, which nobody wrote", call)
        elif write.outcome == "fail":
            why = f"{said}, whose write, operation {write.index}, definitely failed"
            yield _found("true", event, why, write, call)
        elif write.index > end_of(call):
            why = f"{said}, before operation {write.index} wrote it"
            yield _found("true", event, why, call, write)
        else:
            first = self._made.setdefault((event.key, event.value), event.revision)
            if first != event.revision:
                other = self._known[event.key, first].by
                why = (
                    f"the one write of {_said(event)}, operation {write.index}, is at revision "
                    f"{first} in operation {other.index} and at {event.revision} in {call.index}"
                )
                yield _found("unique", event, why, write, other, call)

    def _complete(self, told: Told) -> Iterator[Found]:
        """Rules 5 and 6, by counting; what is missing is looked for only if something is. By now
        the events of the watch are known to be distinct, in order and behind its beginning."""
        key = _ANY if told.key is None else told.key
        revisions = self._revisions.get(key, [])
        due = bisect_right(revisions, told.to) - bisect_right(revisions, told.begin)
        if due <= bisect_right(told.events, told.to, key=lambda event: event.revision):
            return
        mine = {(event.key, event.revision) for event in told.events}
        at = {revision for _, revision in mine}
        for (other_key, revision), known in self._known.items():
            if not told.begin < revision <= told.to or (other_key, revision) in mine:
                continue
            if key is not _ANY and other_key != key:
                continue
            event = Event(revision, other_key, known.value, known.type)
            kind = "atomic" if revision in at else "complete"
            what = "only a part of that revision" if revision in at else "without it"
            why = (
                f"operation {told.call.index} watched behind {told.begin} up to {told.to} and told "
                f"{what}: revision {revision}, {_said(known)}, is missing, which operation "
                f"{known.by.index} has"
            )
            yield _found(kind, event, why, known.by, told.call)

    def _in_time(self) -> Iterator[Found]:
        """Rules 8 and 9: a sweep over the ends of operations and the beginnings of others."""
        ends: list[tuple[float, Any, int, int, Call]] = []  # end, key, event's, `to`, by
        for call in self.writes:
            made = made_by(call)
            if made is not None:
                ends.append((end_of(call), made.key, made.revision, made.revision, call))
        for call, event in self.reads:
            if event is not None:
                ends.append((end_of(call), event.key, event.revision, event.revision, call))
        for told in self.watches:
            key = _ANY if told.key is None else told.key
            # Who asks from a revision and is told of nothing behind it repeats what it was given.
            known = told.to if told.to > told.begin or not told.resumed else 0
            ends.append((end_of(told.call), key, 0, known, told.call))
            last = {event.key: event.revision for event in told.events}
            ends += [(end_of(told.call), k, r, r, told.call) for k, r in last.items()]
        ends.sort(key=lambda entry: entry[0])
        deleted = {key for (key, _), known in self._known.items() if known.type == "delete"}
        deleted |= self._touched
        reads = {call.index: event for call, event in self.reads}
        floors = _Floors()
        at = 0
        for call in sorted((*self.writes, *(c for c, _ in self.reads)), key=lambda c: c.index):
            while at < len(ends) and ends[at][0] < call.index:
                floors.take(*ends[at][1:])
                at += 1
            if call.f == "write":
                yield from floors.under_write(call)
            elif freeze(call.key) not in deleted:
                yield from floors.under_read(call, reads[call.index])


class _Floors:
    """By key, the highest event and the highest revision known so far, and who knows."""

    def __init__(self) -> None:
        self._events: dict[Any, tuple[int, Call]] = {}
        self._all: dict[Any, tuple[int, Call]] = {}

    def take(self, key: Any, event: int, to: int, by: Call) -> None:
        for floors, revision in ((self._events, event), (self._all, to)):
            held = floors.get(key)
            if held is None or revision > held[0]:
                floors[key] = (revision, by)

    def under_write(self, call: Call) -> Iterator[Found]:
        made = made_by(call)
        if made is None:
            return
        for key in (made.key, _ANY):
            known = self._all.get(key)
            if known is not None and made.revision <= known[0]:
                why = (
                    f"operation {call.index} wrote {_said(made)} at revision {made.revision}, "
                    f"though operation {known[1].index} had returned with revision {known[0]} "
                    "before it began"
                )
                yield _found("revision-order", made, why, known[1], call)

    def under_read(self, call: Call, event: Event | None) -> Iterator[Found]:
        known = self._events.get(freeze(call.key))
        revision = 0 if event is None else event.revision
        if known is not None and revision < known[0]:
            seen = "nothing" if event is None else f"{_said(event)} of revision {revision}"
            why = (
                f"operation {call.index} read {seen}, though operation {known[1].index} had "
                f"returned with revision {known[0]} before it began"
            )
            shown_event = event or Event(0, call.key, None, "put")
            yield _found("stale-read", shown_event, why, known[1], call)


def _within(told: Told) -> Iterator[Found]:
    """Rules 1 to 4, of one watch by itself."""
    seen: set[tuple[Any, int]] = set()
    last = told.begin
    for event in told.events:
        said = f"operation {told.call.index} told of revision {event.revision}"
        if told.key is not None and event.key != told.key:
            why = f"{said} of key {shown(event.key)}, and was a watch of {shown(told.key)}"
            yield _found("filter", event, why, told.call)
        if event.revision <= told.begin:
            why = f"{said}, and was to begin behind {told.begin}"
            yield _found("resumable", event, why, told.call)
        elif (event.key, event.revision) in seen:
            yield _found("unique", event, f"{said} twice", told.call)
        elif event.revision < last:
            yield _found("ordered", event, f"{said} behind revision {last}", told.call)
        seen.add((event.key, event.revision))
        last = max(last, event.revision)


def _said(event: Event | _Known) -> str:
    return "a deletion" if event.type == "delete" else f"the value {shown(event.value)}"


def _found(kind: str, event: Event, why: str, *calls: Call) -> Found:
    sentence = f"Key {event.key}: {why}."
    return found(kind, sentence, calls, key=event.key, revision=event.revision)
