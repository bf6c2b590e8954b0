"""Mutant local-reads: who leads, or was the last leader it knows of, reads from its own memory."""

from __future__ import annotations

from reference_impl.mutants.mutant import Mutant
from reference_impl.reads import ReadRule
from reference_impl.rules import Rules


class TrustsItself(ReadRule):
    def __init__(self) -> None:
        self._led = False

    def may_answer_alone(self, leading: bool, leader: str | None) -> bool:
        if leading or leader is not None:
            self._led = leading
        return self._led


MUTANT = Mutant(
    name="local-reads",
    area="reads",
    law="T27: there may be several distinguished proposers, so none may rely on being the only one",
    story=(
        "The leader is cut off with a minority, and the others elect a new one and write. Clients "
        "that still reach the old leader read the old value from its memory, after the new one "
        "was acknowledged."
    ),
    caught_by=("linearizable",),
    workload="register",
    rules=Rules(read_rule=TrustsItself),
)
