"""Echoes, identifiers, fencing tokens and digests: answers that need no search."""

from __future__ import annotations

import pytest

from checkers.answers import Echoed, UniqueIds
from checkers.fencing import FencingTokens
from checkers.history import History, HistoryError
from checkers.linearizability import check_linearizability
from checkers.models import TokenLock
from checkers.replicas import ReplicasEqual
from checkers.verdict import Kind, Recording, StateDigest, Verdict
from tests.checkers.lines import Lines, call, judged, recorded


@pytest.mark.parametrize(("sent", "answered"), [(1, 2), (1, True), ("a", None), ([1], [1, 2])])
def test_an_echo_that_changed_is_invalid(sent: object, answered: object) -> None:
    """As JSON: 1 is not true."""
    verdict = judged(Echoed(), *call(1, "echo", sent, answered))

    assert (Kind.INVALID, [0]) == (verdict.kind, verdict.evidence["operations"])


def test_an_echo_that_did_not_change_is_valid() -> None:
    """And one that did not come says nothing."""
    same = {"b": [1, None], "a": "é"}
    assert Kind.VALID is judged(Echoed(), *call(1, "echo", same, dict(sorted(same.items())))).kind
    assert Kind.UNKNOWN is judged(Echoed(), *call(1, "echo", 1, 2, "info")).kind


def test_an_identifier_given_out_twice_is_invalid() -> None:
    """By whichever nodes, however far apart."""
    lines = [*call(1, "generate", None, "a"), *call(2, "generate", None, "b")]
    assert Kind.VALID is judged(UniqueIds(), *lines).kind

    verdict = judged(UniqueIds(), *lines, *call(3, "generate", None, "a"))
    assert (Kind.INVALID, [0, 4]) == (verdict.kind, verdict.evidence["operations"])
    assert Kind.INVALID is judged(UniqueIds(), *call(1, "generate")).kind
    assert Kind.UNKNOWN is judged(UniqueIds(), *call(1, "generate", None, "a", "info")).kind


def acquire(process: int, token: object) -> Lines:
    return call(process, "acquire", None, {"token": token})


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ([*acquire(1, 7), *acquire(2, 7)], "repeated"),
        ([*acquire(1, 7), *acquire(2, 6)], "decreasing"),
        (["1 invoke acquire null", *acquire(2, 7), '1 ok acquire {"token": 7}'], "repeated"),
    ],
)
def test_a_token_that_does_not_grow_is_invalid(lines: list[str], kind: str) -> None:
    """A grant of the past could be taken for that of the present."""
    verdict = judged(FencingTokens(), *lines, key="k")

    assert (Kind.INVALID, kind) == (verdict.kind, verdict.evidence["kind"])


def test_tokens_of_grants_that_overlap_may_come_in_any_order() -> None:
    """And a lease may be another's while its holder believes in it: that is told, not judged."""
    overlapping = ["1 invoke acquire null", *acquire(2, 7), '1 ok acquire {"token": 6}']
    assert Kind.VALID is judged(FencingTokens(), *overlapping).kind

    two = [*acquire(1, 6), *acquire(2, 7)]
    assert 1 == judged(FencingTokens(lease_ttl_s=10), *two).evidence["overlaps"]
    assert 0 == judged(FencingTokens(lease_ttl_s=1), *two).evidence["overlaps"]
    released = [*acquire(1, 6), *call(1, "release"), *acquire(2, 7)]
    assert 0 == judged(FencingTokens(lease_ttl_s=10), *released).evidence["overlaps"]


def test_a_lock_without_its_token_is_refused() -> None:
    """The client is at fault, and the operation is named."""
    for value in ({"token": None}, {}, None, {"token": True}):
        with pytest.raises(HistoryError, match="operation 1"):
            judged(FencingTokens(), *call(1, "acquire", None, value))
    assert Kind.UNKNOWN is judged(FencingTokens(), *call(1, "release")).kind
    alone = judged(FencingTokens(), *call(1, "acquire", None, 3))
    assert Kind.UNKNOWN is alone.kind, "no token was compared with another"


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ([*acquire(1, 6), *call(1, "release"), *acquire(2, 7)], Kind.VALID),
        ([*acquire(1, 6), *acquire(2, 7)], Kind.INVALID),
        ([*acquire(1, 6), *call(1, "release"), *acquire(2, 6)], Kind.INVALID),
        ([*call(1, "acquire", outcome="info"), *acquire(2, 7)], Kind.VALID),
        ([*acquire(1, 6), *call(1, "release", outcome="info"), *acquire(2, 7)], Kind.VALID),
        ([*acquire(1, 6), *call(1, "release", outcome="fail"), *acquire(2, 7)], Kind.INVALID),
        ([*acquire(1, 6), *call(2, "acquire", outcome="fail")], Kind.VALID),
    ],
)
def test_two_holders_at_once_contradict_a_lock_with_tokens(lines: list[str], kind: Kind) -> None:
    """An acquire of unknown outcome may hold the lock or not; a release may come at any time."""
    assert kind is check_linearizability(recorded(*lines).history, TokenLock()).kind


def of_replicas(*digests: tuple[str, int, str]) -> Verdict:
    told = tuple(StateDigest(*digest) for digest in digests)
    return ReplicasEqual().check(Recording(history=History(()), digests=told))


def test_replicas_that_differ_at_one_position_are_invalid() -> None:
    """The evidence says which nodes have which value."""
    verdict = of_replicas(("n1", 5, "a"), ("n2", 5, "b"), ("n3", 5, "a"))

    assert Kind.INVALID is verdict.kind
    assert {"a": ["n1", "n3"], "b": ["n2"]} == verdict.evidence["values"]


def test_replicas_at_different_positions_are_not_compared() -> None:
    """One may only be slower; where no two are at one position nothing is known."""
    assert Kind.VALID is of_replicas(("n1", 5, "a"), ("n2", 5, "a"), ("n3", 4, "b")).kind
    for digests in ((), (("n1", 5, "a"),), (("n1", 5, "a"), ("n2", 4, "b"))):
        assert Kind.UNKNOWN is of_replicas(*digests).kind
    assert Kind.UNKNOWN is of_replicas(("n1", 5, "a"), ("n1", 5, "a")).kind
