"""Mutant leaves-old-slots: a new leader starts behind the slots that were reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reference_impl.leadership import Recovery
from reference_impl.logmessages import Batch
from reference_impl.mutants.mutant import Mutant
from reference_impl.proposer import Proposer
from reference_impl.rules import Rules


class LooksAhead(Recovery):
    def proposals(self, proposer: Proposer, slots: Iterable[int]) -> Iterator[tuple[int, Batch]]:  # noqa: ARG002
        return iter(())


MUTANT = Mutant(
    name="leaves-old-slots",
    kind="liveness",
    area="leadership",
    law="T3: what was begun is eventually chosen, or nothing behind it can ever be applied",
    story=(
        "A leader is killed with slot 7 under way: it was accepted by some, and nobody learnt "
        "it. The next leader goes on with slot 8. Slots from 8 on are chosen, but 7 never is, "
        "so none of them is ever applied and no client ever answered, under this leader and all "
        "that follow."
    ),
    caught_by=("termination",),
    workload="register",
    rules=Rules(recovery=LooksAhead),
)
