"""The verifier: it believes no verdict that it has not checked."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import checkers.linearizability.certificate as certificate
from checkers.budget import Budget
from checkers.history import History, Operation
from checkers.linearizability import checker, window
from checkers.linearizability.certificate import fault_of_witness, refuted
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
        ([W1, W2, R2, W1], f"operation {W1} is too late, occurs twice"),
        ([W2, W1, R2], f"operation {R2}, read -> 2, is illegal in its place"),
        ([W1, R2, W2], f"operation {R2}, read -> 2, is illegal in its place"),
        ([W1, W2, R2, 99], "operation 99 is too late, occurs twice, or is none"),
        ([W2, R2, W1], f"operation {W1} is too late"),
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


LATER = parse(
    """
    p0 |-w1-|      |-w2-|       |-r2-|
    p1       |-r1-|      |-r2-|        |-r1-|
    """
).calls()


def test_a_window_begins_behind_an_anchor() -> None:
    """What returned before the anchor was invoked is not looked at, whatever it was."""
    anchor = next(c.index for c in LATER if c.output == 2)
    window = [c for c in LATER if c.index >= anchor]

    assert refuted(Register(), LATER, Budget(), anchor) is True
    assert refuted(Register(), window, Budget(), anchor) is True
    assert refuted(Register(), window[:2], Budget(), anchor) is False


@pytest.mark.parametrize("anchor", [LATER[0].index, LATER[0].index + 1, 10**6])
def test_a_call_that_leaves_the_state_open_is_no_anchor(anchor: int) -> None:
    """A write, a completion, or no call at all."""
    assert refuted(Register(), LATER, Budget(), anchor) is False


def test_a_call_that_never_returned_is_no_anchor() -> None:
    """A cas of unknown outcome requires a state, and may not have happened."""
    calls = parse("p0 |-c7>8-? \n p1      |-r9-|").calls()

    assert refuted(model("cas-register"), calls[:1], Budget(), calls[0].index) is False


@pytest.mark.parametrize(
    "picture",
    [
        "p0 |-w1-| |---r1---| |-r2-| \n p1      |-w2------------|",
        "p0 |-w1-| |---r1---| |-r2-| \n p1 |-w2-?",
        "p0 |-w1-| |---r1---| |-r2-| \n p1         |-w2-|",
        "p0 |-w1-| |---r1---| |-r1-| \n p1         |-w2-|",
    ],
)
def test_what_overlaps_the_anchor_may_come_before_or_after(picture: str) -> None:
    """Windows of linearizable histories are not refuted."""
    calls = parse(picture).calls()
    anchor = next(c.index for c in calls if c.output == 1)

    assert refuted(Register(), calls, Budget(), anchor) is False
    assert refuted(Register(), calls, Budget(), anchor, endless=True) is False


def test_endless_crashed_calls_only_hide() -> None:
    """A crashed write that is needed twice: refuted only where it is counted."""
    calls = parse("p0 |-w1-? \n p1    |-w2-| |-r1-| |-w2-| |-r1-|").calls()

    assert refuted(Register(), calls, Budget()) is True
    assert refuted(Register(), calls, Budget(), endless=True) is False


def test_fifty_thousand_crashed_writes_are_one() -> None:
    """What nothing can observe is alike: the work does not grow with their number."""
    operations = [Operation(i, i, i, "invoke", "write", i) for i in range(50_000)]
    operations += parse_at("p0 |-w-1-| |-r-2-|", 50_000)
    anchorless = History(operations).calls()
    budget = Budget(time_s=None, configurations=100)

    assert refuted(Register(), anchorless, budget, endless=True) is True


def parse_at(picture: str, index: int) -> list[Operation]:
    return [
        Operation(index + o.index, index + o.time, index, o.type, o.f, o.value)
        for o in parse(picture)
    ]


def test_an_unconfirmed_contradiction_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the verifier runs out of budget, or disagrees, the verdict is UNKNOWN and says so."""
    history = parse("p0 |-w1-| |-r2-|")

    def spent(_m: object, _c: object, budget: Budget, *_: object, **__: object) -> None:
        budget.exhaust("time")

    monkeypatch.setattr(window, "refuted", spent)
    verdict = checker.check_linearizability(history, Register())
    assert (Kind.UNKNOWN, "budget") == (verdict.kind, verdict.cause)
    assert verdict.evidence["contradiction"]["certificate"] == "unconfirmed"

    monkeypatch.setattr(window, "refuted", lambda *_, **__: False)
    verdict = checker.check_linearizability(history, Register())
    assert (Kind.UNKNOWN, "error") == (verdict.kind, verdict.cause)
    assert "bug of the checker" in verdict.summary


def test_a_witness_that_cannot_be_replayed_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """VALID needs a witness too."""
    monkeypatch.setattr(checker, "fault_of_witness", lambda *_: "it is not")

    verdict = checker.check_linearizability(parse("p0 |-w1-|"), Register(), witness=True)

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
