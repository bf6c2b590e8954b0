"""Generators that say who.

Rules
1. Each group or worker sees a context of its own: its workers only, numbered as in the run. So
   `reserve` inside `reserve` divides the group, and a barrier inside a group waits for the group.
2. The group that can act first does; of several that can act now, one by chance.
3. Events go to the group or worker that caused them, and to no other.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

import msgspec

from checkers.history import Operation
from harness.generators.choice import by_weight, first_ready, put
from harness.generators.contract import Answer, Context, Generator, GeneratorError, Invocation


class _Reserve(msgspec.Struct, frozen=True):
    bounds: tuple[int, ...]  # group i has workers bounds[i]:bounds[i + 1]; the last, all the rest
    members: tuple[Generator, ...]

    def op(self, context: Context) -> tuple[Answer, Generator]:
        views = [context.among(group) for group in self._groups(context.workers)]
        # By the number of free workers, so that a rate over all groups falls on them alike. A
        # group without any is still asked, after all others: it may be exhausted.
        order = by_weight([len(view.free) + 1e-9 for view in views], context.random)
        answer, at, after = first_ready(order, lambda at: self.members[at].op(views[at]))
        if not isinstance(answer, Invocation):
            return answer, self
        return answer, _Reserve(self.bounds, put(self.members, at, after))

    def update(self, context: Context, event: Operation) -> Generator:
        position = bisect_left(context.workers, context.worker_of(event.process))
        at = bisect_right(self.bounds, position) - 1
        group = self._groups(context.workers)[at]
        after = self.members[at].update(context.among(group), event)
        members = put(self.members, at, after)
        return self if members is self.members else _Reserve(self.bounds, members)

    def _groups(self, workers: tuple[int, ...]) -> list[tuple[int, ...]]:
        bounds = self.bounds
        if bounds[-1] >= len(workers):
            raise GeneratorError(
                f"reserve wants {bounds[-1]} workers and at least one for the rest, but has "
                f"{len(workers)}. Give the run more workers, or reserve fewer."
            )
        groups = [workers[a:b] for a, b in itertools.pairwise(bounds)]
        groups.append(workers[bounds[-1] :])
        return groups


def reserve(*groups: tuple[int, Generator], rest: Generator) -> Generator:
    """The first n workers for the first group's generator, the next m for the second's, ...; all
    others for `rest`. Raises GeneratorError when asked, if there are too few workers."""
    sizes = [n for n, _ in groups]
    if any(n < 1 for n in sizes):
        raise ValueError(f"reserve takes groups of at least one worker, got {sizes}")
    bounds = tuple(itertools.accumulate(sizes, initial=0))
    return _Reserve(bounds, (*(member for _, member in groups), rest))


class _EachWorker(msgspec.Struct, frozen=True):
    make: Callable[[int, int], Generator]
    by_process: bool
    processes: tuple[int, ...] = ()  # which process each copy was made for
    members: tuple[Generator, ...] = ()

    def op(self, context: Context) -> tuple[Answer, Generator]:
        now = self._renewed(context)
        workers, random = context.workers, context.random

        def ask(at: int) -> tuple[Answer, Generator]:
            return now.members[at].op(context.among((workers[at],)))

        # The busy ones are asked last, only to learn whether they are exhausted.
        busy = [at for at, w in enumerate(workers) if w not in context.free]
        first = int(random.random() * len(workers))
        free = [at for at in _round(len(workers), first) if workers[at] in context.free]
        answer, at, after = first_ready([*free, *busy], ask)
        if not isinstance(answer, Invocation):
            return answer, self
        return answer, now._with(put(now.members, at, after))

    def update(self, context: Context, event: Operation) -> Generator:
        worker = context.worker_of(event.process)
        if not self.members or worker not in context.workers:
            return self
        at = context.workers.index(worker)
        if self.by_process and self.processes[at] != event.process:
            return self
        after = self.members[at].update(context.among((worker,)), event)
        members = put(self.members, at, after)
        return self if members is self.members else self._with(members)

    def _with(self, members: tuple[Generator, ...]) -> _EachWorker:
        return _EachWorker(self.make, self.by_process, self.processes, members)

    def _renewed(self, context: Context) -> _EachWorker:
        """With a copy for each worker; where it matters, a fresh one for each new process."""
        processes = tuple([context.processes[w] for w in context.workers])
        if self.members and (not self.by_process or processes == self.processes):
            return self
        count = len(processes)
        members = tuple(
            self.members[at]
            if self.members and processes[at] == self.processes[at]
            else self.make(at, count)
            for at in range(count)
        )
        return _EachWorker(self.make, self.by_process, processes, members)


def _round(count: int, first: int) -> Sequence[int]:
    return [*range(first, count), *range(first)]


def each_worker(inner: Generator) -> Generator:
    """A copy of `inner` for each worker, which keeps it from one process to the next."""
    return _EachWorker(lambda _at, _count: inner, by_process=False)


def for_each_worker(make: Callable[[int, int], Generator]) -> Generator:
    """`make(i, n)` for worker i of n; i counts within the workers this generator may use."""
    return _EachWorker(make, by_process=False)


def each_process(inner: Generator) -> Generator:
    """A copy of `inner` for each process; a process that follows one lost to info gets a fresh one.

    If every copy ends in info this goes on for ever: for final reads, use `each_worker`.
    """
    return _EachWorker(lambda _at, _count: inner, by_process=True)
