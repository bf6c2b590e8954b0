"""Histories drawn by hand: what the checker must accept, and what it must reject."""

from __future__ import annotations

import pytest

from checkers.linearizability import check_linearizability
from checkers.linearizability.certificate import fault_of_witness
from checkers.models import model
from checkers.notation import parse
from checkers.verdict import Kind, Verdict


def check(name: str, picture: str) -> Verdict:
    """The verdict on a picture; the witness of a VALID is replayed."""
    history = parse(picture)
    m = model(name)
    verdict = check_linearizability(history, m, witness=True)
    keys = history.by_key()
    for witness in verdict.evidence.get("witness", ()):
        assert fault_of_witness(m, keys[witness["key"]], witness["order"]) is None
    return verdict


ACCEPTED = {
    "concurrent calls take effect in either order": (
        "register",
        """
        p0 |--w1--|
        p1 |--w2--|
        p2          |-r1-|
        p3                 |-r1-|
        """,
    ),
    "a read may see a write that has not returned": (
        "register",
        """
        p0 |-----w1-----|
        p1    |-r1-|
        """,
    ),
    "a write of unknown outcome takes effect much later": (
        "register",
        """
        p0 |-w1-?
        p1         |-w2-|
        p2                |-r2-|
        p3                       |-r1-|
        """,
    ),
    "a write of unknown outcome never takes effect": (
        "register",
        """
        p0 |-w1- ...
        p1         |-rnil-|
        """,
    ),
    "a write that is overwritten at once need not be seen": (
        "register",
        """
        p0 |--w1--|
        p1 |--w2--|
        p2  |--w3--|
        p3           |-r2-|
        """,
    ),
    "a read of unknown outcome says nothing": (
        "register",
        """
        p0 |-w1-|
        p1        |-r-?
        """,
    ),
    "a cas fails by its convention and says nothing": (
        "cas-register",
        """
        p0 |-w1-|
        p1        |-c1>2-!
        p2                 |-r1-|
        """,
    ),
    "a cas of unknown outcome took effect": (
        "cas-register",
        """
        p0 |-w1-|
        p1        |-c1>2-?
        p2                 |-r2-|
        """,
    ),
    "a cas of unknown outcome did not take effect": (
        "cas-register",
        """
        p0 |-w1-|
        p1        |-c1>2-?
        p2                 |-r1-|
        """,
    ),
    "a cas did not match before a concurrent write": (
        "cas-register",
        """
        p0 |----w1----|
        p1  |-c1>2-!=
        p2              |-r1-|
        """,
    ),
    "appends of unknown outcome fill the gaps": (
        "log",
        """
        p0 |-a1-|
        p1        |-a2-?
        p2                |-a3-|
        p3                       |-r[1,2,3]-|
        """,
    ),
    "the chosen value may be learnt late": (
        "consensus",
        """
        p0 |-p1=1-|
        p1          |-rnil-|
        p2                   |-p2=1-|
        """,
    ),
    "a proposal of unknown outcome was chosen": (
        "consensus",
        """
        p0 |-p1-?
        p1          |-p2=1-|
        """,
    ),
    # Same state, same free calls: but in one configuration a cas is done, in the other it is open.
    "a cas that changes nothing leaves the other possible": (
        "cas-register",
        """
        p0 |-w2- ...
        p1 |-c2>2-|
        p2 |-c2>1-|
        """,
    ),
    "a state that was lost is of use again": (
        "kv",
        """
        p0 |-put "a"-|
        p1              |-put "a"-|
        p2                           |-get="a"-|
        """,
    ),
    "a state is of use to a read that is not the next to return": (
        "register",
        """
        p0 |----rnil---|
        p1 |-w2-| |-r2-|
        """,
    ),
    # A put hides an append, and the state that a read saw is of no use to the read after it: the
    # same state is of use at one return and lost at the next.
    "a state is lost only after its last observer": (
        "kv",
        """
        p0 |-append "a"------------------------------?
        p1  |-append "b"-?
        p2   |-put "b"-------------------------------------|
        p3    |-get="b"------|
        p4                 |-get="a"---------|
        """,
    ),
}

REJECTED = {
    "a stale read": (
        "register",
        """
        p0 |-w1-|
        p1        |-w2-|
        p2               |-r1-|
        """,
    ),
    "a read of what was never written": ("register", "p0 |-r1-|"),
    "a value that comes back": (
        "register",
        """
        p0 |------w1------|
        p1 |------w2------|
        p2   |-r1-|
        p3          |-r2-|
        p4                  |-r1-|
        """,
    ),
    "two reads that disagree about the order": (
        "register",
        """
        p0 |--w1--|
        p1 |--w2--|
        p2          |-r1-|
        p3                 |-r2-|
        """,
    ),
    "a write that failed and is seen": (
        "register",
        """
        p0 |-w1-!
        p1        |-r1-|
        """,
    ),
    "true is not 1": (
        "register",
        """
        p0 |-w1-|
        p1        |-rtrue-|
        """,
    ),
    "an unknown write is seen twice": (
        "register",
        """
        p0 |-w1-?
        p1        |-r1-|
        p1               |-w2-|
        p1                      |-r2-|
        p1                             |-r1-|
        """,
    ),
    "two cas take the same value": (
        "cas-register",
        """
        p0 |-w1-|
        p1        |-c1>2-|
        p2        |-c1>3-|
        """,
    ),
    "a cas that must have matched and is said not to": (
        "cas-register",
        """
        p0 |-w1-|
        p1        |-c1>2-!=
        """,
    ),
    "an element that is lost": (
        "log",
        """
        p0 |-a1-|
        p1        |-a2-|
        p2               |-r[1]-|
        """,
    ),
    "an order that two reads see differently": (
        "log",
        """
        p0 |--a1--|
        p1 |--a2--|
        p2          |-r[1,2]-|
        p3                     |-r[2,1]-|
        """,
    ),
    "two values are chosen": (
        "consensus",
        """
        p0 |-p1=1-|
        p1          |-p2=2-|
        """,
    ),
    "a value is chosen that nobody had proposed yet": (
        "consensus",
        """
        p0 |-p1=2-|
        p1          |-p2=2-|
        """,
    ),
    "two processes hold the lock": (
        "lock",
        """
        p0 |-acquire-|
        p1             |-acquire-|
        """,
    ),
    "an append that overtakes": (
        "kv",
        """
        p0 |-append "a"-|
        p1                |-append "b"-|
        p2                               |-get="ba"-|
        """,
    ),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepts(case: str) -> None:
    """What a correct object could have answered is VALID, with a witness."""
    name, picture = ACCEPTED[case]

    verdict = check(name, picture)

    assert Kind.VALID is verdict.kind, verdict.summary
    assert len(verdict.evidence["witness"]) == 1


@pytest.mark.parametrize("case", REJECTED)
def test_rejects(case: str) -> None:
    """What no correct object answers is INVALID, confirmed by the verifier."""
    name, picture = REJECTED[case]

    verdict = check(name, picture)

    assert Kind.INVALID is verdict.kind, verdict.summary
    assert verdict.evidence["contradiction"]["certificate"] == "confirmed"
