"""Steps: what happened to the nodes of a run, one event at a time, as a value.

Rules
1. A sequence of steps says in which order machines saw which events; with the machines, which are
   deterministic, it is the whole run.
2. A message is named by its link and its number on it: the `number`-th (from 0) that `src` has sent
   to `node` since the run began. What was never delivered was lost, or is still on its way.

The explorer finds sequences of steps, the simulator plays them again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


class _Step(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="step", forbid_unknown_fields=True
):
    node: str


class Delivery(_Step, frozen=True, tag="deliver"):
    """`node` receives the `number`-th message that `src` sent to it."""

    src: str
    number: int


class Firing(_Step, frozen=True, tag="timeout"):
    """The timer `name` of `node` runs out."""

    name: str


class Asking(_Step, frozen=True, tag="request"):
    """A client asks `node`."""

    request: Mapping[str, Any]


class Crash(_Step, frozen=True, tag="crash"):
    """`node` stops; what it persisted stays."""


class Start(_Step, frozen=True, tag="start"):
    """`node` begins a life: Recover with what it persisted."""


Step = Delivery | Firing | Asking | Crash | Start


def encode(steps: Sequence[Step]) -> bytes:
    """As JSON, one step a line."""
    lines = ",\n".join("  " + msgspec.json.encode(step).decode() for step in steps)
    return f"[\n{lines}\n]\n".encode()


def decode(data: bytes) -> tuple[Step, ...]:
    """Raises msgspec.ValidationError for what is no sequence of steps."""
    return msgspec.json.decode(data, type=tuple[Step, ...])
