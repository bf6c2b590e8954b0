"""Each law with a trace that it must refuse and the nearest one that it must accept: the laws of
acceptors and proposers, and the checker that all laws make."""

from __future__ import annotations

import pytest

from checkers.history import History
from checkers.laws import LAWS, Laws, breaches
from checkers.trace import TraceEvent
from checkers.verdict import Kind, Recording
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
    prepare,
    promise,
    promised,
    refuse,
    state,
)

# --- P1a: promises are kept ------------------------------------------------------------------


def test_t18_nothing_below_a_promise_is_accepted() -> None:
    """P1a: promised 2, accepts 1; the earlier promise is named."""
    assert broken(promise("n1", B2), accepted("n1", B1, "a")) == {"promise-kept": (1, 0)}
    assert broken(promise("n1", B2), accepted("n1", B2, "a")) == {}
    assert broken(promise("n2", B2), accepted("n1", B1, "a")) == {}


def test_t20_nothing_below_a_promise_is_promised() -> None:
    """A prepare below the promise is ignored; the same ballot again is a repeated request."""
    assert broken(promise("n1", B2), promise("n1", B1)) == {"promise-kept": (1, 0)}
    assert broken(promise("n1", B1), promise("n1", B2), promise("n1", B2)) == {}


def test_t23_promises_outlive_the_process() -> None:
    """A promise forgotten in a restart is a promise broken."""
    assert broken(promise("n1", B2), ev("n1", "restart"), accepted("n1", B1, "a")) == {
        "promise-kept": (2, 0)
    }


def test_a_promise_binds_in_its_scope_only() -> None:
    """Another instance, and slots below `first`, are free."""
    assert broken(promise("n1", B2, instance="r1"), promise("n1", B1, instance="r2")) == {}
    log = promise("n1", B2, instance=None, first=5)
    assert broken(log, accepted("n1", B1, "a", instance=4)) == {}
    assert broken(log, accepted("n1", B1, "a", instance=5)) == {"promise-kept": (1, 0)}
    assert broken(log, accepted("n1", B1, "a", instance="r1")) == {}


def test_promises_for_all_slots_overlap_upwards() -> None:
    """Any two of them share the slots from the higher `first` up."""
    assert broken(
        promise("n1", B2, instance=None, first=9), promise("n1", B1, instance=None, first=0)
    ) == {"promise-kept": (1, 0)}


def test_a_higher_promise_further_up_leaves_the_lower_one_in_force_below() -> None:
    """The highest promise that covers the slot is what counts, not the latest one."""
    two = (promise("n1", B2, instance=None, first=0), promise("n1", B3, instance=None, first=5))
    assert broken(*two, accepted("n1", B2, "a", instance=4)) == {}
    assert broken(*two, accepted("n1", B1, "a", instance=4)) == {"promise-kept": (2, 0)}
    assert broken(*two, accepted("n1", B2, "a", instance=5)) == {"promise-kept": (2, 1)}


def test_promises_for_one_slot_and_for_all_slots_meet() -> None:
    """A log may prepare one slot alone; both kinds bind each other."""
    one = promise("n1", B2, instance=7)
    assert broken(one, promise("n1", B1, instance=None, first=7)) == {"promise-kept": (1, 0)}
    assert broken(one, promise("n1", B1, instance=None, first=8)) == {}
    assert broken(promise("n1", B2, instance=None), promise("n1", B1, instance=7)) == {
        "promise-kept": (1, 0)
    }


def test_t22_accepting_is_not_promising() -> None:
    """Lamport's acceptor may promise and accept below what it accepted unasked."""
    assert broken(accepted("n1", B2, "a"), promise("n1", B1)) == {}


# --- T23: accepted proposals are kept --------------------------------------------------------


def test_t23_a_promise_reports_what_was_accepted() -> None:
    """The highest accepted proposal, in this life or an earlier one."""
    vote, life = accepted("n1", B1, "a"), ev("n1", "restart")
    assert broken(vote, life, promise("n1", B2)) == {"accepted-kept": (2, 0)}
    assert broken(vote, life, promise("n1", B2, ("r1", B1, "a"))) == {}


