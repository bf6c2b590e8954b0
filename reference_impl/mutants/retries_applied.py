"""Mutant retries-applied: a command that its client sends again is applied again."""

from __future__ import annotations

from reference_impl.logmessages import Command
from reference_impl.mutants.mutant import Mutant
from reference_impl.requests import Response
from reference_impl.rules import Rules
from reference_impl.statemachine import KeyValue


class KnowsNoRetry(KeyValue):
    def apply(self, command: Command) -> Response:
        return self._change(command)


MUTANT = Mutant(
    name="retries-applied",
    area="sessions",
    law="T1: replicas apply what clients asked for, once, however often they had to ask",
    story=(
        "A client appends to a list; the leader is killed after the command was chosen and "
        "before it answers. The client asks again, as the same command of its session, and the "
        "element is there twice; a compare-and-set that succeeded is answered with `compare- "
        "failed`."
    ),
    caught_by=("linearizable",),
    workload="register",
    rules=Rules(state=KnowsNoRetry),
)
