"""A cycle of transactions in words: each step says which read or append makes it.

Rule: a step that is told is found again in the transactions themselves, not in the graph; a graph
with an edge too many would so be found out, here, by an assertion.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from checkers.finding import Found, end_of, found, shown
from checkers.transactions.cycles import Cycle, Dependency, name_of
from checkers.transactions.graph import NAMES, RT, RW, WR, WW
from checkers.transactions.reading import Transaction
from checkers.transactions.versions import Versions

STEPS_MAX = 8  # of a cycle, in the sentence


def explained(cycle: Cycle, transactions: Sequence[Transaction], versions: Versions) -> Found:
    """Evidence: `cycle`, a list of {from, to, because, sentence}."""
    steps = [_Step(dependency, transactions, versions) for dependency in cycle]
    name = name_of(cycle)
    told = "; ".join(step.sentence for step in steps[:STEPS_MAX])
    more = f"; and {len(steps) - STEPS_MAX} more steps" if len(steps) > STEPS_MAX else ""
    count = f"{len(cycle)} transactions" if len(cycle) > 1 else "A transaction"
    return found(
        name,
        f"{name}: {count} cannot be put in one order: {told}{more}.",
        [transactions[dependency.source].call for dependency in cycle],
        cycle=[
            {
                "from": transactions[step.dependency.source].index,
                "to": transactions[step.dependency.to].index,
                "because": NAMES[step.dependency.kind],
                "sentence": step.sentence,
            }
            for step in steps
        ],
    )


class _Step:
    def __init__(
        self, dependency: Dependency, transactions: Sequence[Transaction], versions: Versions
    ) -> None:
        self.dependency = dependency
        self._one = transactions[dependency.source]
        self._other = transactions[dependency.to]
        self._versions = versions
        tell = {WW: self._ww, WR: self._wr, RW: self._rw, RT: self._rt}[dependency.kind]
        reason = tell()
        assert reason is not None, f"no operation makes the dependency {dependency}"
        self.sentence = reason

    def _ww(self) -> str | None:
        for key in self._one.appends:
            order = self._versions[key]
            for at, pair in enumerate(pairwise(order.writers)):
                if pair == (self._one.place, self._other.place):
                    return self._appended(key, order.values[at], order.values[at + 1])
            if order.writers and order.writers[-1] == self._one.place:
                unseen = _unseen(self._other, key, order.values)
                if unseen is not None:
                    return self._appended(key, order.values[-1], unseen)
        return None

    def _appended(self, key: object, first: object, second: object) -> str:
        return (
            f"operation {self._one.index} appended {shown(first)} to {shown(key)} before operation "
            f"{self._other.index} appended {shown(second)}"
        )

    def _wr(self) -> str | None:
        for read in self._other.reads:
            if not read.external:
                continue
            if self._versions[read.key].writers[read.external - 1] == self._one.place:
                value = shown(read.values[read.external - 1])
                return (
                    f"operation {self._other.index} read {value} in {shown(read.key)}, which "
                    f"operation {self._one.index} appended"
                )
        return None

    def _rw(self) -> str | None:
        for read in self._one.reads:
            order, length = self._versions[read.key], len(read.values)
            if length < len(order.writers):
                missed = order.values[length]
                if order.writers[length] != self._other.place:
                    continue
            else:
                missed = _unseen(self._other, read.key, order.values)
                if missed is None:
                    continue
            return (
                f"operation {self._one.index} read {shown(read.key)} as "
                f"{shown(list(read.values))}, without the {shown(missed)} that operation "
                f"{self._other.index} appended"
            )
        return None

    def _rt(self) -> str | None:
        if not end_of(self._one.call) < self._other.index:
            return None
        return (
            f"operation {self._one.index} had returned before operation {self._other.index} was "
            "invoked"
        )


def _unseen(txn: Transaction, key: object, seen: Sequence[object]) -> object | None:
    there = set(seen)
    return next((value for value in txn.appends.get(key, ()) if value not in there), None)
