"""Mutants that lead, follow or catch up wrongly: for each the schedule of its story."""

from __future__ import annotations

from reference_impl.messages import Accept, Accepted
from tests.reference_impl.logstage import Begin, versus


@versus("trusts-old-copy")
def test_a_copy_of_another_ballot_is_not_what_the_leader_means(begin: Begin) -> None:
    """Two nodes hold v in a slot where the others choose w; then they hear how far w's log goes."""
    stage = begin()
    follower = stage.followers[0]
    others = stage.split(stage.leader, follower)
    stage.ask("write", stage.leader, "v")
    successor = stage.await_successor(*others)
    stage.done("write", successor, "w")
    stage.world.heal()
    stage.wait(0.5)

    stage.judge()


@versus("assumes-order")
def test_a_later_slot_says_nothing_about_an_earlier_one(begin: Begin) -> None:
    """A cut off leader has two slots in flight; a follower with it sees both."""
    stage = begin()
    others = stage.split(stage.leader, stage.followers[0])
    stage.ask("write", stage.leader, "v")
    stage.wait(0.005)
    stage.ask("write", stage.leader, "v too")
    successor = stage.await_successor(*others)
    stage.done("write", successor, "w")
    stage.world.heal()
    stage.wait(0.5)

    stage.judge()


@versus("noop-over-report")
def test_t21_a_new_leader_proposes_what_was_reported(begin: Begin) -> None:
    """The leader dies with its first answer; nobody else knows yet that the slot is chosen."""
    stage = begin()
    stage.done("write", stage.leader, "v")
    stage.world.crash(stage.leader)
    successor = stage.await_successor(*stage.followers)
    stage.wait(0.1)
    stage.done("read", successor)

    stage.judge()


@versus("leaves-old-slots")
def test_a_new_leader_finishes_what_was_begun(begin: Begin) -> None:
    """The leader dies with a slot accepted everywhere and learnt by itself only, and comes back."""
    stage = begin()
    stage.done("write", stage.leader, "u")
    stage.wait(0.1)
    stage.done("write", stage.leader, "v")
    stage.world.crash(stage.leader)
    stage.await_successor(*stage.followers)
    stage.world.start(stage.leader)
    stage.serve_again()

    stage.judge()


@versus("clings-to-office")
def test_who_sees_a_higher_ballot_leads_no_more(begin: Begin) -> None:
    """The old leader hears the new one's votes, and its only follower hears nobody else."""
    stage = begin()
    follower = stage.followers[0]
    others = stage.split(stage.leader, follower)
    stage.ask("write", stage.leader, "v")
    successor = stage.await_successor(*others)
    stage.world.cut = {(follower, n) for n in others} | {(n, follower) for n in others}
    stage.done("write", successor, "w")
    stage.wait(0.2)

    stage.judge()


@versus("changes-its-mind", learning="all")
def test_a_slot_is_sent_again_as_it_was(begin: Begin) -> None:
    """The votes for a slot reach everybody but the leader, which sends it again."""
    stage = begin()
    stage.lose_messages(Accepted, dst=stage.leader)
    stage.ask("write", stage.leader, "v")
    stage.wait(0.15)
    stage.deliver_all()
    stage.wait(0.5)

    stage.judge()


@versus("skips-gaps")
def test_what_lies_behind_a_gap_waits(begin: Begin) -> None:
    """A follower misses one accept request, and learns all that comes after it."""
    stage = begin()
    missing = stage.followers[0]
    stage.fill(10)
    stage.lose_messages(Accept, dst=missing)
    stage.done("write", stage.leader, "v")
    stage.deliver_all()
    stage.fill(20)
    stage.wait(0.5)

    stage.judge()


@versus("teaches-unchosen")
def test_who_lags_is_told_what_is_chosen_and_no_more(begin: Begin) -> None:
    """A follower that missed a slot asks the cut off leader for it, which has another in flight."""
    stage = begin()
    follower = stage.followers[0]
    stage.lose_messages(Accept, dst=follower)
    stage.done("write", stage.leader, "u")
    stage.deliver_all()
    others = stage.split(stage.leader, follower)
    stage.ask("write", stage.leader, "v")
    successor = stage.await_successor(*others)
    stage.done("write", successor, "w")
    stage.world.heal()
    stage.wait(0.5)

    stage.judge()


@versus("never-retransmits")
def test_what_was_lost_is_sent_again(begin: Begin) -> None:
    """A leader is cut off so shortly that nobody doubts it, while it proposes."""
    stage = begin()
    stage.done("write", stage.leader, "u")
    stage.split(stage.leader)
    stage.ask("write", stage.leader, "v")
    stage.wait(0.15)
    stage.world.heal()
    stage.serve_again()

    stage.judge()


@versus("never-suspects")
def test_t27_a_leader_that_is_silent_is_replaced(begin: Begin) -> None:
    """The leader is killed and comes back a second later, as a follower like the others."""
    stage = begin()
    stage.done("write", stage.leader, "u")
    stage.world.crash(stage.leader)
    stage.wait(1.0)
    stage.world.start(stage.leader)
    stage.serve_again()

    stage.judge()
