"""The clock of a simulated node: monotonic, and otherwise as wrong as faults make it.

Rules
1. A node's clock shows true time plus what the faults in force add: an offset at once, and a drift
   that grows. It never goes back: set back, it stands still until its time has come.
2. Timers are of the node's own time: a fast clock rings early, a jump forward rings at once what
   it passed. Where drifts add up to a clock that would run backwards, it stands and rings nothing.
"""

from __future__ import annotations

from harness.clock import NS_PER_S
from nemesis.faults import SkewClock

NS_PER_MS = 1_000_000


class NodeClock:
    """Local time is rate * true time + offset, or the latest time shown, if that is later."""

    def __init__(self) -> None:
        self._faults: dict[int, tuple[SkewClock, int]] = {}  # with the true time of its beginning
        self._rate = 1.0
        self._offset_ns = 0.0
        self._latest_ns = 0.0

    @property
    def never_wrong(self) -> bool:
        """Local time is true time, and always was."""
        return not self._faults and self._latest_ns == 0

    def local_ns(self, now_ns: int) -> float:
        self._latest_ns = max(self._latest_ns, self._rate * now_ns + self._offset_ns)
        return self._latest_ns

    def local_s(self, now_ns: int) -> float:
        return self.local_ns(now_ns) / NS_PER_S

    def due_ns(self, local_ns: float, now_ns: int) -> int | None:
        """When, in true time, the clock will show `local_ns`; now, if it has. None: never, unless
        its faults change."""
        if local_ns <= self.local_ns(now_ns):
            return now_ns
        if self._rate <= 0:
            return None
        return max(now_ns, round((local_ns - self._offset_ns) / self._rate))

    def reading(self, now_ns: int) -> tuple[float, float]:
        """Milliseconds ahead, and what it gains of a second that passes: 0 while it stands."""
        local_ns = self.local_ns(now_ns)
        stands = local_ns > self._rate * now_ns + self._offset_ns
        return (local_ns - now_ns) / NS_PER_MS, 0.0 if stands else self._rate

    def apply(self, id_: int, fault: SkewClock, now_ns: int) -> None:
        self.local_ns(now_ns)
        self._faults.setdefault(id_, (fault, now_ns))
        self._change()

    def undo(self, id_: int, now_ns: int) -> None:
        self.local_ns(now_ns)
        self._faults.pop(id_, None)
        self._change()

    def _change(self) -> None:
        every = self._faults.values()
        self._rate = 1.0 + sum(fault.drift for fault, _ in every)
        self._offset_ns = sum(f.offset_ms * NS_PER_MS - f.drift * since for f, since in every)
