"""Workload set: add and read on rotating keys, linearizable.

Operations: `add` (an element -> anything), `read` (null -> the list of all elements, in any order).

Rules
1. Every element added to a key is new there, so an element that is lost, or comes back, is named.
2. Elements are never removed: whatever a read lacks that was acknowledged before, it has lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from checkers.budget import Budget
from checkers.consensus import Termination
from checkers.coverage import Coverage
from checkers.laws import Laws
from checkers.linearizability import Linearizable
from checkers.models import Set as SetModel
from checkers.set_elements import SetElements
from checkers.verdict import Checker
from harness.generators import Context, Generator, Request, generate
from harness.workloads.keys import KeyOptions, UsedKeys, rotating, visits
from harness.workloads.options import Count, Share, convert


class Options(KeyOptions, frozen=True, kw_only=True):
    """What reads leave are adds. `read_share`: the part of all operations that reads."""

    keys_quick: Count = 2
    read_share: Share = 0.4


class Set:
    """See the head of this module. One object serves one run."""

    name = "set"
    operations = ("add", "read")

    def __init__(self, options: Mapping[str, Any], check_time_limit_s: float) -> None:
        self._options = convert(options, Options)
        self._check_time_limit_s = check_time_limit_s
        self._used = UsedKeys()

    def generator(self) -> Generator:
        read_share = self._options.read_share

        def make(n: int, context: Context) -> Request:
            reads = context.random.random() < read_share
            return Request("read") if reads else Request("add", n)

        return rotating(lambda _key: generate(make), self._options, self._used)

    def final_generator(self) -> Generator:
        return visits(self._used, self._options)

    def checkers(self) -> Sequence[Checker]:
        return (
            SetElements(),
            Linearizable(SetModel(), Budget(time_s=self._check_time_limit_s)),
            Laws(),
            Termination(),
            Coverage(operations=self.operations),
        )
