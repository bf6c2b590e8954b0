"""What the nodes of the replicated log say beyond the messages of the synod.

Rules
1. Those of `messages`.
2. Every message is bounded: see `limits` for what a batch, a report and a part may hold.
"""

from __future__ import annotations

from typing import Any

import msgspec

from reference_impl.ballot import Ballot
from reference_impl.messages import Accept, Accepted, Count, Prepare, Promise, Refuse, Wire
from reference_impl.requests import Response


class Command(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A client's request as the log carries it.

    `id` is unique for ever: node, life, number. `session` and `seq` come from the client, both or
    neither: a retry repeats them under another id.
    """

    id: str
    f: str
    key: str
    value: Any = None
    session: str | None = None
    seq: int | None = None


class Batch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The value of a slot: commands in the order of their application, none for a no-op."""

    commands: tuple[Command, ...] = ()

    @property
    def name(self) -> str:
        """Identifies the value in traces."""
        commands = self.commands
        if len(commands) == 1:
            return commands[0].id
        return "+".join([c.id for c in commands]) or "noop"


NOOP = Batch()


class Heartbeat(Wire, frozen=True):
    """The leader of `ballot` lives; all slots up to `chosen` are chosen. Answered by Heard."""

    ballot: Ballot
    chosen: Count
    beat: Count


class Heard(Wire, frozen=True):
    """The sender had promised nothing above `ballot` when a message with `beat` reached it."""

    ballot: Ballot
    beat: Count


class Canvass(Wire, frozen=True):
    """Would you support a new leader? Costs no ballot. `promised` is the sender's promise."""

    number: Count
    promised: Ballot


class Support(Wire, frozen=True):
    """To canvass `number`: I hear no other leader."""

    number: Count


class Behind(Wire, frozen=True):
    """To a prepare or accept request under `ballot` about slots that the sender cannot report any
    more: they are chosen, up to `chosen` and more. Fetch them."""

    ballot: Ballot
    chosen: Count


class Forward(Wire, frozen=True):
    """A client's command, to the leader of `ballot`. `number` is unique in `life` of the sender."""

    ballot: Ballot
    life: Count
    number: Count
    command: Command


class Answers(Wire, frozen=True):
    """The leader's answers to forwarded commands: (command id, response)."""

    answers: tuple[tuple[str, Response], ...]


class Fetch(Wire, frozen=True):
    """A lagging node wants the chosen values from slot `first` on."""

    first: Count


class Entries(Wire, frozen=True):
    """Chosen values of the slots from `first` on, as many as fit."""

    first: Count
    values: tuple[Batch, ...]


class FetchPart(Wire, frozen=True):
    """Part `index` of the snapshot of `slot`, please."""

    slot: Count
    index: Count


class Part(Wire, frozen=True):
    """A part of the snapshot of `slot`: of the state after slots 1 to `slot` were applied."""

    slot: Count
    index: Count
    count: Count
    data: bytes


LogMessage = (
    Prepare
    | Promise[Batch]
    | Refuse
    | Accept[Batch]
    | Accepted
    | Heartbeat
    | Heard
    | Canvass
    | Support
    | Behind
    | Forward
    | Answers
    | Fetch
    | Entries
    | FetchPart
    | Part
)