def test_t20_the_highest_accepted_is_reported_not_an_older_one() -> None:
    """Reporting the older of two proposals hides the newer."""
    votes = accepted("n1", B1, "a"), accepted("n1", B2, "b")
    assert broken(*votes, promise("n1", B3, ("r1", B1, "a"))) == {"accepted-kept": (2, 1)}
    assert broken(*votes, promise("n1", B3, ("r1", B2, "b"))) == {}


def test_an_acceptor_may_report_all_that_it_accepted() -> None:
    """Of several reports of an instance the highest counts, for it and for the proposer."""
    votes = accepted("n1", B1, "a"), accepted("n1", B2, "b")
    lists = ("r1", B2, "b"), ("r1", B1, "a")
    for told in (lists, lists[::-1]):
        ground = *votes, promise("n1", B3, *told), promise("n2", B3)
        assert broken(*ALIVE, *ground, accept("n3", B3, "b")) == {}
        assert broken(*ALIVE, *ground, accept("n3", B3, "a")) == {"p2c": (7, 5)}


def test_slots_cut_from_the_log_need_no_report() -> None:
    """An acceptor with a snapshot raises `first` above what the snapshot covers."""
    votes = accepted("n1", B1, "a", instance=1), accepted("n1", B1, "b", instance=2)
    report = (2, B1, "b")
    assert broken(*votes, promise("n1", B2, report, instance=None, first=2)) == {}
    assert broken(*votes, promise("n1", B2, report, instance=None, first=1)) == {
        "accepted-kept": (2, 0)
    }


def test_a_report_of_an_untraced_acceptance_is_no_lie() -> None:
    """Killed between disk and trace, the node recovers more than its trace shows."""
    assert broken(promise("n1", B2, ("r1", B1, "a"))) == {}
    assert broken(accepted("n1", B1, "a"), promise("n1", B3, ("r1", B2, "b"))) == {}


def test_an_acceptance_at_the_promised_ballot_needs_no_report() -> None:
    """A repeated prepare finds the proposal of its own ballot accepted already."""
    assert broken(promise("n1", B2), accepted("n1", B2, "a"), promise("n1", B2)) == {}


# --- T15: ballots are unique -----------------------------------------------------------------


def test_t15_two_nodes_never_use_one_ballot() -> None:
    """Neither in phase 1 nor in phase 2, nor one in each."""
    assert broken(prepare("n1", B1), prepare("n2", B1)) == {"ballot-unique": (1, 0)}
    assert broken(prepare("n1", B1, "r1"), prepare("n2", B1, "r2")) == {}
    both = prepare("n1", B1), *promised(B1, "n1", "n2")
    assert broken(*both, accept("n1", B1, "a"), accept("n2", B1, "a")) == {"ballot-unique": (4, 0)}
    assert broken(*both, accept("n2", B1, "a")) == {"ballot-unique": (3, 0)}


def test_t15_a_ballot_for_all_slots_is_owned_from_first_up() -> None:
    """Phase 2 of another node in a slot that the ballot was prepared for."""
    leader = prepare("n1", B1, None, first=3), *promised(B1, "n1", "n2", instance=None)
    assert broken(*leader, accept("n2", B1, "a", instance=3)) == {"ballot-unique": (3, 0)}
    assert broken(*leader, accept("n2", B1, "a", instance=2)) == {}


def test_t15_a_ballot_is_not_started_again_after_a_restart() -> None:
    """Within a life it is a retransmission; in the next it is a reused number."""
    life = ev("n1", "restart")
    assert broken(life, prepare("n1", B1), prepare("n1", B1)) == {}
    assert broken(life, prepare("n1", B1), life, prepare("n1", B1)) == {"ballot-unique": (3, 1)}


