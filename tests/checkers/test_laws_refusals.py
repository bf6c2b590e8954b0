"""P1: what a trace can prove of a refusal, and what it cannot."""

from __future__ import annotations

from tests.checkers.protocol_events import (
    B1,
    B2,
    B3,
    accepted,
    broken,
    ev,
    promise,
    refuse,
)

LIFE = ev("n1", "restart")


def test_t12_p1_the_first_proposal_is_not_refused() -> None:
    """An acceptor that has promised and accepted nothing has no reason."""
    assert broken(LIFE, refuse("n1", B1)) == {"p1": (1,)}
    assert broken(LIFE, refuse("n1", B1, B2)) == {"p1": (1,)}
    assert broken(LIFE, promise("n1", B2), refuse("n1", B1, B2)) == {}


def test_t12_p1_a_refusal_that_disproves_itself() -> None:
    """A promise below the refused ballot forbids nothing, in whatever life it was made."""
    assert broken(promise("n1", B1), refuse("n1", B2, B1)) == {"p1": (1,)}
    assert broken(LIFE, promise("n1", B1), LIFE, refuse("n1", B2, B1)) == {"p1": (3,)}
    assert broken(promise("n1", B1), refuse("n1", B2, B3)) == {}


def test_t20_a_repeated_prepare_may_be_refused() -> None:
    """The event does not tell a prepare from an accept request, so an equal ballot stands."""
    assert broken(LIFE, promise("n1", B1), refuse("n1", B1, B1)) == {}
    assert broken(LIFE, promise("n1", B1), refuse("n1", B1)) == {}


def test_p1_what_a_node_accepted_forbids_too() -> None:
    """Many acceptors take what they accept for a promise; those that do not are stricter."""
    assert broken(LIFE, accepted("n1", B2, "a"), refuse("n1", B1, B2)) == {}
    assert broken(LIFE, accepted("n1", B1, "a"), refuse("n1", B2)) == {"p1": (2,)}


def test_p1_a_reason_must_come_first_and_be_ones_own() -> None:
    """A promise made later, or by another node, forbids nothing yet."""
    assert broken(LIFE, refuse("n1", B1, B2), promise("n1", B2)) == {"p1": (1,)}
    assert broken(LIFE, promise("n2", B2), refuse("n1", B1, B2)) == {"p1": (2,)}


def test_p1_a_later_life_may_know_more_than_its_trace() -> None:
    """Killed between disk and trace, it keeps a promise that no line shows."""
    assert broken(LIFE, LIFE, refuse("n1", B1, B2)) == {}
    assert broken(refuse("n1", B1, B2)) == {}  # nobody knows which life this is


def test_p1_a_named_instance_stands_alone() -> None:
    """What was promised for another key forbids nothing here; an earlier promise stays good."""
    other = promise("n1", B2, instance="r2")
    assert broken(LIFE, other, refuse("n1", B1, B2)) == {"p1": (2,)}
    assert broken(LIFE, promise("n1", B3), other, refuse("n1", B1, B3)) == {}
    assert broken(LIFE, promise("n1", B2, instance=None), refuse("n1", B1, B2)) == {}


def test_p1_one_promise_may_cover_a_whole_log() -> None:
    """An acceptor that accepted in slot 9 may refuse in slot 3, or for all slots."""
    log = LIFE, accepted("n1", B2, "a", instance=9)
    assert broken(*log, refuse("n1", B1, B2, instance=3)) == {}
    assert broken(*log, refuse("n1", B1, B2, instance=None)) == {}
    assert broken(*log, refuse("n1", B3, instance=3)) == {"p1": (2,)}


def test_p1_no_refusal_is_no_evidence() -> None:
    """A request without an answer may never have come."""
    assert broken(LIFE, promise("n2", B1), accepted("n2", B1, "a")) == {}
