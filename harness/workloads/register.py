"""Workload register: read, write and compare-and-set on rotating keys, linearizable.

Rules
1. Every value written to a key is new there: 1, 2, 3, ... A read then names the one write it saw,
   so that a stale or lost value shows at once, and the search rarely has a choice to make. With a
   small range of values a stale read is often excused by a later write of the same value.
2. A compare-and-set expects the value given out last or one that was read lately, or it would never
   match; its new value is new. Chains of them are where a lost update or a doubled command shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from checkers.budget import Budget
from checkers.consensus import Termination
from checkers.coverage import Coverage
from checkers.history import Operation
from checkers.laws import Laws
from checkers.linearizability import Linearizable
from checkers.models import Register as RegisterModel
from checkers.verdict import Checker
from harness.generators import PENDING, Answer, Context, Generator, Request
from harness.workloads.keys import KeyOptions, UsedKeys, rotating, visits
from harness.workloads.options import Share, convert

_SHARE_MIN = 1e-6  # 1 - 0.7 - 0.3 is not quite 0
_SEEN_MAX = 2  # values read lately that a compare-and-set may expect


class Options(KeyOptions, frozen=True, kw_only=True):
    """Shares are of all operations; what reads and compare-and-sets leave are writes. Systems that
    lack an operation are given a share of 0. `read_share`: the part that reads. `cas_share`: the
    part that compares and sets.
    """

    read_share: Share = 0.4
    cas_share: Share = 0.3


class _OfKey(msgspec.Struct, frozen=True):
    """Operations on one register. `written`: the last value given out, 0 before the first;
    `seen`: what was read lately, the latest last."""

    read_share: float
    cas_share: float
    written: int = 0
    seen: tuple[Any, ...] = ()

    def op(self, context: Context) -> tuple[Answer, Generator]:
        if not context.free:
            return PENDING, self
        draw = context.random.random()
        if draw < self.read_share:
            return context.invocation(Request("read")), self
        new = self.written + 1
        after = _OfKey(self.read_share, self.cas_share, new, self.seen)
        if draw < self.read_share + self.cas_share:
            expected = context.random.choice((*self.seen, self.written or None))
            return context.invocation(Request("cas", [expected, new])), after
        return context.invocation(Request("write", new)), after

    def update(self, context: Context, event: Operation) -> Generator:  # noqa: ARG002
        if event.type != "ok" or event.f != "read" or event.value in self.seen:
            return self
        seen = (*self.seen, event.value)[-_SEEN_MAX:]
        return _OfKey(self.read_share, self.cas_share, self.written, seen)


class Register:
    """See the head of this module. One object serves one run."""

    name = "register"

    def __init__(self, options: Mapping[str, Any], check_time_limit_s: float) -> None:
        self._options = convert(options, Options)
        self._check_time_limit_s = check_time_limit_s
        self._used = UsedKeys()

    @property
    def operations(self) -> tuple[str, ...]:
        o = self._options
        shares = {
            "read": o.read_share,
            "write": 1 - o.read_share - o.cas_share,
            "cas": o.cas_share,
        }
        return tuple(f for f, share in shares.items() if share > _SHARE_MIN)

    def generator(self) -> Generator:
        o = self._options
        return rotating(lambda _key: _OfKey(o.read_share, o.cas_share), self._options, self._used)

    def final_generator(self) -> Generator:
        return visits(self._used, self._options)

    def checkers(self) -> Sequence[Checker]:
        budget = Budget(time_s=self._check_time_limit_s)
        return (
            Linearizable(RegisterModel(compare_and_set=True), budget),
            Laws(),
            Termination(),
            Coverage(operations=self.operations),
        )


def contradictions(options: Mapping[str, Any]) -> list[str]:
    """Mistakes that no option shows alone."""
    o = convert(options, Options)
    if o.read_share + o.cas_share > 1:
        return [
            f"read_share {o.read_share:g} and cas_share {o.cas_share:g} are more than all "
            "operations. Leave some for writes."
        ]
    return []
