"""Scripted operations: those of an earlier run, given out again at the same moments.

Rules
1. An operation belongs to its worker and comes no sooner than at its time; a worker that is late
   goes on with its next as soon as it is free. Those of one worker keep their order.
2. A script asks nobody what happened: what was drawn by chance or from answers is written down. So
   an operation can be left out and the others stay what they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from checkers.history import Operation
from harness.generators.contract import (
    PENDING,
    Answer,
    Context,
    Generator,
    Invocation,
    Pending,
)


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One operation of a script; `at_ns` since the run began."""

    at_ns: int
    worker: int
    f: str
    value: Any = None
    key: Any = None


class Script(msgspec.Struct, frozen=True):
    """`load`: while faults come and go; `final`: after all was healed. In the order of time."""

    load: tuple[Line, ...] = ()
    final: tuple[Line, ...] = ()

    @property
    def operations(self) -> int:
        return len(self.load) + len(self.final)


Place = tuple[int, Line]  # a line and where it stands in the script


class Scripted(msgspec.Struct, frozen=True):
    """The generator. `queues`: by worker, what it has still to do."""

    queues: tuple[tuple[Place, ...], ...]

    def op(self, context: Context) -> tuple[Answer, Generator]:
        able = [w for w in context.free if w < len(self.queues) and self.queues[w]]
        if not able:
            return (PENDING if any(self.queues) else None), self
        due = [w for w in able if self.queues[w][0][1].at_ns <= context.time_ns]
        if not due:
            return Pending(min(self.queues[w][0][1].at_ns for w in able)), self
        # Those of one moment begin in the order of the script: it is the order they had.
        worker = min(due, key=lambda w: self.queues[w][0][0])
        line = self.queues[worker][0][1]
        rest = self.queues[worker][1:]
        after = Scripted((*self.queues[:worker], rest, *self.queues[worker + 1 :]))
        return Invocation(worker, line.f, line.value, line.key), after

    def update(self, context: Context, event: Operation) -> Generator:  # noqa: ARG002
        return self


def scripted(lines: Sequence[Line]) -> Scripted:
    """A generator of these operations; workers count from 0."""
    workers = max((line.worker for line in lines), default=-1) + 1
    queues: list[list[Place]] = [[] for _ in range(workers)]
    for place, line in enumerate(lines):
        queues[line.worker].append((place, line))
    return Scripted(tuple(tuple(queue) for queue in queues))


def script_of(operations: Sequence[Operation], workers: int, final_from: int) -> Script:
    """What clients did in a history; operations from index `final_from` on are of the end."""
    load: list[Line] = []
    final: list[Line] = []
    for o in operations:
        if o.type == "invoke" and isinstance(o.process, int):
            line = Line(o.time, o.process % workers, o.f, o.value, o.key)
            (load if o.index < final_from else final).append(line)
    return Script(tuple(load), tuple(final))
