"""Mutant no-back-off: a proposer that was refused tries again at once."""

from __future__ import annotations

from random import Random

from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


def at_once(rng: Random, ballots: int) -> float:  # noqa: ARG001
    return 0.0


MUTANT = Mutant(
    name="no-back-off",
    kind="liveness",
    area="liveness",
    law="T26: proposers that outbid one another must let one another finish, or none ever does",
    story=(
        "A and E propose, C is near to both, B and D are far. E prepares 2 after A has prepared 1; "
        "C refuses A's accept request, and A's prepare 3 is with B and D before E's accept "
        "requests are. C refuses E in turn, and so on: thousands of ballots, and no majority "
        "accepts anything."
    ),
    caught_by=("termination",),
    workload="consensus",
    rules=Rules(back_off_s=at_once),
)
