"""Faults are carried out, proved and undone, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.faults import fault_intervals
from checkers.history import History
from nemesis import packages
from nemesis.faults import Fault, Kill, Lose, Partition, Pause, Slow, tag
from nemesis.ledger import FaultEntry, open_entries
from nemesis.resolution import is_concrete
from nemesis.schedule import Schedule, Step, mistakes_of
from tests.harness.fake_cluster import NODES, FakeCluster, Stage

INTERRUPTED = {"interrupted": True}


def plan(*faults: Fault, length_s: float = 2.0) -> Schedule:
    """One fault after the other, a second between them."""
    steps: list[Step] = []
    for i, fault in enumerate(faults):
        at_s = 1.0 + i * (length_s + 1.0)
        steps += [Step(at_s, i + 1, "start", fault), Step(at_s + length_s, i + 1, "stop")]
    return Schedule(2.0 + len(faults) * (length_s + 1.0), 7, tuple(steps))


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(packages.PACKAGES)), st.integers(0, 1000))
def test_every_package_takes_effect_and_is_undone(
    tmp_path_factory: pytest.TempPathFactory, name: str, seed: int
) -> None:
    """On an obedient cluster every fault is in effect, and afterwards nothing is left."""
    cluster = FakeCluster()
    stage = Stage(tmp_path_factory.mktemp("run"), cluster, packages.schedule(name, seed, 40.0))
    stage.run()
    intervals = fault_intervals(History(stage.operations))
    assert cluster.whole
    assert stage.disruption.troubles == ()
    assert open_entries(stage.path) == []
    assert all(interval.end_ns is not None for interval in intervals)
    assert [i for i in intervals if not i.in_effect] == []


def test_the_executed_schedule_is_concrete_and_plays_again(tmp_path: Path) -> None:
    """Leaders became nodes; the same schedule on other leaders does the same to the same nodes."""
    first = Stage(tmp_path, FakeCluster(leaders=("n4",)), packages.schedule("default", 3, 30.0))
    first.run()
    executed = first.disruption.executed()
    assert mistakes_of(executed, NODES) == []
    assert all(is_concrete(fault) for fault in executed.faults())
    (tmp_path / "again").mkdir()
    second = Stage(tmp_path / "again", FakeCluster(leaders=("n1",)), executed)
    second.run()
    assert second.disruption.executed() == executed


def test_a_fault_is_told_as_intended_applied_and_observed(tmp_path: Path) -> None:
    """Two lines when it starts and two when it is undone, with id, evidence and time."""
    stage = Stage(tmp_path, FakeCluster(), plan(Kill(target="leaders")))
    stage.run()
    intended = {"fault": "kill", "target": "leaders"}
    applied = {**intended, "nodes": ["n2"]}
    assert stage.lines("kill") == [
        {"id": 1, "intended": intended},
        {
            "id": 1,
            "intended": intended,
            "applied": applied,
            "observed": {"states": {"n2": "dead"}},
            "in_effect": True,
        },
    ]
    assert stage.lines("restart") == [
        {"id": 1, "intended": intended},
        {
            "id": 1,
            "intended": intended,
            "applied": applied,
            "observed": {"states": {"n2": "running"}},
            "in_effect": True,
        },
    ]
    assert [o.time for o in stage.operations if o.f == "kill"] == [1_000_000_000] * 2
    assert {o.type for o in stage.operations} == {"info"}


def test_the_inverse_is_in_the_ledger_before_the_fault(tmp_path: Path) -> None:
    """At the moment of applying, the entry is on disk; after undoing it is closed."""
    cluster = FakeCluster()
    stage = Stage(tmp_path, cluster, plan(Partition(), Kill(), Pause()))
    seen: dict[str, list[str]] = {}

    async def spy(name: str) -> None:
        open_now = [e.undo.kind for e in open_entries(stage.path) if isinstance(e, FaultEntry)]
        seen.setdefault(name, open_now)

    cluster.on_call = spy
    stage.run()
    assert (seen["apply"], seen["kill"], seen["pause"]) == (["heal"], ["restart"], ["resume"])
    assert open_entries(stage.path) == []


@pytest.mark.parametrize(
    ("call", "fault", "undoing"),
    [
        ("apply", Partition(), "heal"),
        ("apply", Slow(), "heal"),
        ("kill", Kill(), "restart"),
        ("pause", Pause(), "resume"),
        ("measure", Partition(), "heal"),
    ],
)
def test_a_fault_that_raises_is_not_in_effect_and_is_cleaned_up(
    tmp_path: Path, call: str, fault: Fault, undoing: str
) -> None:
    """Applied in part, then raised: told as such, undone at once, reported; the run goes on."""
    cluster = FakeCluster()
    cluster.failing[call] = OSError("no such luck")
    stage = Stage(tmp_path, cluster, plan(fault))
    stage.run()
    assert cluster.whole
    told = stage.lines(tag(fault))[-1]
    assert told["observed"] == {"error": "OSError: no such luck"}
    assert told["in_effect"] is False
    assert any("no such luck" in trouble for trouble in stage.disruption.troubles)
    undone_at = [o.time for o in stage.operations if o.f == undoing and "id" in o.value]
    assert all(at < 2_500_000_000 for at in undone_at)  # at once, not at its stop
    assert open_entries(stage.path) == []


def test_an_undoing_that_raises_is_tried_again_by_the_final_heal(tmp_path: Path) -> None:
    """The fault stays open, in the ledger too, until an undoing succeeds."""
    cluster = FakeCluster()
    cluster.failing["undo"] = OSError("busy")
    stage = Stage(tmp_path, cluster, plan(Partition()))

    async def second_time_lucky(_: str) -> None:
        if [name for name, _ in cluster.called].count("undo") == 2:
            cluster.failing.clear()

    cluster.on_call = second_time_lucky
    stage.run()
    assert cluster.whole
    assert [told.get("in_effect") for told in stage.lines("heal")] == [None, False, None, True]
    assert open_entries(stage.path) == []


def test_what_cannot_be_undone_is_said_and_stays_in_the_ledger(tmp_path: Path) -> None:
    """The run ends, its troubles name the fault, and 'antipaxos heal' finds the entry."""
    cluster = FakeCluster()
    cluster.failing["undo"] = OSError("never")
    stage = Stage(tmp_path, cluster, plan(Partition()))
    stage.run()
    assert "partition halves: n1 n2 | n3 n4 n5 (id 1) could not be undone" in (
        stage.disruption.troubles
    )
    assert any("link n1>n3 is not open" in trouble for trouble in stage.disruption.troubles)
    assert len(open_entries(stage.path)) == 1


def test_a_cluster_that_only_claims_is_found_out(tmp_path: Path) -> None:
    """Nothing is raised and nothing happens: not in effect, by measurement."""
    cluster = FakeCluster()
    cluster.lying = True
    stage = Stage(tmp_path, cluster, plan(Partition(), Kill(), Pause(), Slow(), Lose()))
    stage.run()
    intervals = fault_intervals(History(stage.operations))
    assert [(i.kind, i.in_effect) for i in intervals] == [
        (kind, False) for kind in ("partition", "kill", "pause", "slow", "lose")
    ]


def test_overlapping_faults_of_a_node_add_up(tmp_path: Path) -> None:
    """Killed while paused stays dead until restarted, and then is paused as long as it should."""
    on = ("n1",)
    steps = (
        Step(1.0, 1, "start", Pause(nodes=on)),
        Step(2.0, 2, "start", Kill(nodes=on)),
        Step(3.0, 3, "start", Kill(nodes=on)),
        Step(4.0, 2, "stop"),
        Step(5.0, 3, "stop"),
        Step(6.0, 1, "stop"),
    )
    stage = Stage(tmp_path, FakeCluster(), Schedule(8.0, 0, steps))
    stage.run()
    told = [
        (o.f, o.value["observed"]["states"]["n1"])
        for o in stage.operations
        if "in_effect" in o.value and "id" in o.value
    ]
    assert told == [
        ("pause", "paused"),
        ("kill", "dead"),
        ("kill", "dead"),
        ("restart", "dead"),
        ("restart", "paused"),
        ("resume", "running"),
    ]


def test_healing_one_partition_leaves_the_other(tmp_path: Path) -> None:
    """The links that another still cuts do not count against the healing."""
    steps = (
        Step(1.0, 1, "start", Partition(topology="isolate", target="n1")),
        Step(2.0, 2, "start", Partition(topology="isolate", target="n1,n2")),
        Step(3.0, 2, "stop"),
    )
    stage = Stage(tmp_path, FakeCluster(), Schedule(5.0, 0, steps))
    stage.run()
    assert [told["in_effect"] for told in stage.lines("heal") if "in_effect" in told] == [True] * 2
    assert stage.cluster.whole


def test_the_final_heal_revives_what_nobody_ordered(tmp_path: Path) -> None:
    """A node that crashed, or that somebody else stopped, runs for the final reads."""
    cluster = FakeCluster()
    cluster.state.update(n3="dead", n4="paused")
    stage = Stage(tmp_path, cluster, Schedule(1.0))
    stage.run()
    assert cluster.whole
    final = stage.operations[-1].value
    assert final["in_effect"] is True
    assert "id" not in final
    assert fault_intervals(History(stage.operations)) == []


@pytest.mark.parametrize("inside", [True, False])
def test_a_run_cancelled_at_any_call_is_healed(tmp_path: Path, *, inside: bool) -> None:
    """Ctrl-C in or after the k-th call to the cluster, for every k: it comes through, and nothing
    is left broken or open. Told as interrupted where it hit a fault that was being applied."""
    schedule = plan(Partition(topology="leader-only"), Kill(target="all"), Pause())
    told: set[str] = set()
    for k in range(1, 40):
        cluster = FakeCluster()
        (tmp_path / str(k)).mkdir()
        stage = Stage(tmp_path / str(k), cluster, schedule)
        cancelled = asyncio.run(_cancelled_at(stage, k, inside=inside))
        stage.ledger.close()
        if not cancelled:
            break  # the run was over, but for its final heal, before the k-th call
        assert cluster.whole
        assert stage.disruption.now_in_force() == ()
        assert open_entries(stage.path) == []
        assert stage.operations[-1].value["in_effect"] is True
        interrupted = [o for o in stage.operations if o.value.get("observed") == INTERRUPTED]
        told |= {o.f for o in interrupted}
    assert k > 12
    assert told == {"partition", "kill", "pause", "heal", "restart", "resume"}


async def _cancelled_at(stage: Stage, k: int, *, inside: bool) -> bool:
    """Cancel at the k-th call; False if the run had come to its final heal by then."""
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
    assert running.cancelled() or not in_time
    if not running.cancelled():
        running.result()
    return in_time


def test_leaders_that_do_not_answer_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question that hangs ends; another node is hit, and a note says so."""
    monkeypatch.setattr("harness.probes.LEADERS_LIMIT_S", 0.01)
    cluster = FakeCluster()
    cluster.hanging.add("leaders")
    stage = Stage(tmp_path, cluster, plan(Kill(target="leaders")))
    stage.run()
    told = stage.lines("kill")[-1]
    assert told["in_effect"] is True
    assert "no node is a leader now" in told["notes"][0]


