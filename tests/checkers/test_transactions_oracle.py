"""Transactions against slow oracles: every serial order, every order of snapshots and commits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, permutations
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.history import Call, History, Operation
from checkers.transactions import Transactions
from checkers.verdict import Kind, Recording

KEYS = ("x", "y")
Lists = dict[str, list[int]]


def drawn(random: Random, transactions: int) -> History:
    """A tiny history of transactions that mostly see one another's appends, and sometimes what they
    should not; some fail, some are of unknown outcome."""
    operations: list[Operation] = []
    lists: Lists = {key: [] for key in KEYS}
    open_: dict[int, tuple[str, Any]] = {}
    values = dict.fromkeys(KEYS, 0)
    begun = 0

    def record(process: int, kind: Any, value: Any) -> None:
        at = len(operations)
        operations.append(Operation(at, at, process, kind, "txn", value))

    while begun < transactions or open_:
        if open_ and (begun == transactions or len(open_) == 3 or random.random() < 0.5):
            process = random.choice(sorted(open_))
            record(process, *open_.pop(process))
            continue
        asked, told = [], []
        outcome = random.choices(["ok", "info", "fail"], [8, 1, 1])[0]
        for _ in range(random.randint(1, 3)):
            key = random.choice(KEYS)
            if random.random() < 0.5:
                seen = list(lists[key])
                if seen and random.random() < 0.25:
                    seen = seen[: random.randrange(len(seen))]
                asked.append(["r", key, None])
                told.append(["r", key, seen])
            else:
                values[key] += 1
                asked.append(["append", key, values[key]])
                told.append(asked[-1])
                at = len(lists[key]) if random.random() < 0.9 else 0
                if outcome != "fail" or random.random() < 0.1:
                    lists[key].insert(at, values[key])
        record(begun, "invoke", asked)
        open_[begun] = (outcome, told if outcome == "ok" else asked)
        begun += 1
    return History(operations)


def possible(calls: Sequence[Call]) -> Iterator[list[Call]]:
    """The transactions that may have happened: all that are ok, and any of those unknown."""
    sure = [call for call in calls if call.outcome == "ok"]
    unknown = [call for call in calls if call.outcome == "info"]
    for count in range(len(unknown) + 1):
        for some in combinations(unknown, count):
            yield [*sure, *some]


def plays(call: Call, lists: Lists) -> bool:
    """Does the transaction, on these lists, read what it did read? It appends to them."""
    for f, key, value in call.output if call.outcome == "ok" else call.input:
        if f == "append":
            lists[key].append(value)
        elif call.outcome == "ok" and list(value or ()) != lists[key]:
            return False
    return True


def true_to_time(order: Sequence[Call]) -> bool:
    ends = [c.completion.index if c.outcome == "ok" and c.completion else 1e9 for c in order]
    return all(
        ends[later] > earlier.index
        for at, earlier in enumerate(order)
        for later in range(at + 1, len(order))
    )


def serial(calls: Sequence[Call], *, strict: bool) -> bool:
    """Is there an order, of any of the sets that may have happened, that explains every read?"""
    for happened in possible(calls):
        for order in permutations(happened):
            if strict and not true_to_time(order):
                continue
            lists: Lists = {key: [] for key in KEYS}
            if all(plays(call, lists) for call in order):
                return True
    return False


def snapshots(calls: Sequence[Call]) -> bool:
    """Is there an order of beginnings and commits in which each transaction works on what was
    committed when it began, and no two that overlap write one list?"""
    for happened in possible(calls):
        count = len(happened)
        for events in set(permutations([*range(count)] * 2)):
            if _isolated(happened, events):
                return True
    return False


def _isolated(happened: Sequence[Call], events: Sequence[int]) -> bool:
    committed: Lists = {key: [] for key in KEYS}
    begun: dict[int, tuple[Lists, Lists]] = {}  # by transaction: its snapshot, what it had begun on
    for at in events:
        if at not in begun:
            snapshot = {key: list(values) for key, values in committed.items()}
            begun[at] = snapshot, {key: list(values) for key, values in committed.items()}
            if not plays(happened[at], snapshot):
                return False
            continue
        mine, before = begun[at]
        for key in KEYS:
            if mine[key] != before[key]:
                if committed[key] != before[key]:
                    return False
                committed[key] = mine[key]
    return True


def kind_of(history: History, consistency: Any) -> Kind:
    kind = Transactions(consistency).check(Recording(history=history)).kind
    # Nothing read is nothing known: such a history always has an order.
    return Kind.VALID if kind is Kind.UNKNOWN else kind


@settings(max_examples=1500)
@given(seed=st.integers(0, 2**32))
def test_serializability_is_what_all_serial_orders_say(seed: int) -> None:
    """INVALID is sound and VALID complete, with real time and without."""
    history = drawn(Random(seed), transactions=5)
    calls = history.calls()

    for consistency, strict in (("serializable", False), ("strict-serializable", True)):
        if consistency == "serializable" and _reads_the_future(calls):
            continue
        expected = Kind.VALID if serial(calls, strict=strict) else Kind.INVALID
        assert expected is kind_of(history, consistency), consistency


def _reads_the_future(calls: Sequence[Call]) -> bool:
    """Serial orders know no time: what was read before it was appended is for them no wonder."""
    appended = {
        (key, value): call.index for call in calls for f, key, value in call.input if f == "append"
    }
    return any(
        appended.get((key, v), 0) > call.completion.index
        for call in calls
        if call.outcome == "ok" and call.completion
        for f, key, values in call.output
        if f == "r"
        for v in values
    )


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_what_snapshots_explain_is_not_invalid(seed: int) -> None:
    """Of snapshot isolation INVALID is sound."""
    history = drawn(Random(seed), transactions=4)

    if kind_of(history, "snapshot-isolation") is Kind.INVALID:
        assert not snapshots(history.calls())


@pytest.mark.parametrize("consistency", ["strict-serializable", "snapshot-isolation"])
def test_the_drawn_histories_are_of_both_kinds(consistency: str) -> None:
    """A comparison in which one side never occurs compares nothing."""
    kinds = [kind_of(drawn(Random(seed), 5), consistency) for seed in range(200)]

    assert 20 < kinds.count(Kind.VALID) < 180
