"""Histories to put into the engine's tables, and what should then be in them."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from checkers.history import Error, History, Operation, freeze

if TYPE_CHECKING:
    from checkers._engine import Table


def hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


NUMBERS = (
    st.integers(-3, 3)
    | st.integers()
    | st.integers(-(2**30) - 2, -(2**30) + 2)
    | st.integers(2**63 - 2, 2**64 + 2)
    | st.sampled_from([10**20, 1e20, -0.0, 1.0, 2.5, 2.0**63, -(2.0**63), 2**30, 10**300])
    | st.floats(allow_nan=False, allow_infinity=False)
)
TEXTS = st.text('ab1\n\u2028\u0085é😀"\\\0', max_size=4)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
SCALARS = st.sampled_from([None, True, False, 0, 1, -0.0, 1.0, "1", "true", "", 10**20, 1e20])
KEYS = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.just("a"), SCALARS, max_size=1)
# What a history that Python built may hold beside JSON.
FOREIGN = st.recursive(
    SCALARS
    | st.sampled_from([float("nan"), float("inf"), Fraction(1), Fraction(1, 3), Decimal(1)])
    | st.sampled_from([b"1", "\ud800", 1 + 0j, 2j]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.tuples(inner)
        | st.dictionaries(st.sampled_from([1, 2, "a", None]), inner, max_size=2)
        | st.frozensets(inner.filter(hashable), max_size=2)
    ),
    max_leaves=4,
)


@st.composite
def histories(draw: st.DrawFn, values: st.SearchStrategy[Any] = VALUES) -> History:
    """Histories of interleaved clients and a nemesis, with every way a call can end or not."""
    operations: list[Operation] = []
    open_: dict[int, tuple[str, Any]] = {}
    index, time = -1, draw(st.integers(-5, 5))
    for _ in range(draw(st.integers(0, 12))):
        index += draw(st.integers(1, 3))
        time += draw(st.integers(0, 2))
        process: Any = draw(st.sampled_from([0, 1, -1, 2**70, "nemesis", "observer"]))
        node = draw(st.none() | st.just("n1"))
        if isinstance(process, str):
            kind = draw(st.sampled_from(["invoke", "ok", "info"]))
            operations.append(Operation(index, time, process, kind, "kill", draw(values)))
        elif process not in open_:
            f, key = draw(st.sampled_from(["read", "write", "é", ""])), draw(KEYS)
            open_[process] = f, key
            operations.append(Operation(index, time, process, "invoke", f, draw(values), key, node))
        else:
            f, key = open_.pop(process)
            kind = draw(st.sampled_from(["ok", "fail", "info"]))
            error = draw(st.none() | st.builds(Error, st.sampled_from(["timeout", "", "no"])))
            key = draw(st.sampled_from([key, None]))
            operations.append(
                Operation(index, time, process, kind, f, draw(values), key, node, error)
            )
    return History(operations)


def held(history: History) -> list[tuple[Any, list[tuple[Any, ...]]]]:
    """The keys of a history and the rows of each, as a table should hold them."""
    return [
        (
            key,
            [
                (
                    call.index,
                    call.completion.index if call.completion and call.outcome != "info" else None,
                    call.outcome,
                    call.invoke.process,
                    call.f,
                    freeze(call.input),
                    freeze(call.output),
                    call.completion.error.code if call.completion and call.completion.error else "",
                    (call.invoke.time, call.completion.time if call.completion else 0),
                )
                for call in calls
            ],
        )
        for key, calls in history.by_key().items()
    ]


def rows(table: Table) -> list[tuple[Any, list[tuple[Any, ...]]]]:
    """The keys of a table and the rows of each, values frozen."""
    assert table.calls == sum(table.calls_of(place) for place in range(table.keys))
    return [
        (
            freeze(table.key(place)),
            [
                (*row[:5], freeze(row[5]), freeze(row[6]), *row[7:])
                for row in table.rows(place, 0, 2**64 - 1)
            ],
        )
        for place in range(table.keys)
    ]
