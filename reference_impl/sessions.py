"""Client sessions: a command that is retried is applied once.

Rules
1. Sessions are part of the replicated state: the table changes only while slots are applied, in
   their order, so every replica recognises the same retries, whoever leads.
2. A session has one command open at a time, so its last seq and response are all that is needed. A
   seq below the last one is late: it is not applied now, and whether it was before is not known any
   more, so the answer to it is indefinite.
3. The table is bounded. The session that was used least recently in the log is forgotten first; a
   client that retries after so many others would be applied twice, which is the price of a bound.

Sources: Ongaro 2014, section 6.3; Lee et al. 2015 (RIFL), on what must be remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reference_impl.digest import Digest
from reference_impl.requests import Response, error


class Sessions:
    """By session: the last seq applied, and the response to it."""

    def __init__(self, sessions_max: int) -> None:
        self._max = sessions_max
        self._last: dict[str, tuple[int, Response]] = {}  # least recently used first
        self._digest = Digest()

    def earlier(self, session: str, seq: int) -> Response | None:
        """The response if (session, seq), or a later one, was applied before; else None."""
        if session not in self._last:
            return None
        last, response = self._last[session]
        if seq > last:
            return None
        if seq == last:
            return response
        text = f"session {session!r} is at seq {last}: what became of seq {seq} is forgotten"
        return error("timeout", text)

    def applied(self, session: str, seq: int, response: Response) -> None:
        self._last.pop(session, None)
        self._last[session] = (seq, response)
        self._digest.changed(session)
        if len(self._last) > self._max:
            oldest = next(iter(self._last))
            del self._last[oldest]
            self._digest.changed(oldest)

    def digest(self) -> str:
        return self._digest.of(self._last)

    def dump(self) -> Sequence[tuple[str, int, Response]]:
        return [(session, seq, response) for session, (seq, response) in self._last.items()]

    def load(self, dumped: Sequence[tuple[str, int, dict[str, Any]]]) -> None:
        self._last = {session: (seq, response) for session, seq, response in dumped}
        self._digest.replaced(self._last)