def test_t15_one_ballot_has_one_value_in_an_instance() -> None:
    """A proposer issues one value; true and 1 are two values, as in JSON."""
    ground = prepare("n1", B1), *promised(B1, "n1", "n2")
    assert broken(*ground, accept("n1", B1, "a"), accept("n1", B1, "b")) == {
        "ballot-unique": (4, 3)
    }
    assert broken(*ground, accept("n1", B1, 1), accepted("n2", B1, value=True)) == {
        "ballot-unique": (4, 3)
    }
    assert broken(*ground, accept("n1", B1, "a"), accept("n1", B1, "a")) == {}


# --- T17: P2c ---------------------------------------------------------------------------------


def test_t17_a_proposal_needs_a_majority_of_promises() -> None:
    """One node that promises twice is one node."""
    twice = promise("n1", B1), promise("n1", B1)
    assert broken(*ALIVE, *twice, accept("n1", B1, "a")) == {"p2c": (5, 3, 4)}
    assert broken(*promised(B1, "n1", "n2"), accept("n1", B1, "a")) == {}


def test_t17_promises_need_not_precede_the_proposal_in_the_trace() -> None:
    """Clocks of different nodes disagree: the order between them is no evidence."""
    assert broken(accept("n1", B1, "a"), *promised(B1, "n2", "n3")) == {}


def test_t17_the_value_is_that_of_the_highest_report() -> None:
    """Not the lowest, not the proposer's own."""
    reports = promise("n1", B3, ("r1", B1, "a")), promise("n2", B3, ("r1", B2, "b"))
    assert broken(*reports, accept("n3", B3, "b")) == {}
    assert broken(*reports, accept("n3", B3, "a")) == {"p2c": (2, 1)}
    assert broken(*reports, accept("n3", B3, "c")) == {"p2c": (2, 1)}


def test_t17_any_majority_may_justify_the_value() -> None:
    """A promise that never arrived cannot be held against the proposer."""
    reports = promise("n1", B3, ("r1", B1, "a")), promise("n2", B3, ("r1", B2, "b"))
    assert broken(*reports, promise("n3", B3), accept("n3", B3, "a")) == {}
    assert broken(*reports, promise("n3", B3), accept("n3", B3, "c")) == {"p2c": (3, 1)}
    assert broken(*promised(B3, "n1", "n3"), reports[1], accept("n3", B3, "c")) == {}


def test_t17_two_reports_of_one_ballot_allow_both_values() -> None:
    """That a ballot carries two values is for another law to say."""
    reports = promise("n1", B3, ("r1", B1, "a")), promise("n2", B3, ("r1", B1, "b"))
    for value in "ab":
        assert "p2c" not in broken(*reports, accept("n3", B3, value))
    assert "p2c" in broken(*reports, accept("n3", B3, "c"))


def test_t17_a_promise_covers_slots_from_first_up() -> None:
    """Below `first` nothing was promised, and nothing may be issued."""
    ground = promised(B1, "n1", "n2", instance=None, first=4)
    assert broken(*ground, accept("n1", B1, "a", instance=4)) == {}
    assert broken(*ground, accept("n1", B1, "a", instance=3)) == {"p2c": (2,)}


def test_t17_a_proposer_may_issue_what_it_has_learnt() -> None:
    """A leader fills a slot that others have cut from their logs with the value it knows."""
    ground = promised(B3, "n1", "n2", instance=None, first=4)
    votes = [accepted(node, B1, "a", instance=3) for node in ("n1", "n2")]
    learnt = chosen("n3", "a", B1, instance=3)
    assert broken(*votes, learnt, *ground, accept("n3", B3, "a", instance=3)) == {}
    assert "p2c" in broken(*votes, *ground, accept("n3", B3, "a", instance=3), learnt)
    assert "p2c" in broken(*votes, learnt, *ground, accept("n3", B3, "b", instance=3))


