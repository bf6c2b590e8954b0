"""Hearsay: what a node takes for chosen because another one says so, and what it says itself.

Rules
1. A leader's "all slots up to here are chosen" speaks of the values that it proposed. A follower's
   own copy of a slot is one of these only if it was accepted under that leader's ballot; what it
   holds from an earlier one may have lost against another value.
2. That a leader goes on to slot s shows nothing about s - 1: several slots are in flight.
3. Only what is chosen is told to a node that lags. What the teller has merely accepted may still
   give way to another value.

Source: Lamport 2001, section 2.3: a process never learns that a value was chosen unless it was.
"""

from __future__ import annotations

from collections.abc import Iterator

from reference_impl.acceptor import Acceptor
from reference_impl.ballot import Ballot
from reference_impl.log import Log
from reference_impl.logmessages import Batch


class Hearsay:
    """How far the word of others goes."""

    def horizon(self, slot: int, chosen: int) -> int:  # noqa: ARG002 - see rule 2
        """The last slot to take for chosen when an accept request for `slot` says `chosen`."""
        return chosen

    def confirms(self, word: Ballot, copy: Ballot) -> bool:
        """Does the word of the leader of `word` make the copy accepted under `copy` chosen?"""
        return word == copy

    def tells(self, log: Log, acceptor: Acceptor, first: int) -> Iterator[Batch]:  # noqa: ARG002
        """The values from slot `first` on, which is above the log's base, for a node that lags."""
        return log.from_slot(first)
