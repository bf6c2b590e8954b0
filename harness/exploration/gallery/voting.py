"""Three protocols of one exchange of votes, and what each must give up for being that simple.

Rules
1. Every process tells its bit to all others when it starts, and decides once.
2. WaitForAll decides what most of all bits are. Everybody counts the same votes, so all agree; one
   process that has stopped is waited for for ever.
3. FirstMajority does not wait for all: as soon as it knows a majority of the bits, its own among
   them, it decides their minimum. Any two majorities overlap, and still they hold different votes:
   of 0, 1, 1 the second and third process see 1, 1 and decide 1, the first sees 0, 1 and decides 0.
   What a quorum intersects in must be a lock on the decision; a mere vote is none.
4. FirstMessage decides the first bit that it is told.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.machine import Deliver, Effect, Event, Recover, Send, Trace


class WaitForAll:
    """Agrees, and tolerates no fault (T40)."""

    def __init__(self, name: str, peers: Sequence[str], bit: int) -> None:
        self._peers, self._bit = tuple(peers), bit
        self._votes = frozenset({(name, bit)})
        self._decided = False

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        match event:
            case Recover():
                return [Send(peer, ("vote", self._bit)) for peer in self._peers]
            case Deliver(src=src, message=["vote", 0 | 1 as bit]) if not self._decided:
                self._votes |= {(src, bit)}
                if self._enough():
                    self._decided = True
                    return [Trace("decide", {"value": self._outcome(bit)})]
        return ()

    def _enough(self) -> bool:
        return len(self._votes) == len(self._peers) + 1

    def _outcome(self, last: int) -> int:  # noqa: ARG002
        return int(2 * sum(bit for _, bit in self._votes) > len(self._votes))


class FirstMajority(WaitForAll):
    """Tolerates a minority that has stopped, and lets two majorities disagree (T40)."""

    def _enough(self) -> bool:
        return 2 * len(self._votes) > len(self._peers) + 1

    def _outcome(self, last: int) -> int:  # noqa: ARG002
        return min(bit for _, bit in self._votes)


class FirstMessage(WaitForAll):
    """Hears one and believes it: the fastest way to disagree (T40)."""

    def _enough(self) -> bool:
        return True

    def _outcome(self, last: int) -> int:
        return last
