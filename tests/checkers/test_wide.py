"""Very many calls open at once: a contradiction that the verifier could not hold as recorded."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from checkers.budget import Budget
from checkers.history import Call, History, Operation
from checkers.linearizability import check_linearizability, window
from checkers.linearizability.brute import linearizable
from checkers.linearizability.certificate import refuted
from checkers.linearizability.window import loosened
from checkers.models import model
from checkers.verdict import Kind

WRITES = [("write", n, n) for n in range(60)]


def at_once(calls: list[tuple[str, Any, Any]]) -> History:
    """All of them, (f, input, output), invoked before the first returns."""
    ends = [(p, "ok", f, output) for p, (f, _, output) in enumerate(calls)]
    lines = [*((p, "invoke", f, value) for p, (f, value, _) in enumerate(calls)), *ends]
    return History(
        Operation(at, at, process, kind, f, value)  # type: ignore[arg-type]
        for at, (process, kind, f, value) in enumerate(lines)
    )


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verifier has no room for so many."""
    monkeypatch.setattr(window, "_ROOM", 300)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize(
    ("name", "calls"),
    [
        ("register", [*WRITES, ("read", None, -7)]),
        ("register", [("read", None, -7), *WRITES]),
        ("cas-register", [("cas", [n % 5, (n + 1) % 5], None) for n in range(60)]),
    ],
    ids=["the read returns last", "the read returns first", "nothing matches"],
)
def test_what_no_call_can_explain_is_refuted(name: str, calls: list[tuple[str, Any, Any]]) -> None:
    """By the call to blame, whatever the others did."""
    verdict = check_linearizability(at_once(calls), model(name))

    assert Kind.INVALID is verdict.kind, verdict.summary
    found = verdict.evidence["contradiction"]
    assert "confirmed" == found["certificate"]
    assert not found["complete"]


@pytest.mark.usefixtures("narrow")
def test_what_only_the_order_refutes_stays_unknown() -> None:
    """The value that is read was written, and overwritten long before."""
    early = [Operation(0, 0, 99, "invoke", "write", -7), Operation(1, 1, 99, "ok", "write", -7)]
    over = [Operation(2, 2, 99, "invoke", "write", -8), Operation(3, 3, 99, "ok", "write", -8)]
    later = [
        Operation(o.index + 4, o.time + 4, o.process, o.type, o.f, o.value)
        for o in at_once([*WRITES, ("read", None, -7)])
    ]

    verdict = check_linearizability(History([*early, *over, *later]), model("register"))

    assert (Kind.UNKNOWN, "memory") == (verdict.kind, verdict.evidence.get("limit"))


def test_the_loosened_calls_explain_all_that_the_recorded_ones_do() -> None:
    """A linearizable history stays so, and the standing calls stand."""
    calls = at_once([("write", 1, 1), ("write", 2, 2), ("write", 2, 2), ("read", None, 2)]).calls()

    weaker = loosened(model("register"), calls, None)

    assert [calls[3]] == [c for c in weaker if c.completion is not None]
    assert [Call(c.invoke, None) for c in calls[:2]] == weaker[:2]
    assert 3 == len(weaker)


def drawn(random: Random) -> History:
    """Six calls of three processes on a register with compare-and-set, with any answers."""
    lines: list[Operation] = []
    busy: dict[int, Operation] = {}
    left = 6
    while left or busy:
        process, at = random.randrange(3), len(lines)
        begun = busy.pop(process, None)
        if begun is not None:
            seen = random.randrange(3) if begun.f == "read" else begun.value
            lines.append(Operation(at, at, process, "ok", begun.f, seen))
        elif left:
            left -= 1
            f = random.choice(["read", "write", "cas"])
            value = {"read": None, "write": random.randrange(3)}.get(f, [0, random.randrange(3)])
            busy[process] = Operation(at, at, process, "invoke", f, value)
            lines.append(busy[process])
    return History(lines)


def test_nothing_linearizable_is_refuted_when_it_is_loosened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Against the permutations, with one call that stands; and some of the others are refuted."""
    monkeypatch.setattr(window, "_STANDING", 1)
    register, refuted_of = model("cas-register"), {True: 0, False: 0}
    for seed in range(300):
        calls = drawn(Random(seed)).calls()
        weaker = loosened(register, calls, None)
        if refuted(register, weaker, Budget(), None, endless=True):
            refuted_of[linearizable(register, calls)] += 1

    assert 0 == refuted_of[True]
    assert 0 < refuted_of[False]
