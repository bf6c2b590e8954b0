"""A register whose nodes answer from what they hold and tell the others now and then: it is wrong,
and small. Its options make it undeterministic in the ways that a replay must catch."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from harness.machine import (
    ClientRequest,
    Deliver,
    Effect,
    Event,
    Machine,
    Reply,
    Send,
    Trace,
)

SYSTEM = """\
name: toy
command: ["{python}", "-c", "pass", "{options}"]
ports:
  client: {framing: line}
  peer: {framing: line}
options:
  flaw: {choices: [none, set, clock, hidden-clock], default: none, args: []}
machine: toy_machine:node
workloads:
  register:
    calls: {read: get, write: put}
client:
  protocol: json-lines
  status: status
  reads: [get]
"""


def written(folder: Path) -> Path:
    """The file of the system in that folder, with the machine beside it, as users have theirs."""
    shutil.copy(__file__, folder / "toy_machine.py")
    file = folder / "toy.yaml"
    file.write_text(SYSTEM)
    return file


class Node:
    def __init__(self, name: str, peers: Sequence[str], rng: Random, flaw: str) -> None:
        self._name, self._peers, self._rng, self._flaw = name, tuple(peers), rng, flaw
        self._held: dict[str, Any] = {}

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        if isinstance(event, ClientRequest):
            return self._asked(event.id, event.request)
        if isinstance(event, Deliver):
            key, value = event.message
            self._held[key] = value
        return ()

    def _asked(self, number: int, request: Mapping[str, Any]) -> Sequence[Effect]:
        if request["f"] == "status":
            return [Reply(number, {"ok": {"node": self._name, "ready": True, "leading": False}})]
        key = request["key"]
        if request["f"] == "get":
            return [Reply(number, {"ok": self._held.get(key)})]
        if self._flaw == "clock":
            time.monotonic()
        self._held[key] = request["value"]
        told = {f"{peer}!" for peer in self._peers} if self._flaw == "set" else self._peers
        # The clock inside datetime is one that the fence cannot see.
        late = datetime.now(UTC).microsecond if self._flaw == "hidden-clock" else 0
        effects: list[Effect] = [Trace("told", {"peer": peer, "late": late}) for peer in told]
        if self._rng.random() < 0.5:
            effects += [Send(peer, [key, request["value"]]) for peer in self._peers]
        return [*effects, Reply(number, {"ok": None})]


def node(
    *,
    name: str,
    peers: Sequence[str],
    rng: Random,
    workload: str,  # noqa: ARG001
    options: Mapping[str, str],
) -> Machine:
    return Node(name, peers, rng, options.get("flaw", "none"))
