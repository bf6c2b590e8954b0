"""What became of each message of a world log: arrived, how late, how often, or lost.

Rules
1. A message is late if one that was sent after it on the same link arrived before it: that is what
   its receiver can notice. A slow link on which all keep their order makes none late.
2. A message of which nothing more is recorded is open: it is lost silently, still on its way, or
   its receiver was dead. The log does not say which, and neither do we.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from harness.worldlog import WorldEvent

# Messages that say no more than 'I live', by the names that systems give them.
QUIET = frozenset({"heartbeat", "heard", "heartbeatreply", "beat", "ping", "pong", "keepalive"})

_WORDS = re.compile(r"[\w-]+")
_SLOT = re.compile(r"\b(?:slot|index) (\d+)")
_BROAD = re.compile(r"\bfrom \d|\bmore$|…$")


class Message(msgspec.Struct, gc=False):
    """One message. `sent` and `arrivals` are positions in the log, times in ns. `late`: overtaken
    before it first arrived. `sent` is -1 where the log does not show the sending."""

    id: int
    src: str
    to: str
    kind: str
    text: str
    sent: int
    sent_ns: int
    arrivals: tuple[int, ...] = ()
    lost: int | None = None  # the position that says so
    late: bool = False

    @property
    def words(self) -> str:
        """Its type and what it says: 'prepare 3.n1'."""
        return with_kind(self.kind, self.text)


def messages(events: Sequence[WorldEvent]) -> dict[int, Message]:
    """The messages of the log by id, in the order in which they were sent."""
    found: dict[int, Message] = {}
    newest: dict[tuple[str, str], int] = {}  # by link: the latest sending that has arrived
    for position, event in enumerate(events):
        if event.id is None or event.what not in ("send", "lost", "receive"):
            continue
        message = found.get(event.id)
        if message is None:
            message = found[event.id] = _unseen(event, position)
        if event.what == "lost":
            message.lost = position
        elif event.what == "receive":
            link = message.src, message.to
            latest = newest.get(link, -1)
            if not message.arrivals and message.sent < latest:
                message.late = True
            newest[link] = max(latest, message.sent)
            message.arrivals += (position,)
    return found


def _unseen(event: WorldEvent, position: int) -> Message:
    """A message at its first appearance, which is its sending in every log that is whole."""
    assert event.id is not None
    if event.what == "receive":
        src, to, sent = event.src or "?", event.node, -1
    else:
        src, to, sent = event.node, event.to or "?", position
    return Message(event.id, src, to, event.kind or "", event.text, sent, event.time)


def with_kind(kind: str, text: str) -> str:
    """The text behind its kind, unless it begins with it already."""
    if not kind or text.lower().split(" ", 1)[0] == kind.lower():
        return text or kind
    return f"{kind} {text}".rstrip()


class Subjects:
    """What events are about, as far as their texts tell: keys, and slots of a log ('slot 7').

    Texts are the system's own; a key is found in them as a whole word. Numbers are no keys here:
    they would be found in every ballot. A text on a slot is about the keys that another text names
    with it, since most messages on a slot do not repeat what is in it.
    """

    def __init__(self, events: Iterable[WorldEvent]) -> None:
        events = list(events)
        self._keys = {
            key
            for key in (str(e.key) for e in events if e.what == "request" and e.key is not None)
            if not key.isdigit()
        }
        self._in_slot: dict[str, set[str]] = {}
        for event in events:
            for slot in _SLOT.findall(event.text):
                found = self._keys.intersection(_WORDS.findall(event.text))
                if found:
                    self._in_slot.setdefault(slot, set()).update(found)

    def of(self, text: str) -> set[str]:
        found = self._keys.intersection(_WORDS.findall(text))
        for slot in _SLOT.findall(text):
            found |= {f"slot {slot}", *self._in_slot.get(slot, ())}
        return found

    def bearing(self, text: str, subjects: Collection[str]) -> bool | None:
        """Is the text about any of these? None where it names no subject. What is about many
        slots, or was cut, is about these too."""
        if _BROAD.search(text):
            return True
        told = self.of(text)
        return not told.isdisjoint(subjects) if told else None


def texts(events: Sequence[WorldEvent], known: Mapping[int, Message]) -> list[str]:
    """What each event says, for searching: an arrival says what was sent, an answer the key that
    was asked for."""
    keys: dict[tuple[str, int | None], str] = {}
    found = []
    for event in events:
        text = event.text
        message = known.get(event.id) if event.id is not None else None
        if event.what == "request":
            text = keys[event.node, event.id] = "" if event.key is None else str(event.key)
        elif event.what == "reply":
            text = f"{keys.get((event.node, event.id), '')} {text}"
        elif event.what in ("receive", "lost") and message is not None:
            text = message.text
        found.append(text)
    return found
