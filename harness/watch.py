"""The live check of a run: its journal is judged while it grows, a little at a time.

Rules
1. It takes at most SHARE of the time, however fast the run is: after each slice it rests in
   proportion. A run that is too fast for it is judged late, and is not slowed down.
2. Slices are short, since operations wait for them; explaining a violation is left to a thread.
3. Nothing is decided here: the recorded history is judged as always, by all checkers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from checkers.history import Operation
from checkers.stream import LiveCheck
from checkers.verdict import Verdict
from harness.clock import NS_PER_S, Clock, sleep

EVERY_S = 0.05
SHARE = 0.03
BATCH = 50  # operations at a time: half a millisecond or less, even in plain Python


class Watch:
    """`operations`: of the journal, which grows while `violation` waits."""

    def __init__(self, check: LiveCheck, operations: Sequence[Operation], clock: Clock) -> None:
        self._check = check
        self._operations = operations
        self._clock = clock
        self._seen = 0

    @property
    def behind(self) -> int:
        """How many recorded operations were not looked at yet."""
        return len(self._operations) - self._seen

    async def violation(self) -> Verdict:
        """The first, as soon as it is seen; waits for ever where there is none.

        Raises HistoryError where the model cannot read an operation.
        """
        while True:
            spent_ns = 0
            while self.behind and spent_ns < SHARE * EVERY_S * NS_PER_S:
                began_ns = self._clock.now_ns()
                batch = self._operations[self._seen : self._seen + BATCH]
                self._seen += len(batch)
                if self._check.take(batch):
                    return await asyncio.to_thread(self._check.explain)
                spent_ns += self._clock.now_ns() - began_ns
            await sleep(self._clock, max(EVERY_S, spent_ns / NS_PER_S / SHARE))
