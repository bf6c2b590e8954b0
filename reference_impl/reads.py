"""Linearizable reads by quorum: without a slot of the log, and without trust in being the leader.

Rules
1. A read is answered when a majority has confirmed, after the read arrived, that it had promised no
   ballot above the leader's. Whoever could have chosen something without the leader would have had
   to get that majority's promise before.
2. And when everything is applied that the leader had proposed by the time the read arrived. That
   covers what it chose itself, and what earlier leaders chose: a new leader proposes again all that
   phase 1 reported, and answers no read before it has applied that.
3. Confirmations are numbered beats. Accept requests and heartbeats carry the leader's beat, answers
   repeat it; an answer to a beat from before the read proves nothing.
4. No node answers a read from its memory alone. A leader may have been deposed without having heard
   of it (T27): cut off with a minority, it would go on telling old values.

Sources: Lamport 2001, section 3; Ongaro 2014, section 6.4 (read index).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import msgspec

from reference_impl.logmessages import Command


class ReadRule:
    """Who may answer a read alone."""

    def may_answer_alone(self, leading: bool, leader: str | None) -> bool:  # noqa: ARG002
        """Nobody. `leading`: this node believes that it leads; `leader`: whom it believes to."""
        return False


class _Read(msgspec.Struct, frozen=True):
    command: Command
    beat: int  # the first beat that confirms it
    slot: int  # the last slot that must be applied


class QuorumReads:
    """The reads that wait at one leader."""

    def __init__(self) -> None:
        self._waiting: deque[_Read] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, command: Command, beat: int, slot: int) -> None:
        """`beat` and `slot` never go back from one read to the next."""
        self._waiting.append(_Read(command, beat, slot))

    @property
    def beat(self) -> int:
        """The beat that the newest read waits for; 0 if none waits."""
        return self._waiting[-1].beat if self._waiting else 0

    def ready(self, confirmed: int, applied: int) -> Iterator[Command]:
        """Take out what may be answered now that a majority confirmed beat `confirmed`."""
        while self._waiting:
            read = self._waiting[0]
            if read.beat > confirmed or read.slot > applied:
                return
            yield self._waiting.popleft().command

    def drain(self) -> Iterator[Command]:
        while self._waiting:
            yield self._waiting.popleft().command
