"""The timers of a simulated node: they ring by its own clock, and end with its life.

Rules
1. A timer rings after its time, never before: a machine that found its deadline still to come, by
   a rounding, would set it again and again while no time goes by.
2. Setting a timer again replaces it; what was cleared or cancelled does not ring.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.clock import NS_PER_S
from harness.simulation.clocks import NodeClock
from harness.simulation.loop import VirtualLoop


class Timers:
    """`ring`: called with the name of a timer that has run out."""

    __slots__ = ("_clock", "_loop", "_ring", "_set", "_settings", "_true_time")

    def __init__(self, loop: VirtualLoop, clock: NodeClock, ring: Callable[[str], None]) -> None:
        self._loop, self._clock, self._ring = loop, clock, ring
        self._set: dict[str, tuple[int, float]] = {}  # number of the setting, local time due
        self._settings = 0
        self._true_time = True  # the clock was never wrong, and need not be asked

    def now_s(self) -> float:
        """What the node's clock shows, in seconds."""
        now_ns = self._loop.now_ns
        return now_ns / NS_PER_S if self._true_time else self._clock.local_s(now_ns)

    def set(self, name: str, delay_s: float) -> None:
        now_ns = self._loop.now_ns
        local_ns = now_ns if self._true_time else self._clock.local_ns(now_ns)
        self._schedule(name, local_ns + delay_s * NS_PER_S, now_ns)

    def cancel(self, name: str) -> None:
        self._set.pop(name, None)

    def clear(self) -> None:
        """The node's life has ended."""
        self._set.clear()

    def skew(self) -> None:
        """The clock has changed: what is set rings when the clock will now show its time."""
        self._true_time = self._clock.never_wrong
        now_ns = self._loop.now_ns
        for name, (_, due_local) in list(self._set.items()):
            self._schedule(name, due_local, now_ns)

    def _schedule(self, name: str, due_local: float, now_ns: int) -> None:
        self._settings += 1
        self._set[name] = (self._settings, due_local)
        due_ns = int(due_local) if self._true_time else self._clock.due_ns(due_local, now_ns)
        if due_ns is not None:
            self._loop.at(due_ns + 1, self._run_out, (name, self._settings))

    def _run_out(self, what: tuple[str, int]) -> None:
        name, number = what
        setting = self._set.get(name)
        if setting is not None and setting[0] == number:
            del self._set[name]
            self._ring(name)