def test_a_node_without_any_event_may_have_done_anything() -> None:
    """Its trace is missing, so it may be the missing half of a quorum."""
    assert broken(promise("n1", B1), ev("n2", "restart"), accept("n1", B1, "a")) == {}
    assert broken(
        promise("n1", B1), ev("n2", "restart"), ev("n3", "restart"), accept("n1", B1, "a")
    ) == {"p2c": (3, 0)}
    told = promise("n1", B3, ("r1", B1, "a"))
    assert broken(told, accept("n2", B3, "b")) == {}  # n3 may have reported b
    assert broken(told, accept("n2", B3, "b"), ev("n3", "restart")) == {"p2c": (1, 0)}


# --- The checker -------------------------------------------------------------------------------


def recording(*events: TraceEvent) -> Recording:
    return Recording(history=History([]), trace=events, nodes=NODES)


def test_the_verdict_shows_the_event_and_what_it_contradicts() -> None:
    """One part a law; the broken one with both events as they stand in the trace."""
    verdict = Laws().check(recording(promise("n1", B2), accepted("n1", B1, "a")))
    (part,) = [part for part in verdict.parts if part.kind is Kind.INVALID]

    assert verdict.kind is Kind.INVALID
    assert verdict.summary == "n1 accepted 1.n1 in instance 'r1' after it had promised 2.n2."
    assert part.checker == "promise-kept"
    assert part.evidence["event"] == {
        "position": 1,
        "time": 0,
        "node": "n1",
        "event": "accepted",
        "ballot": (1, "n1"),
        "instance": "r1",
        "value": "a",
    }
    assert [event["position"] for event in part.evidence["against"]] == [0]


def test_laws_without_their_events_are_not_judged() -> None:
    """A trace of votes alone says nothing about promises; an empty one says nothing at all."""
    some = Laws().check(recording(accepted("n1", B1, "a")))
    none = Laws().check(recording())

    assert (some.kind, some.evidence["judged"]) == (Kind.VALID, ["p2a", "p2"])
    assert (none.kind, none.cause) == (Kind.UNKNOWN, "coverage")


def test_laws_of_slots_are_not_judged_where_there_are_none() -> None:
    """Single-decree instances make no log."""
    keyed = breaches([chosen("n1", "a")], NODES)[1]
    slots = breaches([chosen("n1", "a", instance=0)], NODES)[1]

    assert (("chosen-once",), ("chosen-once", "log-agreement")) == (keyed, slots)


TWICE = {
    "p1": (1, [promise("n1", B1), refuse("n1", B3, B2), refuse("n1", B3, B1)]),
    "promise-kept": (1, [promise("n1", B3), promise("n1", B2), promise("n1", B1)]),
    "accepted-kept": (1, [accepted("n1", B1, "a"), promise("n1", B2), promise("n1", B3)]),
    "ballot-unique": (1, [prepare("n1", B1), prepare("n2", B1), prepare("n3", B1)]),
    "p2c": (3, [promise("n1", B1), *ALIVE[1:], accept("n1", B1, "a"), accept("n1", B2, "a")]),
    "quorum": (
        4,
        [*ALIVE, accepted("n1", B1, "a"), chosen("n1", "a", B1), chosen("n1", "a", B2)],
    ),
    "p2b": (4, [*(accepted(n, B1, "a") for n in NODES), *(accept("n1", B3, v) for v in "abc")]),
    "p2a": (
        3,
        [*(accepted(n, B1, "a") for n in NODES), accepted("n1", B2, "b"), accept("n1", B3, 1)],
    ),
    "p2": (4, [accepted(n, b, v) for b, v in ((B1, "a"), (B2, "b"), (B3, "c")) for n in NODES]),
    "chosen-once": (1, [chosen("n1", v) for v in "abc"]),
    "log-agreement": (1, [chosen("n1", v, instance=2) for v in "abc"]),
    "state-equality": (1, [state("n1", 2, digest) for digest in "xyz"]),
}


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_the_first_breach_is_the_one_that_is_named(law) -> None:
    """A broken law is told once, at its first event, however often it is broken after."""
    first, trace = TWICE[law.name]

    assert first == broken(*trace)[law.name][0]
