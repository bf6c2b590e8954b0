"""What nodes say to one another.

Rules
1. A message names the protocol instance it is about: a key (synod), a slot (log), or None for a
   promise that covers every slot from `first` on.
2. Whatever comes from the network is validated here, once. What does not fit is dropped: the
   network may lose messages anyway, so no protocol step is added by it.
3. No message relies on arriving once, in order, or at all (T8).

On the wire a message is a MessagePack array that opens with its type's tag.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import msgspec

from reference_impl.ballot import Ballot

Instance = str | int
Value = TypeVar("Value")
Count = Annotated[int, msgspec.Meta(ge=0)]


class Proposal(NamedTuple):
    """A value under a ballot."""

    ballot: Ballot
    value: Any


class Wire(msgspec.Struct, frozen=True, array_like=True, tag=str.lower, gc=False):
    """Settings shared by all messages: compact arrays, tagged with the type's name. They hold data
    only, so no cycle passes through them and the collector need not look."""


class Report(msgspec.Struct, Generic[Value], frozen=True, array_like=True):
    """An accepted proposal, as a promise reports it."""

    instance: Instance
    ballot: Ballot
    value: Value


class Prepare(Wire, frozen=True):
    """Phase 1a. `instance` is None for all slots from `first` on; else `first` is None."""

    ballot: Ballot
    instance: str | None
    first: Count | None


class Promise(Wire, Generic[Value], frozen=True):
    """Phase 1b: nothing below `ballot` will be accepted; `accepted` is what has been."""

    ballot: Ballot
    instance: str | None
    first: Count | None
    accepted: tuple[Report[Value], ...]


class Refuse(Wire, frozen=True):
    """To a prepare, an accept request or a heartbeat under `ballot`: `promised` stands above it.
    Only an optimisation (T20): silence is as safe."""

    ballot: Ballot
    instance: Instance | None
    promised: Ballot


class Accept(Wire, Generic[Value], frozen=True):
    """Phase 2a. For the log also: all slots up to `chosen` are chosen, and the sender's `beat`."""

    ballot: Ballot
    instance: Instance
    value: Value
    chosen: Count = 0
    beat: Count = 0


class Accepted(Wire, frozen=True):
    """Phase 2b, to learners. `value` goes with keys only: in the log, who needs the value of a slot
    holds it already or fetches it. `beat` is that of the accept request."""

    ballot: Ballot
    instance: Instance
    value: Any = None
    beat: Count = 0


class Chosen(Wire, frozen=True):
    """A learner tells another what was chosen."""

    instance: str
    value: Any


class Query(Wire, frozen=True):
    """A learner asks what the receiver knows of an instance; the answer is Chosen, or Accepted,
    or Unlearnt."""

    instance: str


class Unlearnt(Wire, frozen=True):
    """To a query: nothing accepted here, and nothing known to be chosen."""

    instance: str


SynodMessage = Prepare | Promise[Any] | Refuse | Accept[Any] | Accepted | Chosen | Query | Unlearnt


def read(received: Any, types: Any) -> Any:
    """The message as one of `types`; None for what is no such message.

    A host that knows a machine's `messages` has decoded and checked it already.
    """
    if isinstance(received, Wire):
        return received
    try:
        return msgspec.convert(received, types)
    except msgspec.ValidationError:
        return None
