"""The laws of choosing, learning and replicas, each with what it must refuse and must accept."""

from __future__ import annotations

from tests.checkers.protocol_events import (
    ALIVE,
    B1,
    B2,
    B3,
    NODES,
    accept,
    accepted,
    broken,
    chosen,
    ev,
    promise,
    state,
)

# --- T13: quorums ----------------------------------------------------------------------------


def test_t13_what_is_learnt_was_accepted_by_a_majority() -> None:
    """Of distinct acceptors, at one ballot, and of that value."""
    one = accepted("n1", B1, "a")
    assert broken(*ALIVE, one, one, chosen("n1", "a", B1)) == {"quorum": (5, 3)}
    assert broken(*ALIVE, one, accepted("n2", B1, "a"), chosen("n1", "a", B1)) == {}
    assert broken(*ALIVE, one, accepted("n2", B2, "a"), chosen("n1", "a", B2)) == {"quorum": (5, 4)}


def test_t24_a_value_learnt_from_another_learner_names_no_ballot() -> None:
    """Any one ballot will do then; two minorities at two ballots will not."""
    assert broken(*ALIVE, accepted("n1", B1, "a"), accepted("n2", B1, "a"), chosen("n3", "a")) == {}
    assert broken(*ALIVE, accepted("n1", B1, "a"), accepted("n2", B2, "a"), chosen("n3", "a")) == {
        "quorum": (5, 3, 4)
    }


def test_a_reported_proposal_counts_as_accepted() -> None:
    """Killed between disk and trace, an acceptor shows its vote in the next promise only."""
    report = promise("n2", B2, ("r1", B1, "a"))
    assert broken(*ALIVE, accepted("n1", B1, "a"), report, chosen("n3", "a", B1)) == {}


# --- T16: P2 in its three strengths ----------------------------------------------------------

WON = accepted("n1", B2, "a"), accepted("n2", B2, "a")  # behind ALIVE: positions 3 and 4


def test_t16_p2b_above_a_chosen_proposal_only_its_value() -> None:
    """No other value is issued above; below, old proposals may still turn up."""
    assert broken(*ALIVE, *WON, accept("n3", B3, "b")) == {"p2b": (5, 3, 4)}
    assert broken(*ALIVE, *WON, accept("n3", B3, "a")) == {}
    assert broken(*ALIVE, *WON, accept("n3", B1, "b")) == {}
    assert broken(*ALIVE, WON[0], accept("n3", B3, "b")) == {}


def test_t16_p2a_above_a_chosen_proposal_no_other_is_accepted() -> None:
    """By any acceptor. What is accepted was issued, by whom nobody says: P2b is broken too, if
    the trace has issues at all, at the issue where there is one."""
    late = accepted("n3", B3, "b")
    assert broken(*ALIVE, *WON, late) == {"p2a": (5, 3, 4)}
    assert broken(*ALIVE, *WON, accept("n3", B3, "b"), late) == {
        "p2b": (5, 3, 4),
        "p2a": (6, 3, 4),
    }
    assert broken(*ALIVE, *WON, accept("n1", B2, "a"), late) == {
        "p2b": (6, 3, 4),
        "p2a": (6, 3, 4),
    }
    assert broken(*ALIVE, *WON, accepted("n3", B3, "a")) == {}
    assert broken(*ALIVE, *WON, accepted("n3", B1, "b")) == {}
    assert broken(*ALIVE, WON[0], accepted("n3", B3, "b")) == {}


def test_t16_p2_above_a_chosen_proposal_no_other_is_chosen() -> None:
    """The vote that makes the second majority is named; one vote is none."""
    late = accepted("n2", B3, "b"), accepted("n3", B3, "b")
    assert broken(*ALIVE, *WON, *late) == {
        "p2a": (5, 3, 4),
        "p2": (6, 3, 4),
    }
    assert "p2" not in broken(*ALIVE, *WON, late[0], late[0])
    assert "p2" not in broken(*ALIVE, *WON, late[0], accepted("n3", (4, "n1"), "b"))


def test_t16_the_higher_proposal_is_named_though_it_came_first() -> None:
    """The clocks of the nodes order them as they like: numbers say which one had to yield."""
    early = accepted("n2", B3, "b"), accepted("n3", B3, "b")
    assert broken(*ALIVE, *early, *WON) == {
        "p2a": (3, 5, 6),
        "p2": (4, 5, 6),
    }


