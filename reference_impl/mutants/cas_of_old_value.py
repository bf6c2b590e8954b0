"""Mutant cas-of-old-value: compare-and-set compares with the value that was put last."""

from __future__ import annotations

from reference_impl.logmessages import Command
from reference_impl.mutants.mutant import Mutant
from reference_impl.requests import Response
from reference_impl.rules import Rules
from reference_impl.statemachine import KeyValue


class SeesOnlyPuts(KeyValue):
    """What other compare-and-sets made of it since then escapes it."""

    def __init__(self) -> None:
        super().__init__()
        self._put: dict[str, object] = {}

    def _change(self, command: Command) -> Response:
        if command.f == "put":
            self._put[command.key] = command.value
        elif command.f == "cas" and command.key in self._put:
            expected, new = command.value
            if expected == self._put[command.key]:
                return self._set(command.key, new)
        return super()._change(command)


MUTANT = Mutant(
    name="cas-of-old-value",
    area="state machine",
    law="T1: every replica computes what the command means: compare-and-set sees what is there",
    story=(
        "1 is put, one client changes 1 to 2, and another 1 to 3: both are told that they "
        "succeeded. All replicas agree on it, so only the clients can notice."
    ),
    caught_by=("linearizable",),
    workload="register",
    rules=Rules(state=SeesOnlyPuts),
)
