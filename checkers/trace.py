"""Protocol traces: what nodes say they did, read from `trace.jsonl`.

Rules
1. The order of one node's events is the order of its lines and is never changed. The order of
   different nodes' events is that of their clocks: good for reading, no ground for a verdict.
2. A line torn by the death of its writer is dropped with a notice, at the end of the file and
   where a later life went on writing behind it. Any other line that cannot be read is an error of
   the trace's author and names the file and the line.
3. Events with unknown names are kept with all their fields, and nobody judges them.

The format, with what each event promises, is docs/trace-format.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import force_setattr

Ballot = tuple[int, str]  # round, name of the proposer; compared lexicographically
Instance = int | str  # a slot of a log, or the name of a single-decree instance
Scalar = str | int | float | bool | None
Report = tuple[Instance, Ballot, Scalar]  # a proposal that a promise reports as accepted


class TraceEvent(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One event of one node. `time` is in nanoseconds: the node's CLOCK_MONOTONIC as written,
    since the run began once merged. Fields that an event does not have are None (or empty).

    `other` holds the fields of an event whose name this module does not know.
    """

    # gc=False: events hold scalars and tuples, so no cycle can pass through them, and half a
    # million of them would otherwise be walked again and again by the collector.
    time: int
    node: str
    event: str
    ballot: Ballot | None = None
    instance: Instance | None = None
    value: Scalar = None
    first: int | None = None
    accepted: tuple[Report, ...] = ()
    promised: Ballot | None = None
    leader: str | None = None
    sent: dict[str, int] | None = None
    index: int | None = None
    digest: str | None = None
    other: dict[str, Any] | None = None


# What an event cannot be judged without. A prepare or promise without an instance is for all slots.
REQUIRED: dict[str, tuple[str, ...]] = {
    "prepare": ("ballot",),
    "promise": ("ballot",),
    "refuse": ("ballot",),
    "accept": ("ballot", "instance"),
    "accepted": ("ballot", "instance"),
    "chosen": ("instance",),
    "leader": ("ballot",),
    "follower": (),
    "restart": (),
    "messages": ("sent",),
    "state": ("index", "digest"),
}


class TraceError(ValueError):
    """A line of a trace is not in the format. The author of the nodes that wrote it is at fault."""

    def __init__(self, path: Path, line: int, found: str) -> None:
        super().__init__(
            f"{path}:{line}: {found}. A trace has one JSON object a line, as docs/trace-format.md "
            f"describes; correct the node that writes it, or remove the file to check without it."
        )
        self.path, self.line = path, line


class _Head(msgspec.Struct):
    time: int
    node: str
    event: str


# What msgspec raises for bytes that are no event; RecursionError is its answer to deep nesting.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_DECODER = msgspec.json.Decoder(TraceEvent)
_HEAD_DECODER = msgspec.json.Decoder(_Head)


def read_trace(path: Path | str, notices: list[str] | None = None) -> list[TraceEvent]:
    """The events of one file, in the order of its lines.

    Sentences about torn lines are appended to `notices`. Raises TraceError, and OSError where the
    file cannot be read.
    """
    path = Path(path)
    lines = path.read_bytes().split(b"\n")
    events: list[TraceEvent] = []
    known: dict[Any, Any] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event = decode_line(line)
        except msgspec.ValidationError as error:
            raise TraceError(path, number, f"the event has the wrong shape: {error}") from error
        except _UNREADABLE as error:
            rest = _behind_a_torn_line(line)
            if rest is None and number != len(lines):
                raise TraceError(path, number, f"the line is not JSON: {error}") from error
            _notice(notices, f"{path}:{number}: dropped a line torn by the death of its node.")
            if rest is None:
                continue
            event = rest
        _check_whole(event, path, number)
        events.append(_shared(event, known))
    return events


def read_lines(lines: Iterable[bytes], name: str) -> list[TraceEvent]:
    """The events of lines that are whole, as `name` says in messages. Raises TraceError."""
    events: list[TraceEvent] = []
    for number, line in enumerate(lines, 1):
        try:
            event = decode_line(line)
        except _UNREADABLE as error:
            found = f"the event has the wrong shape: {error}"
            raise TraceError(Path(name), number, found) from error
        _check_whole(event, Path(name), number)
        events.append(event)
    return events


def _check_whole(event: TraceEvent, path: Path, number: int) -> None:
    for name in REQUIRED.get(event.event, ()):
        if getattr(event, name) is None:
            raise TraceError(path, number, f"a {event.event!r} event lacks its {name!r}")


def decode_line(line: bytes) -> TraceEvent:
    """One line as an event. Raises msgspec.ValidationError for the wrong shape, and DecodeError
    for what is no JSON."""
    try:
        event = _DECODER.decode(line)
    except msgspec.ValidationError:
        # An event that we do not know may use our field names for shapes of its own.
        head = _HEAD_DECODER.decode(line)
        if head.event in REQUIRED:
            raise
        event = TraceEvent(head.time, head.node, head.event)
    if event.event in REQUIRED:
        return event
    fields = msgspec.json.decode(line)
    other = {k: v for k, v in fields.items() if k not in _Head.__struct_fields__}
    return TraceEvent(event.time, event.node, event.event, other=other)


def _behind_a_torn_line(line: bytes) -> TraceEvent | None:
    # A life that was killed within a line leaves no newline; the next life's first line follows.
    start = line.rfind(b'{"time"')
    if start <= 0:
        return None
    try:
        return decode_line(line[start:])
    except _UNREADABLE:
        return None


def _shared(event: TraceEvent, known: dict[Any, Any]) -> TraceEvent:
    """The event with its repeated strings and ballots shared with those before it."""
    # Sharing halves the memory of a long trace; the struct is not in anybody's hands yet.
    force_setattr(event, "event", known.setdefault(event.event, event.event))
    force_setattr(event, "node", known.setdefault(event.node, event.node))
    if event.ballot is not None:
        force_setattr(event, "ballot", known.setdefault(event.ballot, event.ballot))
    return event


def _notice(notices: list[str] | None, sentence: str) -> None:
    if notices is not None:
        notices.append(sentence)


def merge_traces(
    paths: Iterable[Path | str], origin_ns: int, notices: list[str] | None = None
) -> list[TraceEvent]:
    """One trace of a run: the nodes' files, sorted by time since `origin_ns`.

    A file's own order is kept: a time that goes back (a line behind another's back) is raised to
    the one before it. A file that does not exist belongs to a node that emitted nothing and is
    passed over with a notice. Raises as read_trace does.
    """
    merged: list[TraceEvent] = []
    for path in paths:
        if not Path(path).exists():
            _notice(notices, f"{path}: no trace; its node emitted none.")
            continue
        latest: int | None = None
        for event in read_trace(path, notices):
            time_ns = event.time - origin_ns
            latest = time_ns if latest is None else max(latest, time_ns)
            force_setattr(event, "time", latest)
            merged.append(event)
    merged.sort(key=attrgetter("time"))  # stable, so equal times keep the order of the lines
    return merged


def write_trace(path: Path | str, events: Sequence[TraceEvent]) -> None:
    """Write events as read_trace reads them."""
    encoder = msgspec.json.Encoder()
    with Path(path).open("wb") as out:
        for event in events:
            out.write(encoder.encode(event if event.other is None else as_json(event)) + b"\n")


def as_json(event: TraceEvent) -> dict[str, Any]:
    """The event as it stands in the file, for evidence and reports."""
    fields: dict[str, Any] = msgspec.to_builtins(event)
    other: dict[str, Any] = fields.pop("other", {})
    return {**fields, **other}
