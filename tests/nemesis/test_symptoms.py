"""What disks, clocks, clients and traitors show is judged by measurement, both ways."""

from __future__ import annotations

import typing
from typing import Literal

import msgspec
import pytest

from nemesis.capabilities import ClockReading, DiskReading, TraitorReading
from nemesis.faults import (
    Betray,
    CorruptDisk,
    DiskFault,
    FailDisk,
    FillDisk,
    LoseUnsynced,
    RemoveMember,
    SkewClock,
    SlowDisk,
    TruncateDisk,
    Upgrade,
)
from nemesis.symptoms import (
    is_right,
    of_clients,
    of_clocks,
    of_disks,
    of_former_versions,
    of_freed_disks,
    of_honesty,
    of_members,
    of_return,
    of_right_clocks,
    of_traitors,
    of_versions,
)

BOTH = ("n1", "n2")
CALM = DiskReading(full=False, sync_ms=1.0, lost=4, corrupted=2)
CALM_DISKS = {"n1": CALM, "n2": CALM, "n3": CALM}
DEAD = {"n1": "dead", "n2": "dead", "n3": "running"}
RIGHT = ClockReading(0.0, 1.0)


def disks(n1: DiskReading, n2: DiskReading) -> dict[str, DiskReading]:
    return {"n1": n1, "n2": n2, "n3": CALM}


def test_a_power_failure_is_dead_nodes_and_says_what_it_took() -> None:
    """Each of the nodes must be dead; lost records are told for each, none is needed."""
    fault = LoseUnsynced(nodes=BOTH)
    now = disks(DiskReading(full=False, sync_ms=1.0, lost=9, corrupted=2), CALM)
    found = of_disks(fault, CALM_DISKS, now, DEAD)
    assert found.in_effect
    assert found.observed == {"states": {"n1": "dead", "n2": "dead"}, "lost": {"n1": 5, "n2": 0}}
    assert not of_disks(fault, CALM_DISKS, now, DEAD | {"n2": "running"}).in_effect
    assert not of_disks(fault, CALM_DISKS, now, {"n1": "dead"}).in_effect


def test_damage_is_dead_nodes_with_more_corrupted_records() -> None:
    """Dead is not enough, nor is damage from before, nor that of one of two."""
    fault = CorruptDisk(nodes=BOTH)
    hurt = DiskReading(full=False, sync_ms=1.0, lost=4, corrupted=3)
    found = of_disks(fault, CALM_DISKS, disks(hurt, hurt), DEAD)
    assert found.in_effect
    assert found.observed["corrupted"] == {"n1": 1, "n2": 1}
    assert not of_disks(fault, CALM_DISKS, disks(hurt, CALM), DEAD).in_effect
    assert not of_disks(fault, CALM_DISKS, disks(hurt, hurt), DEAD | {"n1": "running"}).in_effect


def test_a_cut_end_is_dead_nodes_with_fewer_bytes() -> None:
    """Dead is not enough, nor is an end of one of two."""
    fault = TruncateDisk(nodes=BOTH)
    cut = msgspec.structs.replace(CALM, truncated=100)
    found = of_disks(fault, CALM_DISKS, disks(cut, cut), DEAD)
    assert found.in_effect
    assert found.observed["truncated"] == {"n1": 100, "n2": 100}
    assert not of_disks(fault, CALM_DISKS, disks(cut, CALM), DEAD).in_effect
    assert not of_disks(fault, CALM_DISKS, disks(cut, cut), DEAD | {"n2": "running"}).in_effect


def test_a_failing_disk_fails_a_probe_now_and_then() -> None:
    """All of them must, whether their nodes live or not; afterwards none that nobody else lets
    fail."""
    fault = FailDisk(nodes=BOTH, probability=0.5)
    failing = msgspec.structs.replace(CALM, failing=0.25)
    assert of_disks(fault, CALM_DISKS, disks(failing, failing), DEAD).in_effect
    assert not of_disks(fault, CALM_DISKS, disks(failing, CALM), {}).in_effect
    assert of_freed_disks(fault, BOTH, CALM_DISKS, CALM_DISKS).in_effect
    left = of_freed_disks(fault, BOTH, CALM_DISKS, disks(failing, CALM))
    assert (left.in_effect, left.observed) == (False, {"failing": ["n1"]})
    assert of_freed_disks(fault, ("n2",), CALM_DISKS, disks(failing, CALM)).in_effect


def test_a_full_disk_refuses_a_write() -> None:
    """All of them must; afterwards none that nobody else fills."""
    fault = FillDisk(nodes=BOTH)
    full = DiskReading(full=True, sync_ms=1.0, lost=4, corrupted=2)
    assert of_disks(fault, CALM_DISKS, disks(full, full), {}).in_effect
    assert not of_disks(fault, CALM_DISKS, disks(full, CALM), {}).in_effect
    assert of_freed_disks(fault, BOTH, CALM_DISKS, CALM_DISKS).in_effect
    left = of_freed_disks(fault, BOTH, CALM_DISKS, disks(full, CALM))
    assert not left.in_effect
    assert left.observed == {"full": ["n1"]}
    assert of_freed_disks(fault, ("n2",), CALM_DISKS, disks(full, CALM)).in_effect


