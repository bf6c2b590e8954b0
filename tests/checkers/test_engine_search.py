"""The engine's search by its Python face: budgets, witnesses, refusals, users' models."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checkers.budget import Budget
from checkers.history import Call, History, HistoryError
from checkers.linearizability import check_linearizability, check_table, engine
from checkers.linearizability.certificate import fault_of_witness
from checkers.models import MODELS, Bank, Register, model
from checkers.models.model import Model, State, Step
from checkers.notation import parse
from checkers.verdict import Kind

BUILT = pytest.mark.skipif(not engine.available(), reason="there is no engine here")

STALE = "p0 |-w1@a-| |-w2@a-| |-r1@a-| \n p1 |-w1@b-| |-r1@b-|"
HUGE = 10**30


def searched(history: History, by: Model, **limits: Any) -> Any:
    table = engine.table_of(history)
    assert table is not None
    usual: dict[str, Any] = {
        "time_s": None,
        "configurations": None,
        "memory": None,
        "threads": 2,
        "witness": False,
    }
    return engine.search(table, engine.native(by), **{**usual, **limits})


def hard() -> History:
    """Which of thirty numbers that may have been added make one?"""
    lines = [f"p{i} |-add {2**i}-?" for i in range(1, 31)]
    return parse("\n".join([*lines, "p0               |-r1-|"]))


class Raising(Register):
    """A user's model, since it is a subclass, with a bug."""

    def step(self, state: State, step: Step) -> Iterable[State]:
        if step.f == "write":
            raise ZeroDivisionError("the user's")
        return super().step(state, step)


class Unable(Register):
    """A user's model that reads no writes of 2."""

    def read(self, call: Call) -> Step | None:
        if call.input == 2:
            raise HistoryError(call.index, "two", "Write another number.")
        return super().read(call)


@pytest.mark.skipif(
    os.environ.get(engine.VARIABLE) == "off", reason=f"{engine.VARIABLE} is off: it was asked for"
)
def test_the_engine_is_there_where_it_can_be_built() -> None:
    """In continuous integration, and wherever there is Rust: all else would test half."""
    needed = os.environ.get("CI") == "true" or shutil.which("cargo") is not None
    assert engine.available() or not needed, engine.describe()


@BUILT
@pytest.mark.parametrize("name", MODELS)
def test_every_built_in_model_goes_by_its_name(name: str) -> None:
    """And the engine knows it."""
    assert isinstance(engine.native(model(name)), tuple)
    assert 0 == searched(History(()), model(name)).linearizable


@BUILT
def test_the_check_asks_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is one, Python does not search."""
    from checkers.linearizability import checker

    monkeypatch.setattr(checker, "Search", None)
    assert Kind.INVALID is check_linearizability(parse(STALE), Register()).kind


@BUILT
@pytest.mark.parametrize(
    ("reason", "limits"),
    [
        ("time", {"time_s": 0.05}),
        ("configurations", {"configurations": 1000}),
        ("memory", {"memory": 1_000_000}),
    ],
)
def test_a_limit_that_is_spent_is_the_reason(reason: str, limits: dict[str, Any]) -> None:
    """With how far the key came, and no verdict."""
    found = searched(hard(), model("counter"), **limits)
    assert (reason, 0, []) == (found.reason, found.linearizable, found.refuted)
    ((place, taken, calls),) = found.unfinished
    assert (0, 31) == (place, calls)
    assert 0 < taken <= calls


@BUILT
def test_a_witness_is_an_order_for_every_key() -> None:
    """That the verifier replays; none where nobody asked."""
    history = parse("p0 |-w1@a-| |-r2@a-| \n p1 |---w2@a---| \n p2 |-w1@b-| |-r1@b-|")
    groups = list(history.by_key().values())
    found = searched(history, Register(), witness=True)
    assert [0, 1] == [place for place, _ in found.orders]
    for place, order in found.orders:
        assert fault_of_witness(Register(), groups[place], order) is None
    assert searched(history, Register()).orders is None


@BUILT
def test_a_refutation_names_key_and_completion() -> None:
    """At which nothing was left."""
    found = searched(parse(STALE), Register())
    ((place, completion),) = found.refuted
    assert (0, "ok", "read") == (place, parse(STALE)[completion].type, parse(STALE)[completion].f)


@BUILT
@pytest.mark.parametrize("by", [Register(), Unable()])
def test_what_the_model_cannot_read_is_named(by: Model) -> None:
    """By key and index; the model finds the words."""
    history = parse("p0 |-w1-| |-w2-|" if isinstance(by, Unable) else "p0 |-w1-| |-a2-|")
    assert (0, 2) == searched(history, by).refused
    with pytest.raises(HistoryError, match="operation 2"):
        check_linearizability(history, by)


@BUILT
def test_what_a_users_model_raises_comes_out() -> None:
    """It is no verdict, and not the engine's fault."""
    with pytest.raises(ZeroDivisionError, match="the user's"):
        searched(parse("p0 |-w1-| |-r1-|"), Raising())


