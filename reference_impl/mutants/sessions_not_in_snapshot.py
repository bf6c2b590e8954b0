"""Mutant sessions-not-in-snapshot: a state loaded from a snapshot has forgotten all sessions."""

from __future__ import annotations

from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules
from reference_impl.statemachine import KeyValue


class ForgetsSessions(KeyValue):
    def load(self, dumped: bytes) -> None:
        super().load(dumped)
        self._sessions.load(())


MUTANT = Mutant(
    name="sessions-not-in-snapshot",
    area="sessions",
    law=(
        "T1: replicas that see the same values are in the same state, and sessions are part of it"
    ),
    story=(
        "A node restarts from its snapshot. It applies the retry of a command that the snapshot "
        "covers, which the others recognise, and its map differs from theirs from then on: once "
        "it leads, clients read it."
    ),
    caught_by=(
        "state-equality",
        "linearizable",
    ),
    workload="register",
    options={"snapshot_slots": "60"},
    rules=Rules(state=ForgetsSessions),
)
