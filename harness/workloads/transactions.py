"""Workload txn-list-append: transactions that append to lists and read them.

Operation: `txn` (micro-operations, each ["append", list, value] or ["r", list, null] -> the same,
with the reads filled in: a list of values, null or [] for none). No `key`: a transaction touches
several lists, whose names are in the value.

Rules
1. Every value appended to a list is new there. A read then tells the order of all appends before
   it, and who made them: from lists alone the checker infers what depended on what.
2. Lists rotate, a few live at once, and each is appended to a bounded number of times: many
   transactions meet on each, reads stay short.
3. A few lists are used much more often than the others, so that both contention and absence of it
   are met with.
4. After healing every worker reads the lists used last in one transaction, and each older list is
   read by one of them: what nobody reads has no place in any order.

Sources: Kingsbury and Alvaro, Elle, VLDB 2020; the txn-list-append workload of Maelstrom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from checkers.consensus import Termination
from checkers.coverage import Coverage
from checkers.history import Operation
from checkers.laws import Laws
from checkers.transactions import Consistency, Transactions
from checkers.verdict import Checker
from harness.generators import (
    PENDING,
    Answer,
    Context,
    Generator,
    Request,
    constant,
    deferred,
    for_each_worker,
    sequence,
    time_limit,
    watch,
)
from harness.workloads.keys import FINAL_TIME_LIMIT_S, persistent
from harness.workloads.options import Count, Share, convert

_READ_AT_ONCE = 8  # lists in one final transaction
_MOST_OFTEN = 0.5  # of micro-operations are on the first half of the lists that are left


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`lists`: how many live at once; `appends_per_list`: after which another takes its place.
    `operations_min` and `operations_max`: micro-operations in a transaction. `read_share`: of
    these; the rest are appends. `consistency`: what the system promises. `final_lists`: how many
    are read at the end, the latest."""

    lists: Count = 8
    appends_per_list: Count = 64
    operations_min: Count = 1
    operations_max: Count = 4
    read_share: Share = 0.5
    consistency: Consistency = "strict-serializable"
    final_lists: Count = 500


class _Traffic(msgspec.Struct, frozen=True):
    """The main phase. `lists`: by number, with the appends to each; `opened`: how many so far."""

    options: Options
    lists: tuple[tuple[int, int], ...]
    opened: int

    def op(self, context: Context) -> tuple[Answer, Generator]:
        if not context.free:
            return PENDING, self
        random, o = context.random, self.options
        count = random.randint(o.operations_min, o.operations_max)
        after = self
        micros: list[list[Any]] = []
        for _ in range(count):
            at = 0
            while at < len(self.lists) - 1 and random.random() > _MOST_OFTEN:
                at += 1
            number, appends = after.lists[at]
            if random.random() < o.read_share:
                micros.append(["r", f"l{number}", None])
            else:
                micros.append(["append", f"l{number}", appends + 1])
                after = after._appended(at)
        return context.invocation(Request("txn", micros)), after

    def _appended(self, at: int) -> _Traffic:
        (number, appends), opened = self.lists[at], self.opened
        entry = (number, appends + 1)
        if appends + 1 >= self.options.appends_per_list:
            entry, opened = (opened, 0), opened + 1
        lists = (*self.lists[:at], entry, *self.lists[at + 1 :])
        return msgspec.structs.replace(self, lists=lists, opened=opened)

    def update(self, context: Context, event: Operation) -> Generator:  # noqa: ARG002
        return self


class _UsedLists:
    """The lists of a run, by last use."""

    def __init__(self) -> None:
        self._lists: dict[str, None] = {}

    def see(self, event: Operation) -> None:
        if event.type == "invoke":
            for _, name, _ in event.value:
                self._lists.pop(name, None)
                self._lists[name] = None

    def last_first(self) -> list[str]:
        return list(reversed(self._lists))


class TxnListAppend:
    """See the head of this module. One object serves one run."""

    name = "txn-list-append"
    operations = ("txn",)

    def __init__(self, options: Mapping[str, Any], _check_time_limit_s: float) -> None:
        self._options = convert(options, Options)
        self._used = _UsedLists()

    def generator(self) -> Generator:
        count = self._options.lists
        lists = tuple((number, 0) for number in range(count))
        return watch(self._used.see, _Traffic(self._options, lists, count))

    def final_generator(self) -> Generator:
        def of_worker(worker: int, workers: int) -> Generator:
            lists = self._used.last_first()[: self._options.final_lists]
            by_all, by_one = lists[: self._options.lists], lists[self._options.lists :]
            blocks = [*_blocks(by_all), *_blocks(by_one[worker::workers])]
            return sequence(*(persistent(_reading(block)) for block in blocks))

        return deferred(lambda: time_limit(FINAL_TIME_LIMIT_S, for_each_worker(of_worker)))

    def checkers(self) -> Sequence[Checker]:
        coverage = Coverage(operations=self.operations, final=self.operations)
        return (Transactions(self._options.consistency), Laws(), Termination(), coverage)


def _reading(lists: Sequence[str]) -> Generator:
    return constant("txn", [["r", name, None] for name in lists])


def _blocks(lists: Sequence[str]) -> list[Sequence[str]]:
    return [lists[at : at + _READ_AT_ONCE] for at in range(0, len(lists), _READ_AT_ONCE)]


def contradictions(options: Mapping[str, Any]) -> list[str]:
    """Mistakes that no option shows alone."""
    o = convert(options, Options)
    if o.operations_min > o.operations_max:
        return [
            f"operations_min {o.operations_min} is more than operations_max {o.operations_max}. "
            "Give a range that is not empty."
        ]
    return []