@pytest.mark.parametrize(("sync_ms", "effect"), [(30.0, True), (24.0, False), (1.0, False)])
def test_a_slow_disk_shows_in_its_syncs(sync_ms: float, *, effect: bool) -> None:
    """A quarter of the mean, since single draws of an exponential distribution spread widely."""
    fault = SlowDisk(nodes=BOTH, mean_ms=100.0)
    slow = DiskReading(full=False, sync_ms=sync_ms, lost=4, corrupted=2)
    found = of_disks(fault, CALM_DISKS, disks(slow, slow), {})
    assert found.in_effect is effect
    assert found.observed == {"median_sync_ms": sync_ms, "disks": 2}


def test_a_disk_is_fast_again_or_as_slow_as_it_was() -> None:
    """Below half of the mean, or no slower than before; what still is slow is named."""
    fault = SlowDisk(nodes=BOTH, mean_ms=100.0)
    slow = DiskReading(full=False, sync_ms=80.0, lost=4, corrupted=2)
    assert of_freed_disks(fault, BOTH, CALM_DISKS, CALM_DISKS).in_effect
    assert of_freed_disks(fault, BOTH, disks(slow, slow), disks(slow, slow)).in_effect
    assert of_freed_disks(fault, BOTH, CALM_DISKS, disks(CALM, slow)).observed == {"slow": ["n2"]}


def test_an_unread_disk_proves_nothing() -> None:
    """Neither that it is struck nor that it is free; nor does a fault of nobody."""
    for fault in typing.get_args(DiskFault):
        assert not of_disks(fault(nodes=("n9",)), CALM_DISKS, CALM_DISKS, DEAD).in_effect
        assert not of_disks(fault(), CALM_DISKS, CALM_DISKS, DEAD).in_effect
    assert not of_freed_disks(FillDisk(), ("n9",), CALM_DISKS, CALM_DISKS).in_effect
    assert not of_freed_disks(SlowDisk(), ("n9",), CALM_DISKS, CALM_DISKS).in_effect


@pytest.mark.parametrize(
    ("fault", "before", "now", "effect"),
    [
        (SkewClock(offset_ms=800.0), RIGHT, ClockReading(800.0, 1.0), True),
        (SkewClock(offset_ms=800.0), RIGHT, ClockReading(300.0, 1.0), False),
        (SkewClock(offset_ms=800.0), RIGHT, ClockReading(-800.0, 1.0), False),
        (SkewClock(offset_ms=800.0), ClockReading(800.0, 1.0), ClockReading(800.0, 1.0), False),
        (SkewClock(offset_ms=-800.0), RIGHT, ClockReading(-3.0, 0.0), True),
        (SkewClock(offset_ms=-800.0), RIGHT, ClockReading(-800.0, 1.0), True),
        (SkewClock(offset_ms=-800.0), RIGHT, ClockReading(-3.0, 1.0), False),
        (SkewClock(drift=0.2), RIGHT, ClockReading(1.0, 1.2), True),
        (SkewClock(drift=0.2), ClockReading(0.0, 1.2), ClockReading(9.0, 1.4), True),
        (SkewClock(drift=0.2), ClockReading(0.0, 1.2), ClockReading(9.0, 1.2), False),
        (SkewClock(drift=0.2), RIGHT, RIGHT, False),
        (SkewClock(drift=0.2), ClockReading(500.0, 0.0), ClockReading(450.0, 1.0), False),
        (SkewClock(drift=-0.5), RIGHT, ClockReading(-1.0, 0.5), True),
        (SkewClock(drift=-0.5), RIGHT, ClockReading(1.0, 1.5), False),
        (SkewClock(offset_ms=800.0, drift=0.2), RIGHT, ClockReading(800.0, 1.0), False),
        (SkewClock(offset_ms=800.0, drift=0.2), RIGHT, ClockReading(801.0, 1.2), True),
        (SkewClock(offset_ms=-800.0, drift=0.2), RIGHT, ClockReading(-1.0, 0.0), True),
    ],
)
def test_a_clock_shows_its_offset_and_its_drift(
    fault: SkewClock, before: ClockReading, now: ClockReading, *, effect: bool
) -> None:
    """Each that was ordered, in its direction, beyond what was there; one that stands still was
    set back."""
    fault = SkewClock(offset_ms=fault.offset_ms, drift=fault.drift, nodes=("n1",))
    found = of_clocks(fault, {"n1": before}, {"n1": now})
    assert found.in_effect is effect
    assert found.observed["clocks"]["n1"] == {"offset_ms": now.offset_ms, "rate": now.rate}


