"""The values of writes, reads and watches of a store with revisions, read.

Rule: what has not the documented shape is refused with the operation, never taken for silence.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from checkers.history import Call, HistoryError, freeze


class Event(NamedTuple):
    """`value` and `key` are frozen; `type` is "put" or "delete"."""

    revision: int
    key: Any
    value: Any
    type: str


class Told(msgspec.Struct, frozen=True):
    """What one watch told. `key` None: it was about all keys. It covers begin < revision <= to.
    `resumed`: it was asked where to begin."""

    call: Call
    key: Any
    begin: int
    to: int
    events: tuple[Event, ...]
    resumed: bool


def told_of(call: Call) -> Told:
    """Of an ok watch. Where neither its request nor its answer says where it began, it covers what
    it told of."""
    output = call.output
    if not isinstance(output, dict) or not isinstance(output.get("events"), list | tuple):
        raise _unreadable(call, '{"from": revision, "to": revision, "events": [...]}')
    events = tuple(_event(call, event) for event in output["events"])
    last = events[-1].revision if events else 0
    to = output.get("to")
    to = last if to is None else _revision(call, to)
    asked = call.input.get("from") if isinstance(call.input, dict) else None
    begin = output.get("from") if asked is None else asked
    if begin is None:
        begin = events[0].revision - 1 if events else to
    return Told(call, freeze(call.key), _revision(call, begin), to, events, asked is not None)


def read_of(call: Call) -> Event | None:
    """Of an ok read; None where it found no value. A read that tells no revision tells nothing of
    watches, and is refused: without it there is nothing to compare."""
    output = call.output
    if not isinstance(output, dict) or "revision" not in output:
        raise _unreadable(call, '{"value": the value, "revision": of the write that made it}')
    if output.get("value") is None:
        return None
    revision = _revision(call, output["revision"])
    return Event(revision, freeze(call.key), freeze(output["value"]), "put")


def made_by(write: Call) -> Event | None:
    """The event of an acknowledged write, None where its revision is not told."""
    output = write.output
    if write.outcome != "ok" or not isinstance(output, dict) or output.get("revision") is None:
        return None
    revision = _revision(write, output["revision"])
    return Event(revision, freeze(write.key), freeze(write.input), "put")


def _event(call: Call, event: Any) -> Event:
    if not isinstance(event, dict) or "revision" not in event:
        raise _unreadable(call, '{"revision", "key", "value", "type"} for each event')
    key = event.get("key")
    return Event(
        _revision(call, event["revision"]),
        freeze(call.key if key is None else key),
        freeze(event.get("value")),
        "delete" if event.get("type") == "delete" else "put",
    )


def _revision(call: Call, value: Any) -> int:
    if type(value) is not int:
        raise _unreadable(call, f"revisions that are integers, got {value!r}")
    return value


def _unreadable(call: Call, expected: str) -> HistoryError:
    return HistoryError(call.index, f"{call.f!r} returned {call.output!r}", f"Expected {expected}.")
