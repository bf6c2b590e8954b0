"""Budgets: how long a search may take and how much it may hold.

Rules
1. A spent budget is a reason for UNKNOWN, never for VALID.
2. This is the one module of the checkers that looks at a clock; a search only asks `spent`.
3. Memory is bounded by what the search counts, configurations or bytes, not by the operating
   system: a process that the kernel kills has no verdict.
"""

from __future__ import annotations

import time

# A configuration of the plain search costs some 300 bytes.
CONFIGURATION_BYTES = 300


class Budget:
    """Starts to run when it is made; `afresh` is one with the same limits that starts now.

    `time_s` in seconds of wall clock; `configurations` is the number that may be held at once;
    `memory` in bytes, beyond the history itself. None means without limit. The plain search counts
    CONFIGURATION_BYTES for each configuration; the engine counts bytes itself.
    """

    def __init__(
        self,
        time_s: float | None = 60.0,
        configurations: int | None = 2_000_000,
        memory: int | None = None,
    ) -> None:
        limits = (("time_s", time_s), ("configurations", configurations), ("memory", memory))
        for name, limit in limits:
            if limit is not None and limit < 0:
                raise ValueError(f"a budget's {name} is a number >= 0 or None, got {limit!r}")
        self.time_s = time_s
        self.configurations = configurations
        self.memory = memory
        self._started = time.monotonic()
        self._limit: str | None = None

    @property
    def memory_mb(self) -> float | None:
        return None if self.memory is None else self.memory / 1e6

    def spent(self, held: int = 0) -> bool:
        """Is it used up, `held` configurations being held now? Stays True once it was."""
        if self._limit is not None:
            return True
        if self.configurations is not None and held > self.configurations:
            self._limit = "configurations"
        elif self.memory is not None and held * CONFIGURATION_BYTES > self.memory:
            self._limit = "memory"
        elif self.time_s is not None and self.elapsed_s() >= self.time_s:
            self._limit = "time"
        return self._limit is not None

    def exhaust(self, limit: str) -> None:
        """Note that another search, which counted for itself, has spent this limit: 'time',
        'memory' or 'configurations'."""
        if self._limit is None:
            self._limit = limit

    def afresh(self) -> Budget:
        return Budget(self.time_s, self.configurations, self.memory)

    def at_least(self, time_s: float) -> Budget:
        """A budget that starts now with the same limits and the time that is left, or `time_s` if
        that is more."""
        left_s = self.left_s()
        left_s = None if left_s is None else max(left_s, time_s)
        return Budget(left_s, self.configurations, self.memory)

    def at_most(self, time_s: float) -> Budget:
        """A budget that starts now with the same limits and the time that is left, or `time_s` if
        that is less."""
        left_s = self.left_s()
        left_s = time_s if left_s is None else min(left_s, time_s)
        return Budget(left_s, self.configurations, self.memory)

    def share(self, part: float, configurations: int | None = None) -> Budget:
        """A budget that starts now with a part, above 0 and at most 1, of the time that is left,
        and its own limit of configurations if one is given."""
        left_s = self.left_s()
        time_s = None if left_s is None else left_s * part
        return Budget(time_s, configurations or self.configurations, self.memory)

    def left_s(self) -> float | None:
        """Seconds until the time is spent; None without limit."""
        return None if self.time_s is None else max(0.0, self.time_s - self.elapsed_s())

    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    @property
    def reason(self) -> str:
        """What it would have taken, for the summary of an UNKNOWN; empty while not spent."""
        return "" if self._limit is None else self._more_than(self._limit)

    @property
    def limit(self) -> str | None:
        """Which limit is spent: 'time', 'memory' or 'configurations'; None while none is."""
        return self._limit

    def _more_than(self, limit: str) -> str:
        if limit == "time" and self.time_s is not None:
            return f"more than {self.time_s:.3g} s"
        if limit == "memory" and self.memory_mb is not None:
            return f"more than {self.memory_mb:g} MB"
        if limit == "configurations" and self.configurations is not None:
            return f"more than {self.configurations:,} configurations at once"
        return f"more {limit} than there is"
