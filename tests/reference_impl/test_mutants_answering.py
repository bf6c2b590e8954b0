"""Mutants that tell their clients what is not so: for each the schedule of its story."""

from __future__ import annotations

from typing import Any

from harness.machine import Deliver
from reference_impl.logmessages import Answers, Forward
from reference_impl.messages import Accepted
from tests.reference_impl.logstage import SNAPSHOT_SLOTS, Begin, versus
from tests.reference_impl.world import wire


@versus("follower-reads")
def test_a_follower_does_not_answer_from_its_memory(begin: Begin) -> None:
    """A node that is cut off is asked for what the others have written since."""
    stage = begin()
    lonely = stage.followers[0]
    stage.split(lonely)
    stage.done("write", stage.leader, "v")
    stage.ask("read", lonely)
    stage.wait(2.0)

    stage.judge()


@versus("reads-before-applied")
def test_a_new_leader_applies_before_it_answers(begin: Begin) -> None:
    """The leader dies with an acknowledged write that no follower has learnt, and the disks of the
    followers are slow: the new leader is confirmed before that slot is chosen again."""
    stage = begin()
    stage.done("write", stage.leader, "v")
    stage.world.crash(stage.leader)
    stage.lose_messages(Accepted)
    successor = stage.await_successor(*stage.followers)
    stage.ask("read", successor)
    stage.wait(0.1)
    stage.deliver_all()
    stage.wait(1.0)

    stage.judge()


@versus("counts-old-beats")
def test_a_confirmation_from_before_the_read_proves_nothing(begin: Begin) -> None:
    """The leader is cut off, and is asked while the others have a new one already."""
    stage = begin()
    others = stage.split(stage.leader)
    successor = stage.await_successor(*others)
    stage.done("write", successor, "v")
    assert stage.world.status(stage.leader)["leading"]
    stage.ask("read", stage.leader)
    stage.wait(2.0)

    stage.judge()


@versus("answers-at-once")
def test_a_write_is_acknowledged_when_it_is_chosen(begin: Begin) -> None:
    """A node that is cut off is asked for a write, and the others for what they know."""
    stage = begin()
    lonely = stage.followers[0]
    stage.split(lonely)
    stage.ask("write", lonely, "v")
    stage.wait(0.1)
    stage.done("read", stage.leader)
    stage.wait(2.0)

    stage.judge()


@versus("forwards-twice")
def test_t8_a_command_that_arrives_twice_is_applied_once(begin: Begin) -> None:
    """A forwarded write arrives a second time, after another write."""
    stage = begin()
    follower = stage.followers[0]
    forwards: list[Any] = []

    def note(_src: str, _dst: str, message: Any) -> bool:
        if isinstance(message, Forward):
            forwards.append(message)
        return False

    stage.world.drop = note
    stage.done("write", follower, "v")
    stage.done("write", stage.leader, "w")
    stage.world._event(stage.world.nodes[stage.leader], Deliver(follower, wire(forwards[0])))
    stage.wait(0.1)
    stage.done("read", stage.leader)

    stage.judge()


@versus("retries-applied")
def test_a_retried_command_is_applied_once(begin: Begin) -> None:
    """The answer to a compare-and-set is lost; the client sends it again through another node."""
    stage = begin()
    first, second = stage.followers[:2]
    stage.done("write", stage.leader, 1)
    stage.lose_messages(Answers, dst=first)
    asked = stage.ask_in_session("cas", first, [1, 2], "s", 1)
    stage.again(asked, second, "s", 1)
    stage.done("read", stage.leader)

    stage.judge()


@versus("sequence-without-session")
def test_clients_with_one_number_are_two_clients(begin: Begin) -> None:
    """Two clients each send their first command."""
    stage = begin()
    stage.ask_in_session("write", stage.leader, 1, "s", 1)
    stage.ask_in_session("write", stage.leader, 2, "t", 1)
    stage.done("read", stage.leader)

    stage.judge()


@versus("sessions-not-in-snapshot", snapshot_slots=str(SNAPSHOT_SLOTS))
def test_a_snapshot_holds_the_sessions(begin: Begin) -> None:
    """The answer to a command is lost; the nodes put it into snapshots and restart, and the client
    asks again."""
    stage = begin()
    stage.done("write", stage.leader, 1)
    stage.lose_messages(Answers)
    asked = stage.ask_in_session("cas", stage.followers[0], [1, 2], "s", 1)
    stage.deliver_all()
    stage.fill(SNAPSHOT_SLOTS)
    stage.wait(0.1)
    stage.restart(" ".join(stage.world.names))
    leader = stage.await_successor(*stage.world.names)
    stage.again(asked, leader, "s", 1)
    stage.done("read", leader)

    stage.judge()


@versus("reads-change-state")
def test_a_read_changes_no_replica(begin: Begin) -> None:
    """A key that was never written is read from the leader, and the log goes on."""
    stage = begin()
    stage.done("read", stage.leader, key="never written")
    stage.fill(30)
    stage.wait(0.1)

    stage.judge()


@versus("cas-of-old-value")
def test_a_compare_and_set_sees_what_is_there(begin: Begin) -> None:
    """Two compare-and-sets that expect the same value, one after the other."""
    stage = begin()
    stage.done("write", stage.leader, 1)
    stage.done("cas", stage.leader, [1, 2])
    stage.done("cas", stage.leader, [1, 3])

    stage.judge()