def test_t16_what_contradicts_is_the_lowest_chosen_proposal_of_another_value() -> None:
    """A chosen at 1, B chosen at 2 and A again at 3: the last contradicts the second."""
    three = [accepted(n, b, v) for b, v in ((B1, "a"), (B2, "b"), (B3, "a")) for n in NODES[:2]]
    assert broken(*three)["p2"] == (3, 0, 1)
    assert broken(*three[4:], *three[:4])["p2"] == (1, 4, 5)


def test_p2_without_the_number_of_nodes_takes_the_learners_word() -> None:
    """Two of an unknown number are no majority; a learner that saw one makes it one."""
    won = accepted("n1", B1, "a"), accepted("n2", B1, "a"), accepted("n3", B2, "b")
    assert broken(*won, nodes=()) == {}
    assert broken(*won, chosen("n1", "a", B1), nodes=()) == {"p2a": (2, 0, 1, 3)}


def test_p2_does_not_take_a_word_that_the_votes_refute() -> None:
    """A learner that counted wrong breaks its own law; the proposers after it break none."""
    one = accepted("n1", B1, "a"), chosen("n1", "a", B1), accept("n2", B2, "b")
    assert broken(*ALIVE, *one, accepted("n2", B2, "b")) == {"quorum": (4, 3)}


def test_p2_counts_a_vote_that_only_a_report_shows() -> None:
    """The vote was durable when its node was killed; the promise of its next life shows it."""
    report = promise("n2", B2, ("r1", B1, "a"))
    assert broken(*ALIVE, accepted("n1", B1, "a"), report, accepted("n3", B2, "b")) == {
        "p2a": (5, 3, 4)
    }


def test_p2_takes_no_silent_node_for_a_voter() -> None:
    """It may have accepted anything: that excuses a learner, and accuses nobody."""
    alive = ev("n1", "restart"), ev("n2", "restart")
    assert broken(*alive, accepted("n1", B1, "a"), accepted("n2", B2, "b")) == {}


# --- T2: one value -----------------------------------------------------------------------------


def test_t2_one_value_is_chosen() -> None:
    """Whoever learns it, at whatever ballot, by whatever way."""
    votes = [accepted(node, ballot, "a") for node in ("n1", "n2") for ballot in (B1, B2)]
    assert broken(*votes, chosen("n1", "a", B1), chosen("n2", "a", B2), chosen("n1", "a")) == {}
    words = broken(*votes, chosen("n1", "a", B1), chosen("n2", "b", B2))
    assert words == {"quorum": (5,), "chosen-once": (5, 0, 2)}


def test_t2_a_node_learns_one_value_in_all_its_lives() -> None:
    """True and 1 are two values, as in JSON."""
    life = ev("n1", "restart")
    assert broken(chosen("n1", 1), life, chosen("n1", 1)) == {}
    assert broken(chosen("n1", 1), life, chosen("n1", True)) == {"chosen-once": (2, 0)}


def test_t2_what_nobody_learnt_may_be_chosen_too() -> None:
    """Two majorities at one ballot, of acceptors that accept twice: P2 speaks of higher ones."""
    votes = [accepted(node, B1, value) for value in "ab" for node in ("n1", "n2")]
    assert broken(*votes, chosen("n3", "a", B1)) == {"chosen-once": (3, 0, 1)}


def test_t2_logs_agree_slot_by_slot() -> None:
    """Two nodes, or two lives of one, never learn two values in a slot; other slots are free."""
    assert broken(chosen("n1", "a", instance=1), chosen("n2", "b", instance=2)) == {}
    assert broken(chosen("n1", "a", instance=1), chosen("n2", "b", instance=1)) == {
        "chosen-once": (1, 0),
        "log-agreement": (1, 0),
    }
    mine = chosen("n1", "a", instance=1), ev("n1", "restart"), chosen("n1", "b", instance=1)
    assert broken(*mine)["log-agreement"] == (2, 0)


def test_a_log_may_go_on_above_a_snapshot() -> None:
    """What a snapshot covers is not learnt anew: a gap in a log is no breach."""
    assert broken(chosen("n1", "a", instance=1), chosen("n2", "c", instance=9)) == {}


# --- T1: replicas ------------------------------------------------------------------------------


def test_t1_replicas_at_one_slot_are_in_one_state() -> None:
    """Two nodes, or two lives of one; another slot has another state."""
    assert broken(state("n1", 4, "x"), state("n2", 4, "x"), state("n2", 5, "y")) == {}
    assert broken(state("n1", 4, "x"), state("n2", 5, "y"), state("n2", 4, "z")) == {
        "state-equality": (2, 0)
    }
    assert broken(state("n1", 4, "x"), ev("n1", "restart"), state("n1", 4, "z")) == {
        "state-equality": (2, 0)
    }
