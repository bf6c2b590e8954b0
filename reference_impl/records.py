"""What a node writes down, and how it is read back.

Rules
1. A record is written before anything that depends on it leaves the node (T23); records are read
   back in the order of writing.
2. What was chosen and applied need not be written: it can be learnt again. Promises, acceptances
   and rounds can not.
3. A record that cannot be read is not skipped: a node that misses one vote may break agreement, so
   it refuses to start.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from harness.machine import Record
from reference_impl.ballot import Ballot
from reference_impl.messages import Count, Instance

Value = TypeVar("Value")


class _Stored(msgspec.Struct, frozen=True, array_like=True, tag=str.lower, gc=False):
    """Settings shared by all records, those of messages.Wire: compact arrays, data only."""


class Round(_Stored, frozen=True):
    """This node may have used rounds up to this one. `instance` as in Promised. In the log a life
    begins with a new round, which serves as its number."""

    instance: str | None
    round: Count


class Promised(_Stored, frozen=True):
    """`instance` is None for the log, whose promise covers every slot."""

    instance: str | None
    ballot: Ballot


class AcceptedProposal(_Stored, Generic[Value], frozen=True):
    instance: Instance
    ballot: Ballot
    value: Value


class Learnt(_Stored, frozen=True):
    """All slots up to `slot` are chosen, and after the snapshot each has the value accepted here.
    Spares a node that restarts from learning them again; nobody waits for it to be written."""

    slot: Count


class SnapshotPart(_Stored, frozen=True):
    """Part `index` of `count` of the state after `slot`; `floor` is the acceptor's (see there)."""

    slot: Count
    floor: Count
    index: Count
    count: Count
    data: bytes


class RecordError(ValueError):
    """The host gave back a record that this machine never wrote: another protocol's data directory,
    or a log that was changed behind our back."""

    def __init__(self, position: int, cause: str) -> None:
        super().__init__(
            f"record {position} of the log is none of this protocol's: {cause}. Was the data "
            "directory written by another protocol or version? Start with an empty one, or restore "
            "the right one; going on without this record could break a promise."
        )


def read(stored: Record, position: int, types: Any) -> Any:
    """The record as one of `types`. Raises RecordError."""
    try:
        return msgspec.convert(stored, types)
    except msgspec.ValidationError as error:
        raise RecordError(position, str(error)) from error


SynodRecord = Round | Promised | AcceptedProposal[Any]
