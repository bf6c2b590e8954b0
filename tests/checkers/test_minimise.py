"""The calls that matter: what is left contradicts by itself."""

from __future__ import annotations

import pytest

from checkers.budget import Budget
from checkers.history import History, Operation
from checkers.linearizability import check_linearizability, minimise
from checkers.linearizability.minimise import core, minimal_history
from checkers.linearizability.window import Recorded, find_window
from checkers.models import Register, model
from checkers.notation import parse
from checkers.verdict import Kind

STALE = """
p0 |-w1-| |-w2-|        |-w3-|
p1   |-r1-|      |-r2-|        |-r1-|
p2 |-rnil-|          |-r2-|
"""


def long(rounds: int) -> History:
    """Writes and reads of growing numbers, the last read stale."""
    operations: list[Operation] = []
    for n in range(rounds):
        for f, asked, answer in (("write", n, None), ("read", None, n)):
            at = len(operations)
            told = 3 if f == "read" and n == rounds - 1 else answer
            operations.append(Operation(at, at, 0, "invoke", f, asked))
            operations.append(Operation(at + 1, at + 1, 0, "ok", f, told))
    return History(operations)


def test_the_core_is_refuted_by_itself_and_nothing_of_it_can_be_spared() -> None:
    """The stale read with what came between it and its value."""
    history = parse(STALE)
    calls = history.calls()
    window, _ = find_window(Register(), Recorded(calls), len(history) - 1, Budget())

    kept = core(Register(), window, Budget())

    assert calls[-1].index in kept or len(history) - 2 in kept
    assert len(kept) < len(calls)


def test_a_long_history_is_refuted_in_a_window() -> None:
    """Behind an anchor, and the explanation says so."""
    history = long(300)

    verdict = check_linearizability(history, Register())

    found = verdict.evidence["contradiction"]
    assert Kind.INVALID is verdict.kind
    assert "confirmed" == found["certificate"]
    assert found["start"]["operation"] > 1000
    assert f"after operation {found['start']['operation']}, read" in verdict.summary
    assert [found["start"]["operation"], found["operation"]] == found["core"]


def test_a_small_history_stands_alone() -> None:
    """Recorded operations only, and INVALID from the initial state on."""
    history = long(300)
    calls = history.calls()
    window, confirmed = find_window(Register(), Recorded(calls), len(history) - 1, Budget())
    assert confirmed

    alone = minimal_history(Register(), calls, window, Budget())

    assert "" == alone.why_not
    assert 0 < len(alone.operations) <= 12
    assert all(o in history for o in alone.operations)
    assert Kind.INVALID is check_linearizability(History(alone.operations), Register()).kind


def test_where_nothing_stands_alone_it_is_said() -> None:
    """A log read late is made of every append before it."""
    operations: list[Operation] = []
    for n in range(200):
        at = len(operations)
        value = list(range(n + 1)) if n < 199 else []
        operations += [
            Operation(at, at, 0, "invoke", "append", n),
            Operation(at + 1, at + 1, 0, "ok", "append"),
            Operation(at + 2, at + 2, 0, "invoke", "read"),
            Operation(at + 3, at + 3, 0, "ok", "read", value),
        ]
    calls = History(operations).calls()
    log = model("log")
    window, confirmed = find_window(log, Recorded(calls), len(operations) - 1, Budget())
    assert confirmed

    alone = minimal_history(log, calls, window, Budget())

    assert () == alone.operations
    assert "begins in a state" in alone.why_not


def test_the_evidence_names_a_history_that_stands_alone() -> None:
    """Only where it was asked for; judged by itself it is INVALID."""
    history = long(300)

    asked = check_linearizability(history, Register(), alone=True).evidence["contradiction"]
    plain = check_linearizability(history, Register()).evidence["contradiction"]

    assert "alone" not in plain
    assert "" == asked["alone"]["why_not"]
    named = set(asked["alone"]["operations"])
    some = [c for c in history.calls() if c.index in named]
    operations = [o for c in some for o in (c.invoke, c.completion) if o is not None]
    kept = sorted((o for o in operations if o.index <= asked["known_with"]), key=lambda o: o.index)
    assert 0 < len(named) <= 6
    assert Kind.INVALID is check_linearizability(History(kept), Register()).kind


def test_among_too_many_calls_no_history_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would all have to be held; it is said."""
    monkeypatch.setattr(minimise, "_SEARCHED_MAX", 100)

    verdict = check_linearizability(long(300), Register(), alone=True)

    alone = verdict.evidence["contradiction"]["alone"]
    assert [] == alone["operations"]
    assert "among the key's 600 calls" in alone["why_not"]
