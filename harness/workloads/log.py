"""Workload log: append and read on rotating keys, linearizable.

Rules
1. Every element appended to a key is new there: a read then shows which appends happened, in what
   order, and what is lost, doubled or invented shows by its element.
2. A read is of the whole list. It costs as much as the list is long, which the bound on operations
   per key bounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from checkers.budget import Budget
from checkers.consensus import Termination
from checkers.coverage import Coverage
from checkers.elements import Elements
from checkers.laws import Laws
from checkers.linearizability import Linearizable
from checkers.models import Log as LogModel
from checkers.verdict import Checker
from harness.generators import Context, Generator, Request, generate
from harness.workloads.keys import KeyOptions, UsedKeys, rotating, visits
from harness.workloads.options import Count, Share, convert


class Options(KeyOptions, frozen=True, kw_only=True):
    """What reads leave are appends. `read_share`: the part of all operations that reads."""

    keys_quick: Count = 2
    read_share: Share = 0.4


class Log:
    """See the head of this module. One object serves one run."""

    name = "log"
    operations = ("append", "read")

    def __init__(self, options: Mapping[str, Any], check_time_limit_s: float) -> None:
        self._options = convert(options, Options)
        self._check_time_limit_s = check_time_limit_s
        self._used = UsedKeys()

    def generator(self) -> Generator:
        read_share = self._options.read_share

        def make(n: int, context: Context) -> Request:
            reads = context.random.random() < read_share
            return Request("read") if reads else Request("append", n)

        return rotating(lambda _key: generate(make), self._options, self._used)

    def final_generator(self) -> Generator:
        return visits(self._used, self._options)

    def checkers(self) -> Sequence[Checker]:
        budget = Budget(time_s=self._check_time_limit_s)
        return (
            Elements(),
            Linearizable(LogModel(), budget),
            Laws(),
            Termination(),
            Coverage(operations=self.operations),
        )
