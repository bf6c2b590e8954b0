"""Once: which of the numbered commands that a node forwards have been seen.

Rules
1. The network may bring a message twice, and long after the first copy was answered. Its command
   must not change the state a second time behind the client's back.
2. Memory is bounded. Numbers far below the highest count as seen: they are late duplicates, or so
   late that their client has given up.
"""

from __future__ import annotations


class Numbers:
    """Which numbers of a growing sequence have been seen."""

    SPAN = 4096

    def __init__(self) -> None:
        self._highest = 0
        self._seen: set[int] = set()

    def add(self, number: int) -> bool:
        """Note `number`; False if it was seen before."""
        if number in self._seen or number <= self._highest - self.SPAN:
            return False
        self._seen.add(number)
        self._highest = max(self._highest, number)
        if len(self._seen) > 2 * self.SPAN:
            self._seen = {n for n in self._seen if n > self._highest - self.SPAN}
        return True
