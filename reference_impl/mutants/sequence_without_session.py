"""Mutant sequence-without-session: retries are known by their number, whoever sends them."""

from __future__ import annotations

import msgspec

from reference_impl.logmessages import Command
from reference_impl.mutants.mutant import Mutant
from reference_impl.requests import Response
from reference_impl.rules import Rules
from reference_impl.statemachine import KeyValue


class OneSessionForAll(KeyValue):
    def apply(self, command: Command) -> Response:
        if command.session is not None:
            command = msgspec.structs.replace(command, session="all")
        return super().apply(command)


MUTANT = Mutant(
    name="sequence-without-session",
    area="sessions",
    law=("T1: replicas apply what clients asked for; a command is known by its session and number"),
    story=(
        "Two clients write their first commands. The second to arrive has the number of the "
        "first, is taken for its retry, gets the answer to it, and is never applied."
    ),
    caught_by=("linearizable",),
    workload="register",
    rules=Rules(state=OneSessionForAll),
)
