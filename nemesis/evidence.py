"""Evidence: did a fault do what it was meant to do, judged from what a probe measured.

Rules
1. A fault is in effect when measurement shows it on everything it was aimed at; what was ordered
   counts for nothing. The measurement is kept, so that a reader can disagree.
2. Cuts and delays show in a probe sent now; loss, duplication, reordering and throttling act on
   traffic and show in counters, compared with those from before the fault. So do lost and damaged
   records, lies, and crashed clients.
3. Faults add up: a link on which another fault is still in force says nothing against the undoing
   of this one.

Here are links and processes; `symptoms` has disks, clocks, clients and traitors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any

import msgspec

from nemesis.capabilities import LinkReading
from nemesis.faults import (
    Corrupt,
    Hold,
    Link,
    LinkFault,
    Lose,
    Partition,
    ProcessFault,
    Reorder,
    Slow,
    Throttle,
    link_names,
    tag,
)

Readings = Mapping[Link, LinkReading]

COUNTERS = ("forwarded", "dropped", "duplicated", "reordered", "delayed", "corrupted")

# A probe of a slow link must show this share of the mean: half of it leaves room for jitter, and
# of an exponential distribution the median is 0.69 of the mean, with a wide spread.
SLOW_SHARE = 0.5
SLOW_SHARE_EXPONENTIAL = 0.25


class Evidence(msgspec.Struct, frozen=True):
    """`observed` is JSON, as it goes into the history."""

    in_effect: bool
    observed: dict[str, Any]


def of_links(fault: LinkFault, before: Readings, now: Readings) -> Evidence:
    """Of a concrete fault of links; `before` was read before it was applied."""
    if isinstance(fault, Partition | Hold):
        unread = [link for link in fault.links if link not in now]
        still_open = [link for link in fault.links if link in now and now[link].reachable]
        effect = bool(fault.links) and not still_open and not unread
        cut = len(fault.links) - len(still_open) - len(unread)
        return Evidence(effect, _drop_empty(cut=cut, still_open=link_names(still_open)))
    if isinstance(fault, Slow):
        return _of_delay(fault, now)
    counted = deltas(fault.links, before, now)
    return Evidence(counted[_counter(fault)] > 0, {"frames": counted})


def of_processes(fault: ProcessFault, states: Mapping[str, str]) -> Evidence:
    """Of a concrete fault of processes: all of them must be dead, or paused."""
    wanted = "dead" if tag(fault) == "kill" else "paused"
    return of_states(dict.fromkeys(fault.nodes, wanted), states)


def of_states(wanted: Mapping[str, str], states: Mapping[str, str]) -> Evidence:
    """Are these nodes in the states they should be in? Also of an undoing."""
    observed = {node: states.get(node, "unknown") for node in wanted}
    return Evidence(bool(wanted) and observed == dict(wanted), {"states": observed})


def of_healing(
    fault: LinkFault, expected: Iterable[Link], before: Readings, now: Readings
) -> Evidence:
    """Of the undoing of a fault of links: those that are `expected` to be open must be reachable.
    What the fault did to traffic over its whole life is told too."""
    unreachable = [link for link in expected if link not in now or not now[link].reachable]
    counted = deltas(fault.links, before, now)
    observed = _drop_empty(frames=counted, unreachable=link_names(unreachable))
    return Evidence(not unreachable, observed)


def deltas(links: Iterable[Link], before: Readings, now: Readings) -> dict[str, int]:
    """How the counters of these links grew, summed over the links."""
    both = [(before[link], now[link]) for link in links if link in before and link in now]
    return {
        name: sum(getattr(later, name) - getattr(earlier, name) for earlier, later in both)
        for name in COUNTERS
    }


def _of_delay(fault: Slow, now: Readings) -> Evidence:
    readings = [now[link] for link in fault.links if link in now]
    # A link through which nothing came within the probe's patience is slower than any number.
    delays_ms = [float("inf") if r.delay_ms is None else r.delay_ms for r in readings]
    middle_ms = median(delays_ms) if delays_ms else 0.0
    share = SLOW_SHARE_EXPONENTIAL if fault.distribution == "exponential" else SLOW_SHARE
    shown = None if middle_ms == float("inf") else round(middle_ms, 3)
    effect = bool(delays_ms) and middle_ms >= fault.mean_ms * share
    return Evidence(effect, {"median_delay_ms": shown, "links": len(delays_ms)})


def _counter(fault: LinkFault) -> str:
    if isinstance(fault, Lose):
        return "dropped"
    if isinstance(fault, Reorder):
        return "reordered"
    if isinstance(fault, Corrupt):
        return "corrupted"
    return "delayed" if isinstance(fault, Throttle) else "duplicated"


def _drop_empty(**observed: Any) -> dict[str, Any]:
    return {name: value for name, value in observed.items() if value != ()}
