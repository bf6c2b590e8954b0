"""Workload watch: writes, reads and watches on rotating keys of a store with revisions.

Operations
- `write` (a value -> anything; {"revision": the revision that it made}, where the store tells).
- `read` (null -> {"value": the value, null for none, "revision": of the write that made it, null or
  0 for none}).
- `watch` ({"from": revision or null, "for_s": seconds} -> {"from", "to", "events": [{"revision",
  "key", "value", "type": "put" or "delete"}, ...]}, in the order of arrival). It is told of what
  happens behind revision `from` (null: behind the revision at which it begins, which it answers),
  for `for_s` seconds or until it has caught up with what was there; `to` is the revision up to
  which it has seen everything. So the events are those of from < revision <= to.
An operation on a key is about that key; a watch without one is about all.

Rules
1. Every value written to a key is new there, so an event names the write that it tells of.
2. A watch is resumed behind the last revision that any watch of the key has covered, mostly by
   another process on another node: the two must fit together. Some begin anew, and some at 0.
3. Watches are short, a fraction of a second, so that the outage of one node ends few of them; what
   happened meanwhile is asked for when the next one resumes.
4. After healing every worker watches the keys used last from 0: each node has the whole of their
   past to show.

Sources: the guarantees of etcd's watch API; the watch validation of its robustness tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec

from checkers.consensus import Termination
from checkers.coverage import Coverage
from checkers.history import Operation
from checkers.laws import Laws
from checkers.verdict import Checker
from checkers.watch import Watches
from harness.generators import PENDING, Answer, Context, Generator, Request, constant
from harness.workloads.keys import KeyOptions, UsedKeys, rotating, visits_by
from harness.workloads.options import Count, Share, convert

_ANEW, _FROM_0 = 0.2, 0.1  # of watches; the others resume


class Options(KeyOptions, frozen=True, kw_only=True):
    """`watch_share`, `read_share`: of all operations; the rest are writes. `watch_s`: how long one
    watch lasts; it must be well below the time limit of an operation."""

    keys_quick: Count = 2
    keys_slow: Count = 3
    operations_per_key: Count = 80
    watch_share: Share = 0.15
    read_share: Share = 0.2
    watch_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 0.3
    final_by_all: Count = 5
    final_by_one: Count = 100


class _OfKey(msgspec.Struct, frozen=True):
    """Operations on one key. `written`: the last value given out; `covered`: the highest `to`."""

    options: Options
    written: int = 0
    covered: int | None = None

    def op(self, context: Context) -> tuple[Answer, Generator]:
        if not context.free:
            return PENDING, self
        o, draw = self.options, context.random.random()
        if draw < o.watch_share:
            value = {"from": self._from(context), "for_s": o.watch_s}
            return context.invocation(Request("watch", value)), self
        if draw < o.watch_share + o.read_share:
            return context.invocation(Request("read")), self
        after = msgspec.structs.replace(self, written=self.written + 1)
        return context.invocation(Request("write", after.written)), after

    def _from(self, context: Context) -> int | None:
        draw = context.random.random()
        if draw < _ANEW:
            return None
        return 0 if draw < _ANEW + _FROM_0 else self.covered

    def update(self, context: Context, event: Operation) -> Generator:  # noqa: ARG002
        if event.f != "watch" or event.type != "ok" or not isinstance(event.value, dict):
            return self
        to = event.value.get("to")
        if not isinstance(to, int) or (self.covered is not None and to <= self.covered):
            return self
        return msgspec.structs.replace(self, covered=to)


class Watch:
    """See the head of this module. One object serves one run."""

    name = "watch"
    operations = ("write", "watch", "read")

    def __init__(self, options: Mapping[str, Any], _check_time_limit_s: float) -> None:
        self._options = convert(options, Options)
        self._used = UsedKeys()

    def generator(self) -> Generator:
        return rotating(lambda _key: _OfKey(self._options), self._options, self._used)

    def final_generator(self) -> Generator:
        value = {"from": 0, "for_s": self._options.watch_s}

        def visit(key: str, _worker: int) -> Generator:
            return constant("watch", value, key)

        return visits_by(self._used, self._options, visit, visit)

    def checkers(self) -> Sequence[Checker]:
        coverage = Coverage(operations=self.operations, final=("watch",))
        return (Watches(), Laws(), Termination(), coverage)


def contradictions(options: Mapping[str, Any]) -> list[str]:
    """Mistakes that no option shows alone."""
    o = convert(options, Options)
    if o.watch_share + o.read_share >= 1:
        return [
            f"watch_share {o.watch_share:g} and read_share {o.read_share:g} are all operations. "
            "Leave some for writes."
        ]
    return []
