"""Objects that converge: there is one, without keys, and only the last reads must be complete.

Rules
1. After healing every worker reads again and again until its answer has everything that was
   acknowledged, and for `settle_s` and a little more at most: who converges at once is not waited
   for, and who does not gets what it was promised before it is judged.
2. What was acknowledged is known from the events of the main phase (`Told`), the one thing such a
   workload remembers. It only says when to stop asking; checkers judge from the history alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import msgspec

from checkers.consensus import Termination
from checkers.coverage import Coverage
from checkers.history import Operation, freeze
from checkers.laws import Laws
from checkers.set_elements import SetElements
from checkers.verdict import Checker
from harness.generators import (
    Answer,
    Context,
    Generator,
    Pending,
    Request,
    each_worker,
    generate,
    watch,
)
from harness.workloads.options import Share, convert

SETTLE_S = 5.0
FINAL_GAP_S = 0.2
# The final phase of a run is bounded (10 s), and the last read must begin after `settle_s`.
SettleSeconds = Annotated[float, msgspec.Meta(ge=0, le=9)]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`read_share`: of all operations; the rest are adds. `settle_s`: how long after the last add
    and the last fault a node may lack elements."""

    read_share: Share = 0.2
    settle_s: SettleSeconds = SETTLE_S


class Told:
    """What clients were told of the operations `f` of a run: the values that were acknowledged.
    Events may be told twice."""

    def __init__(self, f: str) -> None:
        self._f = f
        self._acknowledged: dict[int, Any] = {}  # by the index of the completion
        self._given: dict[int | str, Any] = {}  # by process: the value of its open operation

    def watching(self, inner: Generator) -> Generator:
        return watch(self._see, inner)

    def _see(self, event: Operation) -> None:
        if event.f != self._f:
            return
        if event.type == "invoke":
            self._given[event.process] = event.value
        elif event.type == "ok" and event.process in self._given:
            self._acknowledged[event.index] = self._given.pop(event.process)

    def is_in(self, read: Any) -> bool:
        """Does the answer of a read have every acknowledged element?"""
        if not isinstance(read, list | tuple):
            return False
        return {freeze(v) for v in self._acknowledged.values()} <= {freeze(v) for v in read}

    def is_sum(self, read: Any) -> bool:
        """Is the answer of a read the sum of what was acknowledged?"""
        return bool(read == sum(self._acknowledged.values()))


class _UntilSettled(msgspec.Struct, frozen=True):
    """Of one worker: reads until one satisfies, or until the time is up; the last one is begun
    after it."""

    satisfies: Callable[[Any], bool]
    settle_ns: int
    begun_ns: int | None = None
    due_ns: int = 0
    over: bool = False

    def op(self, context: Context) -> tuple[Answer, Generator]:
        if self.over:
            return None, self
        if context.time_ns < self.due_ns:
            return Pending(self.due_ns), self
        begun_ns = context.time_ns if self.begun_ns is None else self.begun_ns
        after = msgspec.structs.replace(
            self,
            begun_ns=begun_ns,
            due_ns=context.time_ns + round(FINAL_GAP_S * 1e9),
            over=context.time_ns > begun_ns + self.settle_ns + 2 * round(FINAL_GAP_S * 1e9),
        )
        return context.invocation(Request("read")), after

    def update(self, context: Context, event: Operation) -> Generator:  # noqa: ARG002
        if event.f == "read" and event.type == "ok" and self.satisfies(event.value):
            return msgspec.structs.replace(self, over=True)
        return self


def until_settled(satisfies: Callable[[Any], bool], settle_s: float) -> Generator:
    """Rule 1, for every worker."""
    return each_worker(_UntilSettled(satisfies, round(settle_s * 1e9)))


class Growing:
    """A set without a key that converges, under whatever name its workload and operation have.
    One object serves one run."""

    def __init__(self, name: str, add: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self.operations = (add, "read")
        self._add = add
        self._options = convert(options, Options)
        self._told = Told(add)

    def generator(self) -> Generator:
        add, read_share = self._add, self._options.read_share

        def make(n: int, context: Context) -> Request:
            reads = context.random.random() < read_share
            return Request("read") if reads else Request(add, n)

        return self._told.watching(generate(make))

    def final_generator(self) -> Generator:
        return until_settled(self._told.is_in, self._options.settle_s)

    def checkers(self) -> Sequence[Checker]:
        return (
            SetElements(add=self._add, eventual=True, settle_s=self._options.settle_s),
            Laws(),
            Termination(),
            Coverage(operations=self.operations),
        )
