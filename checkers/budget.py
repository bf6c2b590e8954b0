"""Budgets: how long a search may take and how much it may hold.

Rules
1. A spent budget is a reason for UNKNOWN, never for VALID.
2. This is the one module of the checkers that looks at a clock; a search only asks `spent`.
3. Memory is bounded by the number of configurations held, not by the operating system: a process
   that the kernel kills has no verdict.
"""

from __future__ import annotations

import time


class Budget:
    """Starts to run when it is made; `afresh` is one with the same limits that starts now.

    `time_s` in seconds of wall clock; `configurations` is the number that may be held at once (a
    configuration costs some 300 bytes). None means without limit.
    """

    def __init__(self, time_s: float | None = 60.0, configurations: int | None = 2_000_000) -> None:
        for name, limit in (("time_s", time_s), ("configurations", configurations)):
            if limit is not None and limit < 0:
                raise ValueError(f"a budget's {name} is a number >= 0 or None, got {limit!r}")
        self.time_s = time_s
        self.configurations = configurations
        self._started = time.monotonic()
        self._reason: str | None = None

    def spent(self, held: int = 0) -> bool:
        """Is it used up, `held` configurations being held now? Stays True once it was."""
        if self._reason is not None:
            return True
        if self.configurations is not None and held > self.configurations:
            self._reason = f"more than {self.configurations:,} configurations at once"
        elif self.time_s is not None and self.elapsed_s() >= self.time_s:
            self._reason = f"more than {self.time_s:g} s"
        return self._reason is not None

    def afresh(self) -> Budget:
        return Budget(self.time_s, self.configurations)

    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    @property
    def reason(self) -> str:
        """What it would have taken, for the summary of an UNKNOWN; empty while not spent."""
        return self._reason or ""