@pytest.mark.parametrize(
    ("clock", "now", "effect"),
    [
        ("monotonic", ClockReading(0.0, 1.0, 800.0), True),
        ("monotonic", ClockReading(800.0, 1.0, 0.0), False),
        ("wall", ClockReading(800.0, 1.0, 0.0), True),
        ("wall", ClockReading(0.0, 1.0, 800.0), False),
        ("monotonic", ClockReading(800.0, 1.0), True),  # one clock for everything
    ],
)
def test_a_skew_shows_in_the_clock_that_it_means(
    clock: Literal["wall", "monotonic"], now: ClockReading, *, effect: bool
) -> None:
    """A node with two clocks shows it in that one, one with a single clock in that; both must be
    right again."""
    fault = SkewClock(offset_ms=800.0, clock=clock, nodes=("n1",))
    before = ClockReading(0.0, 1.0, None if now.monotonic_ms is None else 0.0)
    assert of_clocks(fault, {"n1": before}, {"n1": now}).in_effect is effect
    assert is_right(before)
    assert not is_right(now)


def test_a_removed_member_is_dead_and_no_member() -> None:
    """Both, for each; where nobody answers nothing is known, which proves neither."""
    fault = RemoveMember(nodes=BOTH)
    out = {"n1": False, "n2": False, "n3": True}
    assert of_members(fault, out, DEAD).in_effect
    assert not of_members(fault, out | {"n2": True}, DEAD).in_effect
    assert not of_members(fault, out, DEAD | {"n2": "running"}).in_effect
    assert not of_members(fault, {}, DEAD).in_effect
    assert of_members(fault, {}, DEAD).observed["members"] == {"n1": None, "n2": None}
    assert not of_members(RemoveMember(), out, DEAD).in_effect
    assert of_return(("n3",), out).in_effect
    assert not of_return(BOTH, out | {"n1": True}).in_effect
    assert not of_return(BOTH, {}).in_effect


def test_an_upgrade_shows_in_the_options_of_the_last_start() -> None:
    """Those that it names, on every node; undone, the former ones are back, unless it stays."""
    fault = Upgrade(nodes=BOTH, options={"version": "2"}, stays=False)
    old, new = {"version": "1", "reads": "log"}, {"version": "2", "reads": "log"}
    before, now = {"n1": old, "n2": old}, {"n1": new, "n2": new}
    assert of_versions(fault, now).in_effect
    assert of_versions(fault, now).observed["options"]["n1"] == {"version": "2"}
    assert not of_versions(fault, now | {"n2": old}).in_effect
    assert not of_versions(fault, {"n1": new}).in_effect
    assert of_former_versions(fault, BOTH, before, before).in_effect
    assert not of_former_versions(fault, BOTH, before, before | {"n2": new}).in_effect
    assert of_former_versions(fault, ("n1",), before, before | {"n2": new}).in_effect
    staying = Upgrade(nodes=BOTH, options={"version": "2"})
    assert of_former_versions(staying, BOTH, before, now).in_effect


def test_every_clock_must_be_read() -> None:
    """One of two is not both, and none is nothing."""
    ahead = ClockReading(500.0, 1.0)
    both = SkewClock(offset_ms=500.0, nodes=BOTH)
    assert of_clocks(both, {"n1": RIGHT, "n2": RIGHT}, {"n1": ahead, "n2": ahead}).in_effect
    assert not of_clocks(both, {"n1": RIGHT, "n2": RIGHT}, {"n1": ahead}).in_effect
    assert not of_clocks(SkewClock(offset_ms=500.0), {}, {}).in_effect


def test_a_clock_is_right_again_or_on_its_way() -> None:
    """One that stands still because it is ahead is on its way, which is not yet right; one that is
    behind, or goes on at a wrong pace, is neither."""
    waits, behind, fast = (
        ClockReading(900.0, 0.0),
        ClockReading(-900.0, 1.0),
        ClockReading(0.0, 1.2),
    )
    assert is_right(RIGHT)
    assert [is_right(clock) for clock in (waits, behind, fast)] == [False] * 3
    assert of_right_clocks(["n1"], {"n1": waits}, on_the_way=True).in_effect
    assert not of_right_clocks(["n1"], {"n1": waits}).in_effect
    for wrong in (behind, fast, ClockReading(-900.0, 0.0)):
        assert not of_right_clocks(["n1"], {"n1": wrong}, on_the_way=True).in_effect
    assert not of_right_clocks(["n1"], {}).in_effect


def test_crashed_clients_are_counted() -> None:
    """Those from before do not count."""
    assert of_clients(3, 5).in_effect
    assert of_clients(3, 5).observed == {"crashed": 2}
    assert not of_clients(3, 3).in_effect


def test_a_betrayal_is_a_lie() -> None:
    """One of its nodes has lied since it began; lies of others, or from before, are none of its."""
    before = {"n1": TraitorReading(5), "n2": TraitorReading(0), "n3": TraitorReading(1)}
    lied = before | {"n2": TraitorReading(2)}
    assert of_traitors(Betray(nodes=BOTH), before, lied).in_effect
    assert of_traitors(Betray(nodes=BOTH), before, lied).observed == {"lies": {"n1": 0, "n2": 2}}
    assert not of_traitors(Betray(nodes=BOTH), before, before).in_effect
    others = before | {"n3": TraitorReading(9)}
    assert not of_traitors(Betray(nodes=BOTH), before, others).in_effect
    assert of_honesty(BOTH, before, others).in_effect
    assert not of_honesty(BOTH, before, lied).in_effect
