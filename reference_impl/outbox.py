"""Effects of one event, in order, and the count of messages by type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from harness.machine import (
    CancelTimer,
    Effect,
    Persist,
    Record,
    Reply,
    Send,
    SetTimer,
    Trace,
    Truncate,
)


class Outbox:
    """Collects the effects of a handler. The order of calls is the order of effects."""

    def __init__(self, peers: Sequence[str]) -> None:
        self._peers = tuple(peers)
        self._effects: list[Effect] = []
        self._sent: Counter[type] = Counter()
        self._traced = 0

    def take(self) -> Sequence[Effect]:
        effects, self._effects = self._effects, []
        return effects

    def send(self, dst: str, message: msgspec.Struct) -> None:
        self._effects.append(Send(dst, message))
        self._sent[type(message)] += 1

    def broadcast(self, message: msgspec.Struct) -> None:
        """To every peer; a node's own roles hear of it by a plain call, not through the network."""
        self._effects += [Send(peer, message) for peer in self._peers]
        self._sent[type(message)] += len(self._peers)

    def persist(self, record: Record) -> None:
        self._effects.append(Persist(record))

    def truncate(self, records: Sequence[Record]) -> None:
        self._effects.append(Truncate(records))

    def reply(self, client: int, response: Mapping[str, Any]) -> None:
        self._effects.append(Reply(client, response))

    def trace(self, event: str, **fields: Any) -> None:
        self._effects.append(Trace(event, fields))

    def set_timer(self, name: str, delay_s: float) -> None:
        self._effects.append(SetTimer(name, delay_s))

    def cancel_timer(self, name: str) -> None:
        self._effects.append(CancelTimer(name))

    def trace_messages(self) -> None:
        """The counts of this life so far, if they changed since they were last traced."""
        total = self._sent.total()
        if total != self._traced:
            self._traced = total
            counts = {kind.__name__.lower(): count for kind, count in self._sent.items()}
            self.trace("messages", sent=dict(sorted(counts.items())))
