"""Named timers of a node on an asyncio loop.

Rules
1. A timer that was cancelled or set anew after it ran out, but before the machine saw it, is not
   delivered: `take` decides at the last moment.
2. A failure detector sets its timer at every message. Moving a deadline back costs a dictionary
   entry; the loop's heap is touched only when the older deadline passes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Timers:
    """`expired` is called with the name of a timer that seems due; whoever delivers it asks
    `take` first."""

    def __init__(self, loop: asyncio.AbstractEventLoop, expired: Callable[[str], None]) -> None:
        self._loop = loop
        self._expired = expired
        self._due: dict[str, float] = {}  # name -> deadline on the loop's clock
        self._handles: dict[str, asyncio.TimerHandle] = {}

    def set(self, name: str, deadline: float) -> None:
        self._due[name] = deadline
        handle = self._handles.get(name)
        if handle is None or handle.when() > deadline:
            if handle is not None:
                handle.cancel()
            self._handles[name] = self._loop.call_at(deadline, self._ring, name)

    def cancel(self, name: str) -> None:
        self._due.pop(name, None)

    def take(self, name: str, now: float) -> bool:
        """Is the timer due? If so it is over."""
        if self._due.get(name, now + 1) > now:
            return False
        del self._due[name]
        return True

    def stop(self) -> None:
        for handle in self._handles.values():
            handle.cancel()
        self._handles.clear()
        self._due.clear()

    def _ring(self, name: str) -> None:
        # The loop may ring up to its clock's resolution early, and `take` compares: so the
        # deadline that rang is given, and only a later one waits again.
        rang = self._handles.pop(name).when()
        due = self._due.get(name)
        if due is None:
            return
        if due > rang:
            self.set(name, due)
        else:
            self._due[name] = min(due, self._loop.time())
            self._expired(name)
