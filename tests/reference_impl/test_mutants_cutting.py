"""Mutants that cut their log wrongly: for each the schedule of its story."""

from __future__ import annotations

from tests.reference_impl.logstage import SNAPSHOT_SLOTS, Begin, versus

CUT = {"snapshot_slots": str(SNAPSHOT_SLOTS)}


@versus("snapshot-beyond-applied", **CUT)
def test_a_snapshot_is_labelled_with_its_last_slot(begin: Begin) -> None:
    """All nodes take a snapshot and restart from it; every key is read."""
    stage = begin()
    stage.fill(2 * SNAPSHOT_SLOTS - 2)
    stage.wait(0.1)
    stage.restart(" ".join(stage.world.names))
    stage.read_all(stage.await_successor(*stage.world.names))

    stage.judge()


@versus("snapshot-lags", **CUT)
def test_a_snapshot_holds_all_up_to_its_slot(begin: Begin) -> None:
    """All nodes take two snapshots and restart from the second; every key is read."""
    stage = begin()
    stage.fill(3 * SNAPSHOT_SLOTS - 2)
    stage.wait(0.1)
    stage.restart(" ".join(stage.world.names))
    stage.read_all(stage.await_successor(*stage.world.names))

    stage.judge()


@versus("votes-cut-off", **CUT)
def test_t23_votes_outlive_a_snapshot_and_a_restart(begin: Begin) -> None:
    """A slot is chosen while the one before it makes the followers take a snapshot. The leader
    dies, they restart, and only their disks know of that slot."""
    stage = begin()
    stage.fill(SNAPSHOT_SLOTS + 1)
    stage.world.crash(stage.leader)
    stage.restart(" ".join(stage.followers))
    stage.read_all(stage.await_successor(*stage.followers))

    stage.judge()


@versus("forgets-above-floor", **CUT)
def test_t20_what_is_above_a_snapshot_is_still_reported(begin: Begin) -> None:
    """A slot is chosen while the one before it makes the followers take a snapshot; the leader
    dies, and only their memories know of that slot."""
    stage = begin()
    stage.fill(SNAPSHOT_SLOTS + 1)
    stage.world.crash(stage.leader)
    stage.read_all(stage.await_successor(*stage.followers))

    stage.judge()
