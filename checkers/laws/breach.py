"""What a broken law looks like: the event that breaks it and the events that it contradicts."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from checkers.trace import Ballot, Instance, TraceEvent


class Breach(msgspec.Struct, frozen=True):
    """`position` is the event that breaks the law, `against` the events it contradicts: indices
    into the trace, 0 the first. `sentence` says it for a person."""

    law: str
    sentence: str
    position: int
    against: tuple[int, ...] = ()


def first_of(breaches: Iterable[Breach]) -> Breach | None:
    """The one whose event comes first; of several of one event, that which looks back furthest."""
    return min(breaches, key=lambda breach: (breach.position, breach.against), default=None)


def spell(ballot: Ballot | None) -> str:
    """A ballot as people write it: 7.n2."""
    return "?" if ballot is None else f"{ballot[0]}.{ballot[1]}"


def scope(instance: Instance | None, first: int | None) -> str:
    if instance is not None:
        return f"instance {instance!r}"
    return f"slots from {first or 0}" if first else "all slots"


def spell_promise(event: TraceEvent) -> str:
    return f"promised {spell(event.ballot)} for {scope(event.instance, event.first)}"