def test_the_progress_line_says_what_is_in_force(tmp_path: Path) -> None:
    """While it lasts, a fault is told in a few words; afterwards nothing is."""
    stage = Stage(tmp_path, FakeCluster(), plan(Kill(target="leaders")))
    seen: dict[str, tuple[str, ...]] = {}

    async def watch(name: str) -> None:
        seen.setdefault(name, stage.disruption.now_in_force())

    stage.cluster.on_call = watch
    stage.run()
    assert seen["leaders"] == ()
    assert seen["restart"] == ("kill leaders: n2",)
    assert stage.disruption.now_in_force() == ()


def test_healing_twice_does_nothing_more(tmp_path: Path) -> None:
    """`heal` after a run finds all well and writes nothing."""
    stage = Stage(tmp_path, FakeCluster(), plan(Pause()))

    async def twice() -> list[str]:
        await stage.disruption.run()
        before = len(stage.operations)
        left = await stage.disruption.heal()
        assert len(stage.operations) == before
        return left

    assert asyncio.run(twice()) == []
    stage.ledger.close()


def test_a_journal_that_is_full_does_not_stop_the_healing(tmp_path: Path) -> None:
    """Undoing comes before recording: a full disk leaves no paused process."""
    cluster = FakeCluster()
    stage = Stage(tmp_path, cluster, plan(Pause(target="all")))

    def full(*_: Any) -> None:
        raise OSError("no space left on device")

    stage.disruption._journal = full
    stage.run()
    assert cluster.whole
    assert any("no space left" in trouble for trouble in stage.disruption.troubles)
