"""The engine's table holds what History holds, and refuses what it refuses."""

from __future__ import annotations

import enum
import os
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.history import History, Operation, freeze
from checkers.linearizability import engine
from checkers.models import MODELS, Register
from tests.checkers.tables import FOREIGN, VALUES, held, histories, rows

if not engine.available():
    pytest.skip(f"no engine: {engine.why_not()}", allow_module_level=True)

from checkers._engine import Table, Unreadable


@settings(deadline=None)
@given(histories())
def test_a_table_of_operations_holds_the_calls_of_the_history(history: History) -> None:
    """Calls, keys, values and outcomes are those of History, in the same order."""
    assert held(history) == rows(Table.of(history))


@settings(deadline=None)
@given(histories(FOREIGN))
def test_values_that_are_no_json(history: History) -> None:
    """What only Python can hold comes back, equal as it is once frozen."""
    assert held(history) == rows(Table.of(history))


@settings(deadline=None)
@given(st.lists(FOREIGN | VALUES, min_size=2, max_size=5))
def test_values_are_one_exactly_where_they_are_equal_once_frozen(values: list[Any]) -> None:
    """Rule 1 of values: a key for each distinct frozen value, in the order of first use."""
    operations = [
        Operation(place, 0, place, "invoke", "read", None, value)
        for place, value in enumerate(values)
    ]
    table = Table.of(operations)

    keys = list(History(operations).by_key())
    assert keys == [freeze(table.key(place)) for place in range(table.keys)]


def test_a_list_that_holds_itself() -> None:
    """It is nested without an end, and refused."""
    value: list[Any] = []
    value.append(value)

    with pytest.raises(Unreadable):
        Table.of([Operation(0, 0, 0, "invoke", "write", value)])


class Colour(enum.IntEnum):
    RED = 1
    FAR = 2**80


def test_numbers_of_other_types() -> None:
    """Members of an enumeration are the integers they are; numbers equal their equals."""
    equal = [[Colour.RED, 1, 1.0, Fraction(1), Decimal("1.0"), np.int64(1)], [Colour.FAR, 2**80]]
    for values in equal:
        operations = [Operation(i, 0, i, "invoke", "f", None, v) for i, v in enumerate(values)]
        assert Table.of(operations).keys == 1


def test_integers_that_python_does_not_write_down() -> None:
    """One of more digits than Python would print is a value like any other."""
    huge = 10**5000
    history = History([Operation(0, 0, 0, "invoke", "write", [huge, huge + 1])])

    assert rows(Table.of(history)) == held(history)


def test_members_whose_names_are_the_same_once_frozen() -> None:
    """Frozen, 1 and "1" both count; a table holds the object as it is."""
    history = History([Operation(0, 0, 0, "invoke", "write", {1: 2, "1": 3, "a": 4})])

    assert rows(Table.of(history)) == held(history)


@pytest.mark.parametrize(
    "operation",
    [
        Operation(2**63, 0, 0, "invoke", "read"),
        Operation(0, 2**63, 0, "invoke", "read"),
        Operation(0, 0, 1.5, "invoke", "read"),  # type: ignore[arg-type]
        Operation(0, 0, 0, "begin", "read"),  # type: ignore[arg-type]
        Operation(0, 0, 0, "invoke", 3),  # type: ignore[arg-type]
        Operation(0, 0, 0, "invoke", "\ud800"),
    ],
)
def test_what_the_engine_leaves_to_python(operation: Operation) -> None:
    """Beyond its limits the engine does not take a history; it never changes one."""
    with pytest.raises(Unreadable):
        Table.of([operation])


def test_rows_of_a_window() -> None:
    """Those invoked before its end that had not returned before its beginning."""
    history = [
        Operation(0, 0, 0, "invoke", "a"),
        Operation(1, 0, 1, "invoke", "b"),
        Operation(2, 0, 2, "invoke", "c"),
        Operation(3, 0, 2, "info", "c"),
        Operation(4, 0, 0, "ok", "a"),
        Operation(5, 0, 0, "invoke", "d"),
    ]
    table = Table.of(history)

    def names(since: int, until: int) -> str:
        return "".join(row[4] for row in table.rows(0, since, until))

    assert [names(0, 6), names(4, 6), names(5, 6), names(5, 5), names(0, 0)] == [
        "abcd",
        "abcd",
        "bcd",
        "bc",
        "",
    ]
    with pytest.raises(IndexError, match="no key at place 1"):
        table.key(1)


def test_columns() -> None:
    """Arrays of integers are calls; the smallest int64 is null, and a second column makes pairs."""
    null = np.iinfo(np.int64).min
    table = Table.columns(
        invoked=np.array([0, 2, 4]),
        returned=np.array([1, -1, 5]),
        process=np.array([0, 1, 0]),
        f=np.array([0, 0, 1]),
        input=np.array([[1, null], [null, null], [1, 2]]),
        output=np.array([null, null, 2**40]),
        outcome=np.array([0, 2, 1]),
        key=np.array([null, 3, null]),
        names=["write", "cas"],
    )

    assert rows(table) == [
        (
            None,
            [
                (0, 1, "ok", 0, "write", 1, None, "", (0, 1)),
                (4, 5, "fail", 0, "cas", (1, 2), 2**40, "compare-failed", (4, 5)),
            ],
        ),
        (3, [(2, None, "info", 1, "write", None, None, "", (2, 0))]),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"invoked": [1, 1]},
        {"invoked": [-1, 2]},
        {"returned": [0, 3]},
        {"returned": [1]},
        {"f": [0, 1]},
        {"outcome": [0, 3]},
        {"input": [1, 2, 3]},
    ],
)
def test_columns_that_do_not_fit(wrong: dict[str, list[int]]) -> None:
    """Arrays of different lengths, calls that return before they are invoked and the like."""
    right = {
        "invoked": [0, 2],
        "returned": [1, 3],
        "process": [0, 0],
        "f": [0, 0],
        "input": [1, 2],
        "output": [1, 2],
        "outcome": [0, 0],
        "key": [0, 0],
    }
    Table.columns(**{name: np.array(v) for name, v in right.items()}, names=["write"])

    with pytest.raises(Unreadable):
        Table.columns(**{name: np.array(v) for name, v in (right | wrong).items()}, names=["write"])


def test_models_that_the_engine_knows() -> None:
    """A built-in model goes by its name; a subclass may step differently and goes as it is."""

    class Mine(Register):
        pass

    mine = Mine()
    assert engine.native(Register(3)) == ("register", {"initial": 3})
    assert engine.native(Register(compare_and_set=True))[0] == "cas-register"  # type: ignore[index]
    assert engine.native(mine) is mine
    assert all(engine.native(make()) != make() for make in MODELS.values())


def test_the_engine_can_be_switched_off() -> None:
    """ANTIPAXOS_ENGINE=off leaves plain Python, and says so."""
    program = "from checkers.linearizability import engine; print(engine.describe())"
    command = [sys.executable, "-c", program]
    environment = os.environ | {engine.VARIABLE: "off"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert "without its engine, in plain Python: the environment variable" in done.stdout
    assert engine.describe().endswith("is built.")
