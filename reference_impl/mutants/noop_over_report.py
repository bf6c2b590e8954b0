"""Mutant noop-over-report: a new leader fills all open slots with no-ops."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reference_impl.leadership import Recovery
from reference_impl.logmessages import NOOP, Batch
from reference_impl.mutants.mutant import Mutant
from reference_impl.proposer import Proposer
from reference_impl.rules import Rules


class FillsWithNoops(Recovery):
    """New slots it proposes as it should."""

    def proposals(self, proposer: Proposer, slots: Iterable[int]) -> Iterator[tuple[int, Batch]]:  # noqa: ARG002
        for slot in slots:
            yield slot, NOOP


MUTANT = Mutant(
    name="noop-over-report",
    area="leadership",
    law=(
        "T21: a new leader proposes again what was reported; no-ops are for slots without a report"
    ),
    story=(
        "A leader has slot 7 chosen, tells its client so, and is killed before it tells anybody "
        "else. The next one hears of slot 7 from a majority, has not learnt that it is chosen, "
        "and fills it with a no-op: the acknowledged write never happened."
    ),
    caught_by=(
        "p2c",
        "p2b",
        "chosen-once",
        "linearizable",
    ),
    workload="register",
    rules=Rules(recovery=FillsWithNoops),
)
