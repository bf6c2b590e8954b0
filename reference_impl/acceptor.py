"""Acceptor: the memory of Paxos.

Rules
1. `promised` only grows. A prepare is answered with a promise unless a higher ballot has been
   promised (T20), an accept request is granted unless a higher ballot has been promised (T22).
   A first proposal is therefore always accepted (P1, T12).
2. A promise reports, for each instance that it covers, the highest-numbered proposal accepted.
3. The acceptor knows neither leaders nor majorities nor what was chosen.
4. Its state is on disk before its answer leaves (T23). The caller sees to that: it persists what
   these methods granted, then sends. Restoring is part of the role: what is read back is a rule.
5. What a snapshot covers may be forgotten, up to `floor`. A prepare that asks about forgotten
   instances is not promised: an answer without them would read as "nothing was accepted there".

One promise covers all instances of an acceptor: one key of the synod, every slot of the log.

Sources: Lamport 2001, section 2.2 (P1a), section 2.5 (stable storage); Lamport 1998, section 3.1
for a promise that covers all instances from some number on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reference_impl.ballot import NEVER, Ballot
from reference_impl.messages import Instance, Proposal, Report


class Acceptor:
    """One acceptor: its highest promise and, by instance, its highest accepted proposal."""

    def __init__(self) -> None:
        self.promised = NEVER
        self.accepted: dict[Instance, Proposal] = {}
        self.floor = 0  # slots up to here are forgotten; 0 where instances are keys

    def may_promise(self, ballot: Ballot) -> bool:
        """Phase 1b. The promised ballot itself is promised again: its answer may have been lost."""
        return ballot >= self.promised

    def may_accept(self, ballot: Ballot) -> bool:
        """Phase 2b."""
        return ballot >= self.promised

    def promise(self, ballot: Ballot) -> bool:
        """Promise to accept nothing below `ballot`, if that is allowed."""
        if not self.may_promise(ballot):
            return False
        self.promised = ballot
        return True

    def accept(self, ballot: Ballot, instance: Instance, value: Any) -> bool:
        """Accept the proposal, if that is allowed. To accept is also to promise."""
        if not self.may_accept(ballot):
            return False
        self.promised = max(self.promised, ballot)
        self.accepted[instance] = Proposal(ballot, value)
        return True

    def reports(self, first: int | None) -> tuple[Report[Any], ...]:
        """The accepted proposals that a promise reports: of slots from `first` on, None for all."""
        return tuple(
            Report(instance, proposal.ballot, proposal.value)
            for instance, proposal in self._covered(first)
        )

    def forget(self, floor: int) -> None:
        """Drop what was accepted in slots up to `floor`: a snapshot holds what was chosen there."""
        for slot in [s for s in self.accepted if isinstance(s, int) and s <= floor]:
            del self.accepted[slot]
        self.floor = max(self.floor, floor)

    def restore_promise(self, ballot: Ballot) -> None:
        """A promise that an earlier life wrote down."""
        self.promised = max(self.promised, ballot)

    def restore_accepted(self, ballot: Ballot, instance: Instance, value: Any) -> None:
        """An acceptance that an earlier life wrote down, in the order of writing."""
        self.promised = max(self.promised, ballot)
        self.accepted[instance] = Proposal(ballot, value)

    def _covered(self, first: int | None) -> Iterable[tuple[Instance, Proposal]]:
        if first is None:
            return self.accepted.items()
        slots = sorted(s for s in self.accepted if isinstance(s, int) and s >= first)
        return ((slot, self.accepted[slot]) for slot in slots)
