"""Stimuli: events without the outcomes of lots: the pair (p, m) of the theory.

An event of the explorer says also how a coin fell, so that it leads to one configuration. Who
schedules does not choose that; a stimulus is what can be chosen, and what a message is known by.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from harness.exploration.configuration import (
    Configuration,
    Envelope,
    EventId,
    Firing,
    Receipt,
    World,
)
from harness.exploration.configuration import Event as WorldEvent


class Stimulus(NamedTuple):
    """What happens to a process: a message from `what`, a time-out named `what`, or something else
    told by its kind. `content`: the message, encoded."""

    process: str
    kind: str
    what: str
    content: bytes


RECEIVE, FIRE = "receive", "fire"


def stimulus(event: WorldEvent) -> Stimulus:
    if isinstance(event, Receipt):
        return _letter(event.process, event.src, event.message)
    if isinstance(event, Firing):
        return Stimulus(event.process, FIRE, event.name, b"")
    plain = msgspec.structs.replace(event, draws=())
    return Stimulus(event.process, type(event).__name__.lower(), "", msgspec.json.encode(plain))


def letter(world: World, envelope: Envelope) -> Stimulus:
    """The receipt of a message that is in flight."""
    names = world.system.processes
    return _letter(names[envelope.dst], names[envelope.src], envelope.message)


def _letter(dst: str, src: str, message: object) -> Stimulus:
    return Stimulus(dst, RECEIVE, src, msgspec.json.encode(message))


class Stimuli:
    """The stimuli of a world's events, each numbered at its first sight."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: dict[EventId, Stimulus] = {}
        self._numbers: dict[Stimulus, int] = {}

    def of(self, event: EventId) -> Stimulus:
        found = self._known.get(event)
        if found is None:
            found = self._known[event] = stimulus(self._world.event(event))
            self._numbers.setdefault(found, len(self._numbers))
        return found

    def number(self, event: EventId) -> int:
        return self._numbers[self.of(event)]

    def applicable(self, configuration: Configuration) -> dict[Stimulus, list[EventId]]:
        """What can happen here, each with its outcomes."""
        found: dict[Stimulus, list[EventId]] = {}
        for move in self._world.possible(configuration):
            found.setdefault(self.of(move.event), []).append(move.event)
        return found
