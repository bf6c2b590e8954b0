"""Mutant never-suspects: a follower that has once heard a leader waits for it for ever."""

from __future__ import annotations

from math import inf

from reference_impl.leadership import Suspicion
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class Faithful(Suspicion):
    def stands(self, silence_s: float, patience_s: float) -> bool:  # noqa: ARG002
        return silence_s == inf

    def supports(
        self,
        candidate: str,  # noqa: ARG002
        leader: str | None,  # noqa: ARG002
        silence_s: float,
        patience_s: float,  # noqa: ARG002
    ) -> bool:
        return silence_s == inf


MUTANT = Mutant(
    name="never-suspects",
    kind="liveness",
    area="liveness",
    law="T27: if the distinguished proposer fails another one is elected",
    story=(
        "The leader is killed. Its followers wait for it, and when it is started again it knows "
        "nothing of having led, wants to be elected, and gets no support: they have a leader, "
        "don't they?"
    ),
    caught_by=("termination",),
    workload="register",
    rules=Rules(suspicion=Faithful),
)
