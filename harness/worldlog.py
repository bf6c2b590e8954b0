"""The world log: all that the simulated world did, in the order of happening, as world.jsonl.

Rules
1. One event a line. Time is virtual; of events at one instant the order of the lines is the order.
2. A message is one `send` and any number of `receive` with its id: none where it was lost or is
   still on its way, two where the network delivered it twice.
3. Texts repeat what the system under test said: whoever shows them cuts and escapes them.
4. A last line torn by the death of the harness is dropped; an event that nobody here knows is kept.

| what | fields beside time, node, what |
|---|---|
| send | to, id (of the message, unique), kind (its type in lower case), text (it in short) |
| receive | src, id |
| lost | to, id: at the moment of sending, and the node is the sender |
| timeout | name |
| request | id, f, key, value, client |
| reply | id, text |
| persist | text |
| crash | text: why |
| start | records: how many it recovers |
| pause, resume | |
| event | event, text: a protocol event, as in the trace |

A node is named as in the trial; the clients together are CLIENT, and what they ask and are told
travels as messages of the kinds `request` and `reply`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

CLIENT = "client"


class WorldEvent(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One event of the world. `time`: ns of virtual time since the run began. Which other fields an
    event has, `what` says; those that it has not are None, or empty where they are texts."""

    time: int
    node: str
    what: str
    to: str | None = None
    src: str | None = None
    id: int | None = None
    kind: str | None = None
    text: str = ""
    name: str | None = None
    f: str | None = None
    key: Any = None
    value: Any = None
    client: int | str | None = None
    records: int | None = None
    event: str | None = None


class WorldLogError(ValueError):
    """A line of a world log cannot be read: whoever changed the file is at fault."""

    def __init__(self, path: Path, line: int, found: str) -> None:
        super().__init__(
            f"{path}:{line}: {found}. A world log has one JSON object a line, as a simulated run "
            "writes it; run the trial again with its seed to have it anew."
        )
        self.path, self.line = path, line


_DECODER = msgspec.json.Decoder(WorldEvent)
# A value that JSON does not know is told, never a reason to lose the log.
_ENCODER = msgspec.json.Encoder(enc_hook=repr)


def encode(events: Iterable[WorldEvent]) -> bytes:
    """As it stands in world.jsonl: one JSON object a line."""
    return _ENCODER.encode_lines(events)


def read(path: Path | str) -> list[WorldEvent]:
    """The events in the order of the lines.

    Raises WorldLogError for a line that is no event, and OSError where the file cannot be read.
    """
    path = Path(path)
    lines = path.read_bytes().split(b"\n")
    events: list[WorldEvent] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            events.append(_DECODER.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            # ValidationError is a DecodeError: a whole line of the wrong shape is not torn.
            if number == len(lines) and not isinstance(error, msgspec.ValidationError):
                break
            raise WorldLogError(path, number, f"the line is no event of a world: {error}") from None
    return events
