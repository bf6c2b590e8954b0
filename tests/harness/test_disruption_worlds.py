"""Faults of disks, clocks, held links, clients and traitors are carried out, proved and undone, and
overlap with all others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from checkers.faults import fault_intervals
from checkers.history import History
from nemesis.faults import (
    Betray,
    Corrupt,
    CorruptDisk,
    CrashClients,
    FailDisk,
    Fault,
    FillDisk,
    Hold,
    LoseUnsynced,
    RemoveMember,
    SkewClock,
    SlowDisk,
    TruncateDisk,
    Upgrade,
    tag,
    undo_name,
)
from nemesis.ledger import FaultEntry, open_entries
from tests.harness.fake_cluster import (
    FakeCluster,
    Stage,
    one_by_one,
    outcomes,
    played,
)

N1 = ("n1",)
NEW: tuple[Fault, ...] = (
    Hold(target="n1", direction="out"),
    Corrupt(),
    LoseUnsynced(target="leaders"),
    CorruptDisk(target="n1", records=2),
    FillDisk(target="n1"),
    SlowDisk(target="n1"),
    SkewClock(target="n1", offset_ms=700.0),
    CrashClients(share=0.3),
    Betray(target="n1"),
    TruncateDisk(target="n1", bytes=9),
    FailDisk(target="n1", probability=0.5),
    RemoveMember(target="n1"),
    Upgrade(target="n1", options={"version": "2"}, stays=False),
)


@pytest.mark.parametrize(
    ("fault", "shown", "gone"),
    [
        (NEW[0], {"cut": 4}, {}),
        (NEW[1], {}, {}),
        (
            NEW[2],
            {"states": {"n2": "dead"}, "lost": {"n2": 3}},
            {"states": {"n2": "running"}},
        ),
        (
            NEW[3],
            {"states": {"n1": "dead"}, "corrupted": {"n1": 2}},
            {"states": {"n1": "running"}},
        ),
        (NEW[4], {"full": {"n1": True}}, {"states": {"n1": "running"}, "full": []}),
        (NEW[5], {"median_sync_ms": 101.0, "disks": 1}, {"slow": []}),
        (
            NEW[6],
            {"clocks": {"n1": {"offset_ms": 700.0, "rate": 1.0}}},
            {"clocks": {"n1": {"offset_ms": 0.0, "rate": 1.0}}},
        ),
        (NEW[7], {"crashed": 3}, {}),
        (NEW[8], {"lies": {"n1": 1}}, {"lies": {"n1": 0}}),
        (
            NEW[9],
            {"states": {"n1": "dead"}, "truncated": {"n1": 9}},
            {"states": {"n1": "running"}},
        ),
        (NEW[10], {"failing": {"n1": 0.5}}, {"states": {"n1": "running"}, "failing": []}),
        (
            NEW[11],
            {"states": {"n1": "dead"}, "members": {"n1": False}},
            {"states": {"n1": "running"}, "members": {"n1": True}},
        ),
        (
            NEW[12],
            {"options": {"n1": {"version": "2"}}},
            {"states": {"n1": "running"}, "options": {"n1": {"version": "1"}}},
        ),
    ],
    ids=[tag(fault) for fault in NEW],
)
def test_each_fault_is_shown_in_force_and_shown_gone(
    tmp_path: Path, fault: Fault, shown: dict[str, Any], gone: dict[str, Any]
) -> None:
    """What probes saw while it was in force and after it was undone stands in the history."""
    stage = played(tmp_path, one_by_one(fault))
    (did, in_effect, seen), (undid, undone, left) = outcomes(stage)
    frames = seen.pop("frames", {"corrupted": 1})
    left.pop("frames", None)
    assert (did, in_effect, seen) == (tag(fault), True, shown)
    assert (undid, undone, left) == (undo_name(fault), True, gone)
    assert frames["corrupted"] > 0
    assert stage.cluster.whole
    assert stage.disruption.troubles == ()
    assert open_entries(stage.path) == []


def test_every_inverse_is_in_the_ledger_before_its_fault(tmp_path: Path) -> None:
    """At the moment of applying, what undoes the fault is on disk, with whom it struck."""
    cluster = FakeCluster()
    stage = Stage(tmp_path, cluster, one_by_one(*NEW))
    seen: list[tuple[str, str, tuple[str, ...]]] = []

    async def spy(name: str) -> None:
        if name.endswith(("apply", "crash")):
            (entry,) = [e for e in open_entries(stage.path) if isinstance(e, FaultEntry)]
            seen.append((tag(entry.fault), entry.undo.kind, entry.undo.on[:1]))

    cluster.on_call = spy
    stage.run()
    assert seen == [
        ("hold", "release", ("n1>n2",)),
        ("corrupt", "heal", ("n1>n2",)),
        ("lose-unsynced", "restart", ("n2",)),
        ("corrupt-disk", "restart", N1),
        ("fill-disk", "free", N1),
        ("slow-disk", "heal", N1),
        ("skew-clock", "heal", N1),
        ("crash-clients", "heal", ("client",)),
        ("betray", "heal", N1),
        ("truncate-disk", "restart", N1),
        ("fail-disk", "heal", N1),
        ("remove-member", "add-member", N1),
        ("upgrade", "downgrade", N1),
    ]


def test_a_cluster_that_only_claims_is_found_out(tmp_path: Path) -> None:
    """Nothing is raised and nothing happens: none is in effect, by measurement."""
    cluster = FakeCluster()
    cluster.lying = True
    stage = played(tmp_path, one_by_one(*NEW), cluster)
    intervals = fault_intervals(History(stage.operations))
    assert [(i.kind, i.in_effect) for i in intervals] == [(tag(f), False) for f in NEW]


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("disks.apply", NEW[2]),
        ("disks.apply", NEW[4]),
        ("disks.measure", NEW[5]),
        ("clocks.apply", NEW[6]),
        ("clients.crash", NEW[7]),
        ("traitors.apply", NEW[8]),
        ("disks.apply", NEW[10]),
        ("members.apply", NEW[11]),
        ("versions.apply", NEW[12]),
    ],
)
def test_a_fault_that_raises_is_cleaned_up(tmp_path: Path, call: str, fault: Fault) -> None:
    """Applied in part, then raised: undone at once, told as not in effect, reported."""
    cluster = FakeCluster()
    cluster.failing[call] = OSError("no such luck")
    stage = Stage(tmp_path, cluster, one_by_one(fault))

    async def only_now(name: str) -> None:
        if "undo" in name:  # or the measurements of the final heal would fail too
            cluster.failing.clear()

    cluster.on_call = only_now
    stage.run()
    did, in_effect, seen = outcomes(stage)[0]
    assert (did, in_effect, seen) == (tag(fault), False, {"error": "OSError: no such luck"})
    assert any("no such luck" in trouble for trouble in stage.disruption.troubles)
    assert cluster.whole
    assert open_entries(stage.path) == []


@pytest.mark.parametrize(
    ("capability", "fault"),
    [
        *(("disks", NEW[4]), ("clocks", NEW[6]), ("clients", NEW[7]), ("traitors", NEW[8])),
        *(("members", NEW[11]), ("versions", NEW[12])),
    ],
)
def test_what_the_cluster_does_not_offer_is_told_and_breaks_nothing(
    tmp_path: Path, capability: str, fault: Fault
) -> None:
    """Such a run is refused beforehand; where nobody asked, the fault fails with its reason."""
    cluster = FakeCluster()
    setattr(cluster, capability, None)
    stage = Stage(tmp_path, cluster, one_by_one(fault))
    stage.run()
    sentence = f"this cluster offers no {capability} to break, as {tag(fault)} needs"
    assert any(sentence in trouble for trouble in stage.disruption.troubles)
    assert not outcomes(stage)[0][1]
