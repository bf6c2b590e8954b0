"""Relay: the leader's answers on their way to the nodes that clients asked.

Rules
1. The answers of one event go to a node in one message: a slot's worth of commands is answered by
   as few messages as there are nodes.
2. A message stays below `answers_bytes_max`, or holds a single answer.
"""

from __future__ import annotations

import msgspec

from reference_impl.limits import Limits
from reference_impl.logmessages import Answers
from reference_impl.outbox import Outbox
from reference_impl.requests import Response


class Relay:
    """Answers gathered during one event. `answers`: by node, with the ids of their commands."""

    def __init__(self, out: Outbox, limits: Limits) -> None:
        self._out, self._limits = out, limits
        self.answers: dict[str, list[tuple[str, Response]]] = {}

    def add(self, node: str, command_id: str, response: Response) -> None:
        self.answers.setdefault(node, []).append((command_id, response))

    def take(self, node: str) -> list[tuple[str, Response]]:
        """The answers for `node`, taken out: those that need no message."""
        return self.answers.pop(node, [])

    def send(self) -> None:
        """Send what was gathered."""
        answers, self.answers = self.answers, {}
        for node, its_own in answers.items():
            some: list[tuple[str, Response]] = []
            size = 0
            for command_id, response in its_own:
                size += len(msgspec.msgpack.encode(response))
                if some and size > self._limits.answers_bytes_max:
                    self._out.send(node, Answers(tuple(some)))
                    some, size = [], 0
                some.append((command_id, response))
            self._out.send(node, Answers(tuple(some)))
