"""The catalogue: every mutant, in the order of the laws that they break."""

from __future__ import annotations

from reference_impl.mutants import (
    accepted_forgotten,
    accepts_below_promise,
    answer_before_fsync,
    duplicate_votes,
    half_quorum,
    ignores_reports,
    local_reads,
    lowest_report,
    promise_forgotten,
    shared_ballots,
)
from reference_impl.mutants.mutant import Mutant

CATALOGUE: tuple[Mutant, ...] = (
    half_quorum.MUTANT,
    duplicate_votes.MUTANT,
    shared_ballots.MUTANT,
    ignores_reports.MUTANT,
    lowest_report.MUTANT,
    accepts_below_promise.MUTANT,
    promise_forgotten.MUTANT,
    accepted_forgotten.MUTANT,
    answer_before_fsync.MUTANT,
    local_reads.MUTANT,
)
