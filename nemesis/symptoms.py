"""Evidence of faults of disks, clocks, clients, traitors, members and versions, judged as
`evidence` judges links.

Rules
1. A power failure shows in dead nodes. What it took is told and not asked for: a system that syncs
   each write before the next has nothing to lose.
2. A clock shows the share CLOCK_SHARE of what was ordered, in its direction. One that stands still
   because it was set back shows that it was: its offset comes as it stands.
3. A record that was damaged stays so. That a node with such a record does not run again is no
   failure to heal it; it is told as lost (see harness.breaker).
4. Silence proves honesty only while messages flow; so two readings are compared, and a node that
   sends nothing between them passes.
5. A node is a member or not by what a majority of those that answer says. Where none answers,
   nothing is known of anybody, which proves neither.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from statistics import median

from nemesis.capabilities import ClockReading, DiskReading, TraitorReading
from nemesis.evidence import SLOW_SHARE, SLOW_SHARE_EXPONENTIAL, Evidence
from nemesis.faults import (
    Betray,
    ClockFault,
    CorruptDisk,
    DiskFault,
    FailDisk,
    FillDisk,
    LoseUnsynced,
    MemberFault,
    SlowDisk,
    TruncateDisk,
    VersionFault,
)

DiskReadings = Mapping[str, DiskReading]
ClockReadings = Mapping[str, ClockReading]
TraitorReadings = Mapping[str, TraitorReading]
Memberships = Mapping[str, bool]
Versions = Mapping[str, Mapping[str, str]]

CLOCK_SHARE = 0.5
CLOCK_OFF_MS = 10.0  # a clock within this of the right time is right; probes are no better
RATE_OFF = 0.01


def of_disks(
    fault: DiskFault, before: DiskReadings, now: DiskReadings, states: Mapping[str, str]
) -> Evidence:
    """Of a concrete fault of disks; `states` as the operating system reports them now."""
    unread = [node for node in fault.nodes if node not in now or node not in before]
    if unread or not fault.nodes:
        return Evidence(in_effect=False, observed={"unread": unread})
    match fault:
        case LoseUnsynced():
            dead, seen = _dead(fault.nodes, states)
            lost = {node: now[node].lost - before[node].lost for node in fault.nodes}
            return Evidence(dead, {"states": seen, "lost": lost})
        case CorruptDisk():
            dead, seen = _dead(fault.nodes, states)
            hurt = {node: now[node].corrupted - before[node].corrupted for node in fault.nodes}
            return Evidence(dead and min(hurt.values()) > 0, {"states": seen, "corrupted": hurt})
        case TruncateDisk():
            dead, seen = _dead(fault.nodes, states)
            gone = {node: now[node].truncated - before[node].truncated for node in fault.nodes}
            return Evidence(dead and min(gone.values()) > 0, {"states": seen, "truncated": gone})
        case FillDisk():
            full = {node: now[node].full for node in fault.nodes}
            return Evidence(all(full.values()), {"full": full})
        case FailDisk():
            failing = {node: round(now[node].failing, 3) for node in fault.nodes}
            return Evidence(all(now[node].failing > 0 for node in failing), {"failing": failing})
    middle_ms = median(now[node].sync_ms for node in fault.nodes)
    effect = middle_ms >= fault.mean_ms * SLOW_SHARE_EXPONENTIAL
    return Evidence(effect, {"median_sync_ms": round(middle_ms, 3), "disks": len(fault.nodes)})


def of_freed_disks(
    fault: FillDisk | FailDisk | SlowDisk,
    expected: Collection[str],
    before: DiskReadings,
    now: DiskReadings,
) -> Evidence:
    """Of the undoing: the disks of the `expected` nodes have room, work, or have their speed
    again."""
    read = {node: now[node] for node in expected if node in now}
    if isinstance(fault, FillDisk):
        full = [node for node in expected if node not in read or read[node].full]
        return Evidence(not full, {"full": full})
    if isinstance(fault, FailDisk):
        failing = [node for node in expected if node not in read or read[node].failing > 0]
        return Evidence(not failing, {"failing": failing})
    least_ms = fault.mean_ms * SLOW_SHARE
    slow = [
        node
        for node in expected
        if node not in read
        or read[node].sync_ms > max(least_ms, before[node].sync_ms if node in before else 0.0)
    ]
    return Evidence(not slow, {"slow": slow})


def of_clocks(fault: ClockFault, before: ClockReadings, now: ClockReadings) -> Evidence:
    """Of a concrete fault of clocks."""
    read = [node for node in fault.nodes if node in before and node in now]
    shown = [node for node in read if _skewed(fault, before[node], now[node])]
    effect = bool(fault.nodes) and len(shown) == len(fault.nodes)
    return Evidence(effect, {"clocks": _told(now, fault.nodes)})


def of_right_clocks(
    expected: Collection[str], now: ClockReadings, *, on_the_way: bool = False
) -> Evidence:
    """Do these clocks show the right time and go on at its pace? `on_the_way`: one that is ahead
    and stands still until that time has come will do."""
    wrong = [
        node
        for node in expected
        if node not in now or not (is_right(now[node]) or (on_the_way and _waits(now[node])))
    ]
    return Evidence(not wrong, {"clocks": _told(now, expected)})


def is_right(clock: ClockReading) -> bool:
    off_ms = max(abs(clock.offset_ms), abs(clock.monotonic_ms or 0.0))
    return off_ms <= CLOCK_OFF_MS and abs(clock.rate - 1.0) <= RATE_OFF


def of_clients(crashed_before: int, crashed: int) -> Evidence:
    """Of a crash of clients."""
    return Evidence(crashed > crashed_before, {"crashed": crashed - crashed_before})


def of_traitors(fault: Betray, before: TraitorReadings, now: TraitorReadings) -> Evidence:
    """Of a betrayal: its nodes, taken together, have lied since it began."""
    lies = _lies(fault.nodes, before, now)
    return Evidence(sum(lies.values()) > 0, {"lies": lies})


def of_honesty(
    expected: Collection[str], first: TraitorReadings, second: TraitorReadings
) -> Evidence:
    """Of the undoing: none of the `expected` nodes lied between the two readings."""
    lies = _lies(expected, first, second)
    return Evidence(not any(lies.values()), {"lies": lies})


def of_members(fault: MemberFault, now: Memberships, states: Mapping[str, str]) -> Evidence:
    """Of a removal: the nodes are dead, and no members."""
    dead, seen = _dead(fault.nodes, states)
    members = _memberships(fault.nodes, now)
    out = bool(fault.nodes) and all(is_one is False for is_one in members.values())
    return Evidence(dead and out, {"states": seen, "members": members})


def of_return(expected: Collection[str], now: Memberships) -> Evidence:
    """Of the undoing: the `expected` nodes are members."""
    members = _memberships(expected, now)
    return Evidence(all(members.values()), {"members": members})


def of_versions(fault: VersionFault, now: Versions) -> Evidence:
    """Of a concrete upgrade: each of the nodes was last started with its options."""
    shown = {node: _picked(fault.options, now.get(node, {})) for node in fault.nodes}
    effect = bool(shown) and all(options == fault.options for options in shown.values())
    return Evidence(effect, {"options": shown})


def of_former_versions(
    fault: VersionFault, expected: Collection[str], before: Versions, now: Versions
) -> Evidence:
    """Of the undoing, where there is one: none of the `expected` nodes still has the options of
    the fault, unless it had them before."""
    shown = {node: _picked(fault.options, now.get(node, {})) for node in expected}
    anew = [n for n in shown if _picked(fault.options, before.get(n, {})) != fault.options]
    gone = all(shown[node] != fault.options for node in anew)
    return Evidence(fault.stays or gone, {"options": shown})


def _dead(nodes: Collection[str], states: Mapping[str, str]) -> tuple[bool, dict[str, str]]:
    seen = {node: states.get(node, "unknown") for node in nodes}
    return set(seen.values()) == {"dead"}, seen


def _memberships(nodes: Collection[str], now: Memberships) -> dict[str, bool | None]:
    """None where nothing is known."""
    return {node: now.get(node) for node in nodes}


def _picked(names: Collection[str], options: Mapping[str, str]) -> dict[str, str]:
    return {name: options[name] for name in names if name in options}


def _lies(nodes: Collection[str], before: TraitorReadings, now: TraitorReadings) -> dict[str, int]:
    read = [node for node in nodes if node in before and node in now]
    return {node: now[node].lies - before[node].lies for node in read}


def _skewed(fault: ClockFault, before: ClockReading, now: ClockReading) -> bool:
    set_back = fault.offset_ms < 0 and now.rate == 0
    moved_ms = _offset_ms(fault, now) - _offset_ms(fault, before)
    gained = now.rate - (before.rate or 1.0)  # of one that stood still nothing is known
    jumped = set_back or _shows(fault.offset_ms, moved_ms)
    return jumped and (set_back or _shows(fault.drift, gained))


def _offset_ms(fault: ClockFault, clock: ClockReading) -> float:
    """Of the clock that the fault means."""
    if fault.clock == "monotonic" and clock.monotonic_ms is not None:
        return clock.monotonic_ms
    return clock.offset_ms


def _shows(ordered: float, measured: float) -> bool:
    """Is there enough of it, in the direction of the order? Of nothing, anything is."""
    return ordered == 0 or measured / ordered >= CLOCK_SHARE


def _waits(clock: ClockReading) -> bool:
    return clock.rate == 0 and clock.offset_ms > 0


def _told(now: ClockReadings, nodes: Collection[str]) -> dict[str, dict[str, float]]:
    return {node: _numbers(now[node]) for node in nodes if node in now}


def _numbers(clock: ClockReading) -> dict[str, float]:
    told = {"offset_ms": round(clock.offset_ms, 3), "rate": round(clock.rate, 6)}
    if clock.monotonic_ms is not None:
        told["monotonic_ms"] = round(clock.monotonic_ms, 3)
    return told
