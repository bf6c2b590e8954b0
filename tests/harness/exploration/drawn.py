"""Small random protocols, as tables: a machine that follows one, and a slow obvious search of them.

The oracle shares nothing with the explorer but the table: no machine, no freezing, no cells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st

from harness.exploration.configuration import Limits, System
from harness.exploration.freezing import Opaque
from harness.machine import (
    Deliver,
    Effect,
    Event,
    Machine,
    Recover,
    Send,
    SetTimer,
    Timeout,
    Trace,
    Truncate,
)

STATES = 2
KINDS = ("a", "b")
HOPS = 2  # an answer to a message has one hop less; without hops nothing is sent
TIMER = "t"


class Rule(NamedTuple):
    """What a process does on a start, a message or a time-out, by its state."""

    state: int
    sends: tuple[tuple[int, str], ...]  # process, kind
    decide: int | None
    persist: bool
    timer: bool


Table = dict[tuple[int, int, str], Rule]  # process, state, what happened


def tables(processes: int) -> st.SearchStrategy[Table]:
    """A rule for everything that can happen."""
    rule = st.builds(
        Rule,
        st.integers(0, STATES - 1),
        st.lists(st.tuples(st.integers(0, processes - 1), st.sampled_from(KINDS)), max_size=2).map(
            tuple
        ),
        st.sampled_from((None, None, 0, 1)),
        st.booleans(),
        st.booleans(),
    )
    keys = [
        (p, s, what)
        for p in range(processes)
        for s in range(STATES)
        for what in ("start", TIMER, *KINDS)
    ]
    return st.fixed_dictionaries(dict.fromkeys(keys, rule))


limits = st.builds(
    Limits, timeouts=st.integers(0, 1), crashes=st.integers(0, 1), duplicates=st.integers(0, 1)
)


class Book(Opaque):
    """The table where machines look it up: it never changes, so copies may share it."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def __deepcopy__(self, memo: dict[int, Any]) -> Book:
        return self


class Follower:
    """The machine of process `index`."""

    def __init__(self, index: int, book: Book) -> None:
        self._index, self._state, self._book = index, 0, book

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        if isinstance(event, Recover):
            if event.stored:
                self._state = event.stored[-1]
            return self._follow("start", HOPS)
        if isinstance(event, Timeout):
            return self._follow(event.name, 1)
        assert isinstance(event, Deliver)
        kind, hops = event.message
        return self._follow(kind, hops)

    def _follow(self, what: str, hops: int) -> Sequence[Effect]:
        rule = self._book.table[self._index, self._state, what]
        self._state = rule.state
        effects: list[Effect] = []
        if rule.persist:
            effects.append(Truncate([self._state]))
        if rule.timer:
            effects.append(SetTimer(TIMER, 1.0))
        if rule.decide is not None:
            effects.append(Trace("decide", {"value": rule.decide}))
        if hops > 0:
            effects.extend(Send(f"p{dst}", [kind, hops - 1]) for dst, kind in rule.sends)
        return effects


def system(table: Table, processes: int) -> System:
    names = tuple(f"p{index}" for index in range(processes))
    book = Book(table)

    def build(name: str, _rng: Random) -> Machine:
        return Follower(names.index(name), book)

    return System(processes=names, build=build)


class Local(NamedTuple):
    """The oracle's view of a process."""

    up: bool
    state: int
    timer: bool
    stored: int | None
    decided: tuple[int, ...]


Message = tuple[int, int, str, int]  # src, dst, kind, hops


class Whole(NamedTuple):
    """The oracle's view of a configuration."""

    locals: tuple[Local, ...]
    messages: frozenset[tuple[Message, int]]
    spent: tuple[int, int, int]


class Oracle:
    """Every configuration by plain recursion over the table."""

    def __init__(self, table: Table, processes: int, limits: Limits) -> None:
        self._table, self._limits = table, limits
        whole = Whole((Local(True, 0, False, None, ()),) * processes, frozenset(), (0, 0, 0))
        for process in range(processes):
            whole = self._follow(whole, process, "start", HOPS)
        self.transitions = self.terminal = 0
        self.seen = {whole}
        frontier = [whole]
        while frontier:
            reached = list(self._successors(frontier.pop()))
            self.transitions += len(reached)
            self.terminal += not reached
            new = set(reached) - self.seen
            self.seen |= new
            frontier.extend(new)

    def decisions(self) -> set[tuple[tuple[int, ...], ...]]:
        """The combinations of output registers that can be reached."""
        return {tuple(local.decided for local in whole.locals) for whole in self.seen}

    def _successors(self, whole: Whole) -> Iterator[Whole]:
        timeouts, crashes, duplicates = whole.spent
        for (src, dst, kind, hops), count in whole.messages:
            if whole.locals[dst].up:
                left = Counter(dict(whole.messages))
                left[src, dst, kind, hops] = count - 1
                taken = whole._replace(messages=frozenset((+left).items()))
                yield self._follow(taken, dst, kind, hops)
                if duplicates < (self._limits.duplicates or 0):
                    paid = whole._replace(spent=(timeouts, crashes, duplicates + 1))
                    yield self._follow(paid, dst, kind, hops)
        for process, local in enumerate(whole.locals):
            if not local.up:
                again = local._replace(up=True, state=local.stored or 0)
                yield self._follow(_put(whole, process, again), process, "start", HOPS)
                continue
            if local.timer and timeouts < (self._limits.timeouts or 0):
                rung = _put(whole, process, local._replace(timer=False))
                rung = rung._replace(spent=(timeouts + 1, crashes, duplicates))
                yield self._follow(rung, process, TIMER, 1)
            if crashes < (self._limits.crashes or 0):
                down = local._replace(up=False, state=-1, timer=False)
                yield _put(whole, process, down)._replace(spent=(timeouts, crashes + 1, duplicates))

    def _follow(self, whole: Whole, process: int, what: str, hops: int) -> Whole:
        local = whole.locals[process]
        rule = self._table[process, local.state, what]
        stored = rule.state if rule.persist and self._limits.crashes else local.stored
        decided: Any = local.decided
        if rule.decide is not None and rule.decide not in decided:
            decided = (*decided, rule.decide)
        timer = (local.timer or rule.timer) and bool(self._limits.timeouts)
        after = Local(True, rule.state, timer, stored, decided)
        messages = Counter(dict(whole.messages))
        if hops > 0:
            messages.update((process, dst, kind, hops - 1) for dst, kind in rule.sends)
        return _put(whole, process, after)._replace(messages=frozenset(messages.items()))


def _put(whole: Whole, process: int, local: Local) -> Whole:
    locals_ = (*whole.locals[:process], local, *whole.locals[process + 1 :])
    return whole._replace(locals=locals_)
