"""Mutant ignores-reports: a proposer proposes its own value, whatever the promises reported."""

from __future__ import annotations

from typing import Any

from reference_impl.messages import Instance
from reference_impl.mutants.mutant import Mutant
from reference_impl.proposer import Proposer
from reference_impl.rules import Rules


class Headstrong(Proposer):
    def value_for(self, instance: Instance, own: Any) -> Any:  # noqa: ARG002
        return own


MUTANT = Mutant(
    name="ignores-reports",
    area="proposers",
    law="T21: the value proposed is that of the highest-numbered proposal reported, if any was",
    story=(
        "A value is chosen, and its proposer falls silent before all nodes have learnt it. The "
        "next proposer hears of it from a majority, and has its own value (in a log: a no-op) "
        "chosen over it under a higher ballot."
    ),
    caught_by=("p2c", "p2b", "chosen-once", "linearizable"),
    workload="consensus",
    rules=Rules(proposer=Headstrong),
)
