"""The checker over an engine: the same verdicts and evidence, whoever searched."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from checkers.budget import Budget
from checkers.history import History, HistoryError
from checkers.linearizability import check_linearizability, check_table, checker
from checkers.models import Register
from checkers.notation import parse
from checkers.verdict import Kind

STALE = "p0 |-w1@a-| |-w2@a-| |-r1@a-| \n p1 |-w1@b-| |-r1@b-|"


class FakeTable:
    """A table of a history."""

    def __init__(self, history: History) -> None:
        self._groups = list(history.by_key().values())
        self.keys = len(self._groups)

    def key(self, place: int) -> Any:
        return self._groups[place][0].key

    def calls_of(self, place: int) -> int:
        return len(self._groups[place])

    def rows(self, place: int, since: int, until: int) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        for c in self._groups[place]:
            end = None if c.completion is None or c.outcome == "info" else c.completion.index
            if c.index < until and (end is None or end >= since):
                rows.append(
                    (c.index, end, c.outcome, c.invoke.process, c.f, c.input, c.output, "", (0, 0))
                )
        return rows


def outcome(**said: Any) -> SimpleNamespace:
    whole: dict[str, Any] = {
        "linearizable": 0,
        "judged": True,
        "refuted": [],
        "unfinished": [],
        "refused": None,
        "reason": None,
        "orders": None,
    }
    return SimpleNamespace(**{**whole, **said})


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets what the engine answers."""

    def answer(**said: Any) -> None:
        fake = SimpleNamespace(
            available=lambda: True,
            table_of=FakeTable,
            native=lambda model: model,
            search=lambda *_, **__: outcome(**said),
        )
        monkeypatch.setattr(checker, "engine", fake)

    return answer


@pytest.mark.parametrize("whole", [True, False])
def test_a_contradiction_has_the_evidence_of_the_plain_search(engine: Any, whole: bool) -> None:
    """From a history of Python objects, and from a table alone."""
    history = parse(STALE)
    plain = check_linearizability(history, Register())
    end = plain.evidence["contradiction"]["completion"]
    engine(linearizable=1, refuted=[(0, end)])

    verdict = (
        check_linearizability(history, Register())
        if whole
        else check_table(FakeTable(history), Register())  # type: ignore[arg-type]
    )

    assert Kind.INVALID is verdict.kind
    assert plain.summary == verdict.summary
    assert plain.evidence["contradiction"] == verdict.evidence["contradiction"]


def test_a_contradiction_that_is_none_is_no_verdict(engine: Any) -> None:
    """The engine is not believed."""
    engine(refuted=[(0, 3)])

    verdict = check_linearizability(parse("p0 |-w1-| |-r1-|"), Register())

    assert (Kind.UNKNOWN, "error") == (verdict.kind, verdict.cause)


def test_a_witness_of_the_engine_is_replayed(engine: Any) -> None:
    """A wrong one is no verdict."""
    history = parse("p0 |-w1-| |-r1-|")
    engine(linearizable=1, orders=[(0, [0, 2])])
    right = check_linearizability(history, Register(), witness=True)
    engine(linearizable=1, orders=[(0, [2, 0])])
    wrong = check_linearizability(history, Register(), witness=True)

    assert (Kind.VALID, [{"key": None, "order": [0, 2]}]) == (
        right.kind,
        right.evidence["witness"],
    )
    assert (Kind.UNKNOWN, "error") == (wrong.kind, wrong.cause)


def test_what_the_engine_refuses_python_names(engine: Any) -> None:
    """The model's own words."""
    engine(refused=(0, 2))

    with pytest.raises(HistoryError, match="operation 2"):
        check_linearizability(parse("p0 |-w1-| |-a2-|"), Register())


@pytest.mark.parametrize("said", [{"refused": (0, 2)}, {"reason": "trouble"}])
@pytest.mark.parametrize("seen", [1, 2])
def test_what_the_engine_alone_refuses_python_judges(
    engine: Any, said: dict[str, Any], seen: int
) -> None:
    """From a history of Python objects, and from a table alone."""
    history = parse(f"p0 |-w1-| |-r{seen}-|")
    engine(**said)

    for verdict in (
        check_linearizability(history, Register()),
        check_table(FakeTable(history), Register()),  # type: ignore[arg-type]
    ):
        assert (Kind.VALID if seen == 1 else Kind.INVALID) is verdict.kind, verdict.summary


def test_a_budget_that_the_engine_spent_is_unknown(engine: Any) -> None:
    """With how far it came."""
    engine(reason="memory", unfinished=[(0, 1, 2)])

    verdict = check_linearizability(
        parse("p0 |-w1-| |-r1-|"), Register(), Budget(memory=64_000_000)
    )

    assert (Kind.UNKNOWN, "budget") == (verdict.kind, verdict.cause)
    assert "more than 64 MB" in verdict.summary
    assert [{"key": None, "events": 1, "of": 2}] == verdict.evidence["unfinished"]


@pytest.mark.parametrize("limit", ["time", "memory", "configurations"])
def test_a_spent_budget_takes_nothing_from_what_is_decided(engine: Any, limit: str) -> None:
    """Every key is linearizable: that the limit was reached meanwhile says nothing more."""
    engine(linearizable=1, reason=limit)

    verdict = check_linearizability(parse("p0 |-w1-| |-r1-|"), Register(), Budget(time_s=0.001))

    assert Kind.VALID is verdict.kind, verdict.summary


@pytest.mark.parametrize("limit", ["time", "memory", "configurations"])
def test_the_evidence_names_the_limit_that_was_spent(engine: Any, limit: str) -> None:
    """So that a remedy can."""
    engine(reason=limit, unfinished=[(0, 1, 2)])

    verdict = check_linearizability(parse("p0 |-w1-| |-r1-|"), Register())

    assert (Kind.UNKNOWN, limit) == (verdict.kind, verdict.evidence["limit"])


def test_nothing_judged_is_no_coverage(engine: Any) -> None:
    """The engine says whether any call constrained anything."""
    engine(linearizable=1, judged=False)

    verdict = check_linearizability(parse("p0 |-w1-!"), Register())

    assert (Kind.UNKNOWN, "coverage") == (verdict.kind, verdict.cause)
