"""The load beside a script: a generator that leaves some workers alone.

Rule: it hears of all operations, those of the script included, so that a workload reads in the end
whatever keys were used.
"""

from __future__ import annotations

import msgspec

from checkers.history import Operation
from harness.generators import PENDING, Answer, Context, Generator


class _Beside(msgspec.Struct, frozen=True):
    workers: int
    inner: Generator

    def op(self, context: Context) -> tuple[Answer, Generator]:
        if not self.workers:
            return PENDING, self
        answer, after = self.inner.op(context.among(context.workers[: self.workers]))
        return answer, _Beside(self.workers, after)

    def update(self, context: Context, event: Operation) -> Generator:
        view = context.among(context.workers[: self.workers])
        after = self.inner.update(view, event)
        return self if after is self.inner else _Beside(self.workers, after)


def beside(workers: int, load: Generator) -> Generator:
    """`load`, on the first so many workers alone; without any, nothing."""
    return _Beside(workers, load)
