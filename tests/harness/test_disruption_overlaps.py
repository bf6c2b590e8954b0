"""Faults of all kinds over one another: undoing one leaves the others, and nothing stays."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.faults import fault_intervals, healed_at
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
    Kill,
    LoseUnsynced,
    Partition,
    Pause,
    RemoveMember,
    SkewClock,
    Slow,
    SlowDisk,
    TruncateDisk,
    Upgrade,
    tag,
    undo_name,
)
from nemesis.ledger import open_entries
from nemesis.schedule import Schedule, Step, decode, encode, mistakes_of
from tests.harness.fake_cluster import (
    NODES,
    FakeCluster,
    Stage,
    nested,
    one_by_one,
    outcomes,
    played,
)

N1 = ("n1",)
NEWER = {"version": "2"}
ANY: tuple[Fault, ...] = (
    *(Hold(target="n1"), Corrupt(), SlowDisk(target="n1"), CrashClients(), Betray(target="n1")),
    *(SkewClock(target="n1", offset_ms=700.0), SkewClock(target="n1,n2", drift=-0.5)),
    *(
        Partition(topology="isolate", target="n1"),
        Slow(),
        Kill(target="n1,n2"),
        Pause(target="all"),
    ),
    *(Kill(target="leaders"), LoseUnsynced(target="all"), FillDisk(target="n1,n2"), CorruptDisk()),
    *(TruncateDisk(), FailDisk(target="n2,n3"), RemoveMember(target="n1")),
    *(Upgrade(target="n1,n2", options=NEWER, stays=False), Upgrade(target="n1", options=NEWER)),
)
UNDOINGS = {undo_name(fault) for fault in ANY}


def test_what_holds_a_node_dead_adds_up(tmp_path: Path) -> None:
    """Killed, without power and damaged: it runs again when the last of them is undone, and is
    paused then, for that was never undone."""
    faults = (Pause(nodes=N1), Kill(nodes=N1), LoseUnsynced(nodes=N1), CorruptDisk(nodes=N1))
    stage = played(tmp_path, nested(*faults, stops=(2, 4, 3, 1)))
    assert [(f, effect, seen["states"]["n1"]) for f, effect, seen in outcomes(stage)] == [
        ("pause", True, "paused"),
        ("kill", True, "dead"),
        ("lose-unsynced", True, "dead"),
        ("corrupt-disk", True, "dead"),
        ("restart", True, "dead"),
        ("restart", True, "dead"),
        ("restart", True, "paused"),
        ("resume", True, "running"),
    ]


def test_who_died_of_a_full_disk_runs_when_there_is_room(tmp_path: Path) -> None:
    """Freeing the disk starts it, but not while somebody else holds it dead."""
    cluster = FakeCluster()
    cluster.disks.mortal = {"n1"}
    full, kill = FillDisk(nodes=("n1", "n2")), Kill(nodes=("n2",))
    stage = played(tmp_path, nested(full, kill, stops=(1, 2)), cluster)
    assert outcomes(stage)[0] == ("fill-disk", True, {"full": {"n1": True, "n2": True}})
    freed = ("free", True, {"states": {"n1": "running", "n2": "dead"}, "full": []})
    assert outcomes(stage)[2] == freed
    assert cluster.whole


def test_a_restart_into_a_full_disk_is_nobodys_trouble(tmp_path: Path) -> None:
    """The kill is undone, and the node dies of its disk at once: that is the other fault."""
    cluster = FakeCluster()
    cluster.disks.mortal = {"n1"}
    stage = played(tmp_path, nested(Kill(nodes=N1), FillDisk(nodes=N1), stops=(1, 2)), cluster)
    assert outcomes(stage)[2] == ("restart", True, {"states": {}})
    assert outcomes(stage)[3] == ("free", True, {"states": {"n1": "running"}, "full": []})
    assert stage.disruption.troubles == ()


@pytest.mark.parametrize(
    "fault",
    [
        FillDisk(nodes=N1),
        SlowDisk(nodes=N1),
        SkewClock(offset_ms=400.0, nodes=N1),
        SkewClock(drift=0.5, nodes=N1),
        Betray(nodes=N1),
        Hold(links=(("n1", "n2"),)),
    ],
    ids=tag,
)
def test_undoing_one_leaves_the_other(tmp_path: Path, fault: Fault) -> None:
    """Two of a kind on one node: what the second still does says nothing against undoing the
    first, and the second is gone when it is undone itself."""
    stage = Stage(tmp_path, FakeCluster(), nested(fault, fault, stops=(1, 2)))
    held: list[int] = []

    async def count(name: str) -> None:
        if name.endswith("undo"):
            cluster = stage.cluster
            parts = (cluster.held, cluster.disks.held, cluster.clocks.held, cluster.traitors.held)
            held.append(sum(len(part) for part in parts))

    stage.cluster.on_call = count
    stage.run()
    assert [effect for _, effect, _ in outcomes(stage)] == [True] * 4
    assert held == [2, 1]
    assert stage.cluster.whole


def test_a_node_that_refuses_its_damaged_disk_is_lost_and_the_rest_is_healed(
    tmp_path: Path,
) -> None:
    """It does not run again, and is right: its own undoing shows it; a later kill of everyone is
    undone for the others; the final heal finds them well, names it, and a notice says so."""
    cluster = FakeCluster()
    cluster.refusing = {"n3"}
    schedule = one_by_one(CorruptDisk(target="n3"), Kill(target="all"), Hold(target="n1"))
    stage = played(tmp_path, schedule, cluster)
    assert outcomes(stage)[1] == ("restart", False, {"states": {"n3": "dead"}})
    others = dict.fromkeys(("n1", "n2", "n4", "n5"), "running")
    assert outcomes(stage)[3] == ("restart", True, {"states": others, "lost": ["n3"]})
    assert cluster.state == {**others, "n3": "dead"}
    final = stage.operations[-1].value
    assert final["in_effect"] is True
    assert (final["observed"]["lost"], final["observed"]["states"]) == (["n3"], {})
    (notice,) = stage.disruption.troubles
    assert notice.startswith("n3 did not run again after its disk was damaged: it counts as lost")
    history = History(stage.operations)
    healed = healed_at(history)
    assert healed is not None
    assert healed.index == stage.operations[-1].index
    assert all(interval.end_ns is not None for interval in fault_intervals(history))
    assert asyncio.run(stage.disruption.heal()) == []
    assert open_entries(stage.path) == []


def test_a_dead_node_whose_disk_nobody_damaged_is_still_an_ill(tmp_path: Path) -> None:
    """To refuse a start after a mere power failure is no right of a node."""
    cluster = FakeCluster()
    cluster.disks.corrupted["n3"] = 1
    cluster.refusing = {"n3"}
    stage = played(tmp_path, one_by_one(LoseUnsynced(target="n3")), cluster)
    assert "after the final heal node n3 is dead" in stage.disruption.troubles
    assert stage.operations[-1].value["in_effect"] is False
    assert healed_at(History(stage.operations)) is None


def test_intended_damage_spares_a_majority(tmp_path: Path) -> None:
    """Four times somebody who can be spared: two of five, of whom nobody runs again."""
    cluster = FakeCluster()
    cluster.refusing = set(cluster.nodes)
    stage = played(tmp_path, one_by_one(*[CorruptDisk()] * 4), cluster)
    assert sum(state == "dead" for state in cluster.state.values()) == 2
    assert [effect for f, effect, _ in outcomes(stage) if f == "corrupt-disk"] == [True] * 4
    assert stage.operations[-1].value["in_effect"] is True


def test_the_final_heal_finds_full_disks_and_wrong_clocks(tmp_path: Path) -> None:
    """What no undoing took away is said, each with its node, and nothing is called healed."""
    cluster = FakeCluster()
    cluster.disks.held[99] = FillDisk(nodes=("n2",))
    cluster.clocks.held[99] = SkewClock(offset_ms=4000.0, nodes=("n4",))
    stage = played(tmp_path, Schedule(1.0), cluster)
    assert stage.disruption.troubles == (
        "after the final heal the disk of n2 is full",
        "after the final heal the clock of n4 is +4000 ms off, at rate 1",
    )
    assert stage.operations[-1].value["in_effect"] is False


def test_held_links_isolate_like_cut_ones(tmp_path: Path) -> None:
    """Whoever is held from a majority is isolated, for the faults that aim at that."""
    schedule = nested(Hold(target="n4"), Kill(target="isolated"), stops=(2, 1))
    stage = played(tmp_path, schedule)
    assert stage.lines("kill")[-1]["applied"]["nodes"] == ["n4"]


@st.composite
def overlapping(draw: st.DrawFn) -> Schedule:
    """Up to eight faults of any kinds that start and stop in any order; some never stop."""
    faults = draw(st.lists(st.sampled_from(ANY), min_size=1, max_size=8))
    moments = st.integers(1, 40)
    steps: list[Step] = []
    for i, fault in enumerate(faults, start=1):
        start, stop = sorted(draw(st.tuples(moments, moments)))
        steps.append(Step(start / 4, i, "start", fault))
        if draw(st.booleans()):
            steps.append(Step(stop / 4, i, "stop"))
    steps.sort(key=lambda step: (step.at_s, step.action == "stop"))
    return Schedule(12.0, draw(st.integers(0, 99)), tuple(steps))


@settings(deadline=None, max_examples=60)
@given(overlapping(), st.sets(st.sampled_from(NODES)))
def test_whatever_overlaps_is_undone(
    tmp_path_factory: pytest.TempPathFactory, schedule: Schedule, mortal: set[str]
) -> None:
    """Any faults over one another, on nodes that die of full disks or do not: every undoing is
    shown, nothing is left, and the schedule is sound and reads as it was written."""
    assert mistakes_of(schedule, NODES) == []
    assert decode(encode(schedule)) == schedule
    cluster = FakeCluster()
    cluster.disks.mortal = mortal
    stage = played(tmp_path_factory.mktemp("run"), schedule, cluster)
    assert cluster.whole
    assert stage.disruption.troubles == ()
    assert open_entries(stage.path) == []
    undone = [o for o in stage.operations if o.f in UNDOINGS and "in_effect" in o.value]
    assert len(undone) == len(schedule.faults()) + 1
    assert [o for o in undone if not o.value["in_effect"]] == []
    assert mistakes_of(stage.disruption.executed(), NODES) == []


@pytest.mark.parametrize("inside", [True, False])
def test_a_run_cancelled_at_any_call_is_healed(tmp_path: Path, *, inside: bool) -> None:
    """Ctrl-C in or after the k-th call to the cluster, for every k, leaves nothing broken."""
    schedule = nested(*ANY, stops=tuple(range(1, len(ANY) + 1)))
    for k in range(1, 400):
        cluster = FakeCluster()
        cluster.disks.mortal = {"n1"}
        (tmp_path / str(k)).mkdir()
        stage = Stage(tmp_path / str(k), cluster, schedule)
        over = asyncio.run(_over_before(stage, k, inside=inside))
        stage.ledger.close()
        if over:
            break
        assert cluster.whole
        assert stage.disruption.now_in_force() == ()
        assert open_entries(stage.path) == []
        assert stage.operations[-1].value["in_effect"] is True
    assert k > 3 * len(ANY)


async def _over_before(stage: Stage, k: int, *, inside: bool) -> bool:
    """Cancel at the k-th call; True if the run had come to its final heal by then."""
    running = asyncio.create_task(stage.disruption.run())
    in_time = False

    async def cancel(_: str) -> None:
        nonlocal in_time
        if len(stage.cluster.called) == k:
            in_time = "final" not in stage.operations[-1].value.get("intended", {})
            running.cancel()
            if inside:
                await asyncio.sleep(0)

    stage.cluster.on_call = cancel
    await asyncio.wait([running])
    if not running.cancelled():
        running.result()
    return not in_time
