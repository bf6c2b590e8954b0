"""Workload counter: add and read; linearizable on rotating keys, or one that converges.

Operations: `add` (an integer, negative ones with `decrements` -> anything), `read` (null -> the
sum, 0 at first).

Rules
1. A linearizable counter is judged key by key, by search. The amounts of a key differ, or an add
   that is lost would be hidden by one that is applied twice.
2. With `consistency` eventual there is one counter, without a key, and only its final reads must be
   right: those that are begun `settle_s` after the last add and the last fault. This is the
   g-counter of Maelstrom, and with `decrements` its pn-counter. Its amounts are small: each that
   is of unknown outcome widens what the final reads may say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from checkers.budget import Budget
from checkers.consensus import Termination
from checkers.counting import Counting
from checkers.coverage import Coverage
from checkers.laws import Laws
from checkers.linearizability import Linearizable
from checkers.models import Counter as CounterModel
from checkers.verdict import Checker
from harness.generators import Context, Generator, Request, generate
from harness.workloads.convergence import SETTLE_S, SettleSeconds, Told, until_settled
from harness.workloads.keys import KeyOptions, UsedKeys, rotating, visits
from harness.workloads.options import Count, Share, convert

_AMOUNT_MAX = 9


class Options(KeyOptions, frozen=True, kw_only=True):
    """`read_share`: of all operations; the rest are adds. `decrements`: are amounts negative, too?
    `consistency`: what the counter promises: to be linearizable, or to converge. `settle_s`: how
    long after the last add and the last fault one that converges may lack some.

    The options of keys are for the linearizable counter."""

    keys_quick: Count = 2
    operations_per_key: Count = 60
    read_share: Share = 0.4
    decrements: bool = True
    consistency: Literal["linearizable", "eventual"] = "linearizable"
    settle_s: SettleSeconds = SETTLE_S


class Counter:
    """See the head of this module. One object serves one run."""

    name = "counter"
    operations = ("add", "read")

    def __init__(self, options: Mapping[str, Any], check_time_limit_s: float) -> None:
        self._options = convert(options, Options)
        self._check_time_limit_s = check_time_limit_s
        self._used = UsedKeys()
        self._told = Told("add")

    def generator(self) -> Generator:
        o = self._options
        eventual = o.consistency == "eventual"

        def make(n: int, context: Context) -> Request:
            if context.random.random() < o.read_share:
                return Request("read")
            amount = context.random.randint(1, _AMOUNT_MAX) if eventual else n + 1
            negative = o.decrements and context.random.random() < 0.5
            return Request("add", -amount if negative else amount)

        if eventual:
            return self._told.watching(generate(make))
        return rotating(lambda _key: generate(make), self._options, self._used)

    def final_generator(self) -> Generator:
        if self._options.consistency == "eventual":
            return until_settled(self._told.is_sum, self._options.settle_s)
        return visits(self._used, self._options)

    def checkers(self) -> Sequence[Checker]:
        o = self._options
        search = Linearizable(CounterModel(), Budget(time_s=self._check_time_limit_s))
        eventual = o.consistency == "eventual"
        return (
            Counting(eventual=eventual, settle_s=o.settle_s),
            *(() if eventual else (search,)),
            Laws(),
            Termination(),
            Coverage(operations=self.operations),
        )
