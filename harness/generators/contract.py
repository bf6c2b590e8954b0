"""What a generator is: a pure value that says which operation comes next.

Rules
1. A generator is immutable. `op` answers with the next operation and the generator that follows it;
   `update` answers with the generator that has seen an event. Neither changes anything.
2. The answer to `op` is an Invocation, Pending, or None. An Invocation is for now. None means
   exhausted, for ever. Pending means not now: ask again when something completes, and at `until_ns`
   at the latest. The last two are never mixed up: what waits is not over, and a generator whose
   operations are in flight may well be exhausted.
3. The generator that follows counts only once its Invocation is taken. Whoever got Pending keeps
   the generator that was asked.
4. Chance comes from `context.random` alone. It is set anew before every question from the seed and
   the number of operations taken so far: a question that is asked again has the same answer, and
   how often a generator was polled leaves no mark on the run.
5. An event is the journaled Operation of a client, an invocation or a completion. A generator that
   holds others passes events on to all that could have caused them; otherwise it passes nothing.

Sources: the model is Jepsen's (jepsen.generator): op, update, context. In
Jepsen an operation may lie in the future and is asked for again; here that is Pending.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from random import Random
from typing import Any, Protocol

import msgspec

from checkers.history import Operation


class GeneratorError(Exception):
    """A generator broke the rules above; its author is at fault. The message says which rule."""


class Request(msgspec.Struct, frozen=True):
    """What to do, before anyone said who does it and when."""

    f: str
    value: Any = None
    key: Any = None


class Invocation(msgspec.Struct, frozen=True):
    """An operation to start now, by `worker`, one of the free."""

    worker: int
    f: str
    value: Any = None
    key: Any = None


class Pending(msgspec.Struct, frozen=True):
    """Nothing now. `until_ns`: when to ask again if nothing completes; None if only a completion
    can change the answer."""

    until_ns: int | None = None


PENDING = Pending()

Answer = Invocation | Pending | None


class Chance:
    """The randomness of the questions, one after another (rule 4). It is seeded where a question is
    the first to draw: most are answered by "not yet", and to seed costs more than all the rest."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._seed: int | None = None

    def ask(self, seed: int) -> None:
        """A question begins; `seed` is its own."""
        self._seed = seed

    @property
    def random(self) -> Random:
        if self._seed is not None:
            self._random.seed(self._seed)
            self._seed = None
        return self._random


class Context(msgspec.Struct, frozen=True):
    """What a generator may know about the run.

    `workers`: the numbers of the workers this generator may use, in order; `free`: those of them
    without an open operation, in order. `processes`: by worker number, the process each works
    under now, for all workers of the run. `random`: for all that is by chance.
    """

    time_ns: int
    free: tuple[int, ...]
    workers: tuple[int, ...]
    processes: tuple[int, ...]
    chance: Chance

    @property
    def random(self) -> Random:
        return self.chance.random

    def among(self, workers: tuple[int, ...]) -> Context:
        """The same moment, seen by a generator that may use only `workers`, a slice of ours."""
        if not workers:
            return Context(self.time_ns, (), (), self.processes, self.chance)
        # Both tuples are in order, so what is free in the slice is a slice of what is free.
        begin = bisect_left(self.free, workers[0])
        end = bisect_right(self.free, workers[-1])
        return Context(self.time_ns, self.free[begin:end], workers, self.processes, self.chance)

    def worker_of(self, process: int | str) -> int:
        """The worker that works, or worked, under this process number."""
        assert isinstance(process, int), "generators see the events of clients only"
        return process % len(self.processes)

    def any_free(self) -> int:
        """One of the free workers, by chance; there must be one."""
        return self.free[int(self.random.random() * len(self.free))]

    def invocation(self, request: Request) -> Invocation | Pending:
        """The request, now, by any free worker; Pending if none is free."""
        if not self.free:
            return PENDING
        return Invocation(self.any_free(), request.f, request.value, request.key)


class Generator(Protocol):
    """See the rules at the head of this module."""

    def op(self, context: Context) -> tuple[Answer, Generator]: ...

    def update(self, context: Context, event: Operation) -> Generator: ...


def sooner(a: Pending | None, b: Pending | None) -> Pending | None:
    """What a choice of two waits for: whichever is due first. None only if both are exhausted."""
    if a is None or b is None:
        return b if a is None else a
    if b.until_ns is None or (a.until_ns is not None and a.until_ns <= b.until_ns):
        return a
    return b
