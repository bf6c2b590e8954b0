"""Mutant gives-up: a proposer that was outbid does not come back."""

from __future__ import annotations

from random import Random

from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules

FOR_EVER_S = 1e6


def for_ever(rng: Random, ballots: int) -> float:  # noqa: ARG001
    return FOR_EVER_S


MUTANT = Mutant(
    name="gives-up",
    kind="liveness",
    area="liveness",
    law="T3: a value is eventually chosen once the system is healed, so proposers try again",
    story=(
        "E prepares ballot 2 and is killed before it proposes anything. A's ballot 1 is refused, "
        "and A waits for E to have a value chosen. Clients that ask A later wait with it; so does "
        "every node that was once outbid by one that fell silent."
    ),
    caught_by=("termination",),
    workload="consensus",
    rules=Rules(back_off_s=for_ever),
)