@pytest.mark.parametrize(
    ("by", "history", "kind"),
    [
        (model("counter"), f"p0 |-add {HUGE}-| |-r{HUGE}-|", Kind.VALID),
        (model("counter"), f"p0 |-add {HUGE}-| |-r{HUGE + 1}-|", Kind.INVALID),
        (Register(HUGE), f"p0 |-r{HUGE}-| |-w1-|", Kind.VALID),
        (Register(HUGE), f"p0 |-r{HUGE + 1}-| |-w1-|", Kind.INVALID),
        (Bank(balances={"a": HUGE}), f'p0 |-read={{"a":{HUGE}}}-|', Kind.VALID),
        (Bank(balances={"a": HUGE}), 'p0 |-read={"a":1}-|', Kind.INVALID),
    ],
)
def test_numbers_too_large_for_the_engine_are_judged_all_the_same(
    tmp_path: Path, by: Model, history: str, kind: Kind
) -> None:
    """By plain Python, from the history as from a file."""
    recorded = parse(history)
    assert kind is check_linearizability(recorded, by).kind
    table = engine.table_of(_written(tmp_path, recorded))
    if table is not None:
        assert kind is check_table(table, by).kind


def _written(folder: Path, history: History) -> Path:
    file = folder / "history.jsonl"
    file.write_bytes(msgspec.json.Encoder().encode_lines(list(history)))
    return file


@BUILT
def test_a_file_is_judged_without_python_objects_as_with_them(tmp_path: Path) -> None:
    """The same sentence and the same contradiction; a witness, too."""
    table = engine.table_of(_written(tmp_path, parse(STALE)))
    assert table is not None
    verdict, expected = (
        check_table(table, Register()),
        check_linearizability(parse(STALE), Register()),
    )
    assert (expected.summary, expected.evidence) == (verdict.summary, verdict.evidence)

    table = engine.table_of(_written(tmp_path, parse("p0 |-w1-| |-r1-|")))
    assert table is not None
    verdict = check_table(table, Register(), witness=True)
    assert [{"key": None, "order": [0, 2]}] == verdict.evidence["witness"]


@BUILT
def test_a_file_that_python_cannot_hold_stays_undecided(tmp_path: Path) -> None:
    """Where the engine's numbers do not suffice and the memory does not for Python's."""
    table = engine.table_of(_written(tmp_path, parse(f"p0 |-add {HUGE}-| |-r{HUGE}-|")))
    assert table is not None
    verdict = check_table(table, model("counter"), Budget(memory=500))
    assert (Kind.UNKNOWN, "budget") == (verdict.kind, verdict.cause)


def test_a_bank_learns_its_balances_from_the_first_read() -> None:
    """Without balances too, reads that follow it are anchors, for searcher and verifier alike."""
    moves = 'p0 |-read={"a":5,"b":5}-| |-transfer {"from":"a","to":"b","amount":1}-|'
    right, wrong = '|-read={"a":4,"b":6}-|', '|-read={"a":5,"b":6}-|'
    assert Kind.VALID is check_linearizability(parse(f"{moves} {right}"), Bank()).kind
    verdict = check_linearizability(parse(f"{moves} {right} {wrong}"), Bank())
    assert Kind.INVALID is verdict.kind, verdict.summary
    # The first read is part of what suffices: without it nothing was known.
    verdict = check_linearizability(parse(f"{moves} {wrong}"), Bank())
    assert {0, 4} <= set(verdict.evidence["contradiction"]["core"])
