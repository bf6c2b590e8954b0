"""The verifier: it believes no verdict that it has not checked."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import checkers.linearizability.certificate as certificate
from checkers.budget import Budget
from checkers.linearizability import checker
from checkers.linearizability.certificate import Sketch, fault_of_witness, refuted
from checkers.models import Register, model
from checkers.notation import parse
from checkers.verdict import Kind

CALLS = parse(
    """
    p0 |--w1--|            # 0
    p1    |--w2--|
    p2               |-r2-|
    p3 |-w3-----------------?
    """.replace("# 0", "")
).calls()
W1, W3, W2, R2 = (call.index for call in CALLS)


@pytest.mark.parametrize("order", [[W1, W2, R2], [W3, W1, W2, R2], [W1, W2, R2, W3]])
def test_a_witness_is_replayed(order: list[int]) -> None:
    """Calls of unknown outcome may stand in it or be left out."""
    assert fault_of_witness(Register(), CALLS, order) is None


@pytest.mark.parametrize(
    ("order", "fault"),
    [
        ([W1, W2], f"operation {R2} is missing"),
        ([W1, W2, R2, W1], "a call occurs twice"),
        ([W2, W1, R2], f"operation {R2}, read -> 2, is illegal"),
        ([W1, R2, W2], f"operation {R2}, read -> 2, is illegal"),
        ([W1, W2, R2, 99], "operation 99 constrains nothing"),
        ([W2, R2, W1], f"operation {W1} had returned before operation {R2} was invoked"),
    ],
)
def test_a_wrong_witness_is_refused(order: list[int], fault: str) -> None:
    """Every call that returned, once, legal in its place, and true to real time."""
    found = fault_of_witness(Register(), CALLS, order)

    assert found is not None
    assert fault in found


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ("p0 |-w1-| |-r1-|", False),
        ("p0 |-w1-| |-r2-|", True),
        ("p0 |-w1-? \n p1  |-r1-| |-rnil-|", True),
        ("p0 |-w1-? \n p1  |-rnil-| |-r1-|", False),
        ("p0 |-w1-! \n p1         |-r1-|", True),
    ],
)
def test_a_contradiction_is_derived_anew(picture: str, expected: bool) -> None:
    """The invariant dies out exactly where there is no linearization."""
    assert expected is refuted(Register(), parse(picture).calls(), Budget())


def test_a_contradiction_is_not_certain_without_budget() -> None:
    """None is neither yes nor no."""
    budget = Budget(time_s=0.0)

    assert refuted(Register(), parse("p0 |-w1-| |-r2-|").calls(), budget) is None
    assert "0 s" in budget.reason


def test_a_sketch_covers_what_it_stands_for() -> None:
    """Covers is set inclusion of the configurations that sketches stand for."""
    sketches = [Sketch(0, done, free) for done in range(8) for free in range(8) if not done & free]
    for one in sketches:
        for other in sketches:
            stands_for = [
                {
                    s
                    for s in range(8)
                    if not sketch.done & ~s and not s & ~(sketch.done | sketch.free)
                }
                for sketch in (one, other)
            ]
            assert (stands_for[0] >= stands_for[1]) is one.covers(other)


def test_an_unconfirmed_contradiction_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the verifier runs out of budget, or disagrees, the verdict is UNKNOWN and says so."""
    history = parse("p0 |-w1-| |-r2-|")

    monkeypatch.setattr(checker, "refuted", lambda *_: None)
    verdict = checker.check_linearizability(history, Register())
    assert (Kind.UNKNOWN, "budget") == (verdict.kind, verdict.cause)
    assert verdict.evidence["contradiction"]["certificate"] == "unconfirmed"

    monkeypatch.setattr(checker, "refuted", lambda *_: False)
    verdict = checker.check_linearizability(history, Register())
    assert (Kind.UNKNOWN, "error") == (verdict.kind, verdict.cause)
    assert "bug of the checker" in verdict.summary


def test_a_witness_that_cannot_be_replayed_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """VALID needs a witness too."""
    monkeypatch.setattr(checker, "fault_of_witness", lambda *_: "it is not")

    verdict = checker.check_linearizability(parse("p0 |-w1-|"), Register())

    assert (Kind.UNKNOWN, "error") == (verdict.kind, verdict.cause)


def test_the_verifier_shares_no_code_with_the_search() -> None:
    """It imports the models, the history and the budget; what is wrong in the search is not wrong
    here as well."""
    source = Path(certificate.__file__).read_text()
    imported = {
        node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)
    }

    ours = {name for name in imported if name is not None and name.startswith("checkers")}
    assert {"checkers.budget", "checkers.history", "checkers.models.model"} == ours


def test_confirms_where_states_are_forgotten() -> None:
    """Twelve concurrent appends under a put: all orders are one forgotten state."""
    lines = [f'p{i} |-append "{chr(97 + i)}"----|' for i in range(12)]
    lines.append('p20 |-put "z"-----------| |-get="y"-|')
    calls = parse("\n".join(lines)).calls()

    assert refuted(model("kv"), calls, Budget(time_s=None, configurations=5_000)) is True
