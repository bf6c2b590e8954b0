"""What the clocks of nodes showed: how far each was off, when, as faults made it.

Rules
1. Faults of one clock add up: the spans of a node's clock do not overlap, each is what all faults
   in force made of it, from one change to the next. A clock that is right has no span.
2. A fault that was never applied has none. One whose undoing was not confirmed lasts on, as in
   checkers.faults, whose intervals these are: wider than the true ones, never narrower.
3. A simulated node has one clock, which never goes back: set back, it stands still (it loses
   1,000,000 ppm) until the time that it shows has come.
4. What a probe measured stands beside what was ordered, in the span that began with its fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from checkers.faults import FaultInterval, fault_intervals
from checkers.history import History

SKEW = "skew-clock"
NS_PER_MS = 1_000_000
PPM = 1_000_000
_NEVER_NS = 2**63

Which = Literal["wall", "monotonic"]


class ClockSpan(msgspec.Struct, frozen=True):
    """`end_ns` None: to the end of the run. `offset_ms` at the start of the span; positive: ahead.
    `observed_ms`: what a probe measured soon after, None where nothing changed or none looked."""

    node: str
    start_ns: int
    end_ns: int | None
    offset_ms: float
    drift_ppm: float = 0.0
    clock: Which = "wall"
    observed_ms: float | None = None

    def offset_at_ns(self, time_ns: int) -> int:
        """How far the clock is ahead at a time of the span, in nanoseconds."""
        passed_ns = time_ns - self.start_ns
        return round(self.offset_ms * NS_PER_MS + self.drift_ppm * passed_ns / PPM)


class _Skew(msgspec.Struct, frozen=True):
    """One fault on one node."""

    start_ns: int
    end_ns: int
    offset_ms: float
    drift: float
    observed_ms: float | None

    def ahead_ns(self, time_ns: int) -> float:
        return self.offset_ms * NS_PER_MS + self.drift * (time_ns - self.start_ns)


def clock_spans(history: History, *, one_clock: bool = False) -> list[ClockSpan]:
    """By node, clock and time. `one_clock`: rule 3, of simulated runs."""
    skews: dict[tuple[str, Which], list[_Skew]] = {}
    for fault in fault_intervals(history):
        if fault.kind == SKEW and isinstance(fault.applied, dict):
            for node, clock, skew in _of_nodes(fault, fault.applied, one_clock):
                skews.setdefault((node, clock), []).append(skew)
    spans: list[ClockSpan] = []
    for node, clock in sorted(skews):
        spans += _spans(node, clock, skews[node, clock], one_clock)
    return spans


def _of_nodes(
    fault: FaultInterval, applied: dict[str, Any], one_clock: bool
) -> Iterator[tuple[str, Which, _Skew]]:
    """Nothing of a fault whose fields are not what ours have: somebody wrote them by hand."""
    nodes, offset_ms, drift = (applied.get(name) for name in ("nodes", "offset_ms", "drift"))
    if not isinstance(nodes, list | tuple):
        return
    clock: Which = "wall"
    if applied.get("clock") == "monotonic" and not one_clock:
        clock = "monotonic"
    for node in nodes:
        skew = _Skew(
            start_ns=fault.start_ns,
            end_ns=_NEVER_NS if fault.end_ns is None else fault.end_ns,
            offset_ms=_number(offset_ms) or 0.0,
            drift=_number(drift) or 0.0,
            observed_ms=_observed_ms(fault.observed, node, clock),
        )
        yield str(node), clock, skew


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _observed_ms(observed: Any, node: Any, clock: Which) -> float | None:
    clocks = observed.get("clocks") if isinstance(observed, dict) else None
    reading = clocks.get(node) if isinstance(clocks, dict) and isinstance(node, str) else None
    if not isinstance(reading, dict):
        return None
    return _number(reading.get("monotonic_ms" if clock == "monotonic" else "offset_ms"))


def _spans(node: str, clock: Which, skews: Sequence[_Skew], one_clock: bool) -> Iterator[ClockSpan]:
    """From change to change (rule 1)."""
    changes = sorted({s.start_ns for s in skews} | {s.end_ns for s in skews})
    shown_ns = 0.0  # how far ahead the clock was as the last span ended
    for start_ns, end_ns in zip(changes, [*changes[1:], _NEVER_NS], strict=True):
        if start_ns >= end_ns:
            continue
        on = [s for s in skews if s.start_ns <= start_ns < s.end_ns]
        ahead_ns, drift = sum(s.ahead_ns(start_ns) for s in on), sum(s.drift for s in on)
        begun = [s.observed_ms for s in on if s.start_ns == start_ns]
        pieces = [(start_ns, ahead_ns, drift)]
        if one_clock and (shown_ns > ahead_ns + 1 or drift < -1.0):
            pieces = _standing(start_ns, end_ns, shown_ns, ahead_ns, drift)
        for number, (from_ns, off_ns, gains) in enumerate(pieces):
            to_ns = pieces[number + 1][0] if number + 1 < len(pieces) else end_ns
            if off_ns or gains:
                yield ClockSpan(
                    node=node,
                    start_ns=from_ns,
                    end_ns=None if to_ns == _NEVER_NS else to_ns,
                    offset_ms=round(off_ns / NS_PER_MS, 6),
                    drift_ppm=round(gains * PPM, 3),
                    clock=clock,
                    observed_ms=begun[-1] if begun and number == 0 else None,
                )
            shown_ns = off_ns + gains * (to_ns - from_ns)


def _standing(
    start_ns: int, end_ns: int, shown_ns: float, ahead_ns: float, drift: float
) -> list[tuple[int, float, float]]:
    """Rule 3: until what it should show has caught up with what it shows, if it does. Drifts may
    add up to a clock that should run backwards: it stands as well."""
    rate = 1.0 + drift
    stands = (start_ns, max(shown_ns, ahead_ns), -1.0)
    if rate <= 0:
        return [stands]
    until_ns = start_ns + round((shown_ns - ahead_ns) / rate)
    if until_ns >= end_ns:
        return [stands]
    return [stands, (until_ns, ahead_ns + drift * (until_ns - start_ns), drift)]
