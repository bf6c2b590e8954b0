"""Transactions as they stand in a history: appends to lists, and reads of whole lists.

Rules
1. Only a transaction that is ok has reads; of one whose outcome is unknown, and of one that failed,
   the appends are known from what was asked.
2. No value is appended to a list twice in a history: a value names its append. A history that does
   is refused, since nothing could be inferred from it.
3. A read must agree with what its own transaction did to the list before it. What is left of a read
   when the transaction's own appends are taken off its end is what others had made.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from checkers.history import Call, HistoryError, freeze

Value = Any  # frozen
Values = tuple[Value, ...]
_PLAIN = {int, str}


class Read(msgspec.Struct, frozen=True):
    """`external`: how many of the values were there without the transaction's own appends;
    `first`: had the transaction done nothing to the list before?"""

    key: Any
    values: Values
    external: int
    first: bool


class Transaction(msgspec.Struct, frozen=True):
    """`place`: among the transactions of the history. `appends`: of each list, in order.
    `broken`: the read that contradicts what the transaction itself did, with what was expected."""

    place: int
    call: Call
    reads: tuple[Read, ...]
    appends: dict[Any, list[Value]]
    broken: tuple[Read, str] | None = None

    @property
    def index(self) -> int:
        return self.call.index

    @property
    def outcome(self) -> str:
        return self.call.outcome


def transactions_of(calls: Iterable[Call]) -> list[Transaction]:
    """The calls of `txn`. Raises HistoryError where a value is not of the documented shape, or is
    appended to a list twice."""
    every = [_read(place, call) for place, call in enumerate(c for c in calls if c.f == "txn")]
    appended: dict[tuple[Any, Value], Transaction] = {}
    for txn in every:
        for key, values in txn.appends.items():
            for value in values:
                earlier = appended.setdefault((key, value), txn)
                if earlier is not txn or values.count(value) > 1:
                    raise HistoryError(
                        txn.index,
                        f"{value!r} is appended to {key!r}, as by operation {earlier.index}",
                        "Append every value to a list once only: a read must name its append.",
                    )
    return every


def _read(place: int, call: Call) -> Transaction:
    asked = _micros(call, call.input)
    appends: dict[Any, list[Value]] = {}
    if call.outcome != "ok":
        for f, key, value in asked:
            if f == "append":
                appends.setdefault(freeze(key), []).append(freeze(value))
        return Transaction(place, call, (), appends)
    told = _micros(call, call.output)
    if len(told) != len(asked):
        raise _unreadable(call, call.output)
    reads: list[Read] = []
    known: dict[Any, Values] = {}  # what the transaction knows a list to be, by its own reads
    broken: tuple[Read, str] | None = None
    for (f, key, value), (f_told, key_told, value_told) in zip(asked, told, strict=True):
        if f != f_told or key != key_told or (f == "append" and value != value_told):
            raise _unreadable(call, call.output)
        key = key if type(key) is str else freeze(key)
        own = appends.get(key, ())
        if f == "append":
            appends.setdefault(key, []).append(freeze(value))
            if key in known:
                known[key] = (*known[key], freeze(value))
            continue
        values = _values(call, value_told)
        read = Read(key, values, _external(values, own), not own and key not in known)
        reads.append(read)
        expected = known.get(key)
        if expected is not None and values != expected:
            broken = broken or (read, f"{list(expected)!r}")
        elif own and values[len(values) - len(own) :] != tuple(own):
            broken = broken or (read, f"a list that ends in {list(own)!r}")
        known[key] = values
    return Transaction(place, call, tuple(reads), appends, broken)


def _external(values: Values, own: Iterable[Value]) -> int:
    length = len(values)
    for value in reversed(list(own)):
        if not length or values[length - 1] != value:
            break
        length -= 1
    return length


def _micros(call: Call, value: Any) -> list[tuple[str, Any, Any]]:
    if not isinstance(value, list | tuple):
        raise _unreadable(call, value)
    micros = []
    for micro in value:
        if not isinstance(micro, list | tuple) or len(micro) != 3:
            raise _unreadable(call, value)
        f, key, argument = micro
        if f not in ("append", "r"):
            raise _unreadable(call, value)
        micros.append((f, key, argument))
    return micros


def _values(call: Call, value: Any) -> Values:
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise _unreadable(call, call.output)
    if set(map(type, value)) <= _PLAIN:
        return tuple(value)
    return tuple(freeze(v) for v in value)


def _unreadable(call: Call, value: Any) -> HistoryError:
    return HistoryError(
        call.index,
        f"a transaction has the value {value!r}",
        'Expected [["append", list, value], ["r", list, null], ...], and the same in its answer '
        "with each read filled in: a list of values, or null.",
    )
