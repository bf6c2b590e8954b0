"""Mutant writes-stale-value: a vote is written with the value of the vote before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.machine import Effect, Event, Machine, Persist
from reference_impl import records
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class ReusesItsBuffer:
    """A machine around a machine: the buffer for values is filled after the record was made."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._buffer: Any = None

    def handle(self, event: Event, now: float) -> Sequence[Effect]:
        return [self._written(effect) for effect in self._machine.handle(event, now)]

    def _written(self, effect: Effect) -> Effect:
        if not (isinstance(effect, Persist) and isinstance(effect.record, _VOTE)):
            return effect
        vote = effect.record
        stale, self._buffer = self._buffer, vote.value
        if stale is None:
            return effect
        return Persist(records.AcceptedProposal(vote.instance, vote.ballot, stale))


_VOTE = records.AcceptedProposal

MUTANT = Mutant(
    name="writes-stale-value",
    area="storage",
    law="T23: what is on disk is the proposal that was accepted: its instance, number and value",
    story=(
        "C votes for u for one key, then for v for another, where A, B and C choose v. Its second "
        "record has the right key and number, and the value u. C restarts and reports u, and E has "
        "it chosen for a key for which nobody ever proposed it."
    ),
    caught_by=("ballot-unique", "p2b", "chosen-once", "linearizable"),
    workload="consensus",
    rules=Rules(wrap=ReusesItsBuffer),
)
