"""A system whose machine does to its process what no machine should: it hangs, or ends it."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from harness.machine import ClientRequest, Effect, Event, Machine, Reply

SYSTEM = """\
name: evil
command: ["{python}", "-c", "pass", "{options}"]
ports:
  client: {framing: line}
  peer: {framing: line}
options:
  does: {choices: [well, hangs, dies, dies-once], default: well, args: []}
machine: evil_machine:node
workloads:
  register:
    calls: {read: get, write: put}
client:
  protocol: json-lines
  status: status
  reads: [get]
"""
DIED = "died"  # the file that says it has, beside the system's


def written(folder: Path) -> Path:
    """The file of the system in that folder, with the machine beside it."""
    (folder / "evil_machine.py").write_text(Path(__file__).read_text())
    file = folder / "evil.yaml"
    file.write_text(SYSTEM)
    return file


class Node:
    """Answers every read with null: a register that nobody ever reads as written is wrong."""

    def __init__(self, name: str, does: str) -> None:
        self._name, self._does = name, does

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        if not isinstance(event, ClientRequest):
            return ()
        request: Mapping[str, Any] = event.request
        if request["f"] == "status":
            return [Reply(event.id, {"ok": {"node": self._name, "ready": True, "leading": False}})]
        self._misbehave()
        return [Reply(event.id, {"ok": None})]

    def _misbehave(self) -> None:
        died = Path(__file__).with_name(DIED)
        if self._does == "dies" or (self._does == "dies-once" and not died.exists()):
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        while self._does == "hangs":
            pass


def node(
    *,
    name: str,
    peers: Sequence[str],  # noqa: ARG001
    rng: Random,  # noqa: ARG001
    workload: str,  # noqa: ARG001
    options: Mapping[str, str],
) -> Machine:
    return Node(name, options.get("does", "well"))
