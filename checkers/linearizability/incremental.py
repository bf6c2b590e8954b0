"""One key searched while its history grows: events come one by one, and none is looked at twice.

The configurations and the rules are those of search.py, whose numbers are repeated here; what needs
to know the rest of the history (dead values, look-ahead) cannot be had, and of the orders of
commuting calls all are tried. So this is slower, and where nothing observes a growing object its
frontier grows: beyond `configurations` it is given up, which is told and never taken for a verdict.

Rules
1. An invocation is taken when the outcome of its call is known, and with it the step.
2. A call holds a bit from its invocation to its return; a crashed call holds it for ever.
3. What is remembered is the frontier and the pending calls: nothing grows with the history.

Sources: Lowe, Testing for linearizability, 2017 (just-in-time linearization).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from checkers.history import Call, History, Operation, freeze
from checkers.models.model import Effect, Model, State, Step

# A configuration is compared with at most so many of its state when covered ones are dropped.
_COMPARED_MAX = 64
CONFIGURATIONS_MAX = 20_000  # of one key, before it is given up

Configuration = tuple[State, int, int]  # the state, bits of done calls, bits of free calls


class _Pending(msgspec.Struct, frozen=True):
    """`elder`: the bit of the crashed call with the same step that is to be used first, or 0."""

    bit: int
    step: Step
    crashed: bool
    elder: int

    @property
    def total(self) -> bool:
        return self.step.effect in (Effect.OVERWRITES, Effect.TOTAL)


class Incremental:
    """`alive`: False once no configuration explains what was taken; None once it was given up."""

    def __init__(self, model: Model, configurations: int) -> None:
        self.alive: bool | None = True
        self._model = model
        self._configurations = configurations
        self._frontier: set[Configuration] = {(model.init(), 0, 0)}
        self._pending: dict[int, _Pending] = {}  # by the index of the invocation
        self._youngest: dict[Step, int] = {}  # of the crashed calls with a step: the latest's bit

    @property
    def held(self) -> int:
        """Configurations and pending calls."""
        return len(self._frontier) + len(self._pending)

    def invoke(self, index: int, step: Step, *, crashed: bool) -> None:
        taken = sum(p.bit for p in self._pending.values())
        bit = ~taken & (taken + 1)  # the lowest that is vacant
        elder = self._youngest.get(step, 0) if crashed else 0
        self._pending[index] = _Pending(bit, step, crashed, elder)
        if crashed:  # rule 4
            self._youngest[step] = bit
            self._frontier = {(s, d, f | bit) for s, d, f in self._frontier}
        elif step.effect is Effect.OBSERVES:  # rule 2
            self._frontier = {
                (s, d, f | bit if tuple(self._model.step(s, step)) else f)
                for s, d, f in self._frontier
            }

    def complete(self, index: int) -> None:
        """The call returned: configurations in which it has not taken effect by now end here."""
        target = self._pending[index]
        bit = target.bit
        survivors: set[Configuration] = set()
        stack: list[Configuration] = []
        for configuration in self._frontier:
            state, done, free = configuration
            settled = bool((done | free) & bit)
            if settled:
                survivors.add((state, done & ~bit, free & ~bit))
            # Rule 5: unless it only observes, a free call that is used visibly is used now.
            if not settled or (free & bit and target.step.effect is not Effect.OBSERVES):
                stack.append(configuration)
        if stack and not self._chains(target, stack, survivors):
            self.alive, self._frontier = None, set()
            return
        del self._pending[index]
        self._frontier = _uncovered(survivors)
        self.alive = bool(self._frontier)

    def _chains(
        self, target: _Pending, stack: list[Configuration], survivors: set[Configuration]
    ) -> bool:
        """Adds what every chain of pending calls that ends in the target leaves (rule 1). False
        where there were too many."""
        pending = self._pending.values()
        observers = [p for p in pending if p.step.effect is Effect.OBSERVES]
        movers = [p for p in pending if p.step.effect is not Effect.OBSERVES]
        total = sum(p.bit for p in movers if p.total)
        seen = target.bit if target.step.effect is Effect.OBSERVES else 0
        visited = set(stack)
        while stack:
            node = stack.pop()
            for mover in movers:
                for state, done, free in self._moved(node, mover, total, observers):
                    # An observing target was seen there: what else is pending can come later.
                    if mover is target or free & seen:
                        survivors.add((state, done & ~target.bit, free & ~target.bit))
                    elif (after := (state, done, free)) not in visited:
                        visited.add(after)
                        stack.append(after)
            if len(visited) + len(survivors) > self._configurations:
                return False
        return True

    def _moved(
        self, node: Configuration, mover: _Pending, total: int, observers: list[_Pending]
    ) -> Iterator[Configuration]:
        """What a configuration leads to when a pending call takes effect."""
        state, done, free = node
        if done & mover.bit or done & mover.elder != mover.elder:
            return
        done, free = done | mover.bit, free & ~mover.bit
        if mover.step.effect is Effect.OVERWRITES:  # rule 3
            free |= total & ~done
        for after in self._model.step(state, mover.step):
            seen = sum(p.bit for p in observers if tuple(self._model.step(after, p.step)))  # rule 2
            yield after, done, free | seen


def _uncovered(frontier: set[Configuration]) -> set[Configuration]:
    """Without what another configuration covers (rule 6 of the search)."""
    if len(frontier) < 2:
        return frontier
    by_state: dict[State, list[tuple[int, int]]] = {}
    for state, done, free in frontier:
        by_state.setdefault(state, []).append((done, free))
    kept: set[Configuration] = set()
    for state, alike in by_state.items():
        alike.sort(key=lambda c: (-c[1].bit_count(), c))  # what covers is free in more
        chosen: list[tuple[int, int]] = []
        for done, free in alike:
            if not any(not ((d ^ done) | free) & ~f for d, f in chosen[:_COMPARED_MAX]):
                chosen.append((done, free))
        kept.update((state, done, free) for done, free in chosen)
    return kept


class _Waiting:
    """A call in the queue of its key: what came of it, as soon as that is known."""

    __slots__ = ("invoke", "known", "returns", "step")

    def __init__(self, invoke: Operation) -> None:
        self.invoke = invoke
        self.known = False
        self.step: Step | None = None
        self.returns = False


class _Key:
    """One key: its search, and the events that wait for an outcome."""

    def __init__(self, model: Model, key: Any, configurations: int) -> None:
        self.key = key
        self.model = model
        self.search = Incremental(model, configurations)
        # Events not yet taken: the call, and the index of its completion (-1: the invocation).
        self.queue: deque[tuple[_Waiting, int]] = deque()
        self.judged = False

    def take(self) -> int | None:
        """Takes events up to the oldest of unknown outcome; the index that refuted the key."""
        while self.queue and self.search.alive:
            call, completion = self.queue[0]
            if not call.known:
                return None
            self.queue.popleft()
            if call.step is None:
                continue
            if completion < 0:
                self.search.invoke(call.invoke.index, call.step, crashed=not call.returns)
                continue
            self.judged = True
            self.search.complete(call.invoke.index)
            if self.search.alive is False:
                self.queue.clear()
                return completion
        return None

    def complete(self, call: _Waiting, completion: Operation | None) -> None:
        whole = Call(call.invoke, completion)
        call.step = self.model.read(whole)
        call.returns = whole.outcome != "info"
        call.known = True
        if call.step is None:
            return
        if not call.returns and call.step.effect is Effect.OBSERVES:
            call.step = None  # whatever it saw, it changed nothing
        elif call.returns and completion is not None:
            self.queue.append((call, completion.index))


class PlainFrontiers:
    """All keys of a growing history (checkers.stream.Frontiers)."""

    def __init__(self, model: Model, configurations: int = CONFIGURATIONS_MAX) -> None:
        self._model = model
        self._configurations = configurations
        self._keys: dict[Any, _Key] = {}
        self._open: dict[int | str, tuple[_Key, _Waiting]] = {}
        self._last: Operation | None = None

    @property
    def keys(self) -> int:
        return len(self._keys)

    @property
    def undecided(self) -> Sequence[Any]:
        return [key.key for key in self._keys.values() if key.search.alive is None]

    @property
    def suspected(self) -> Sequence[tuple[Any, int]]:
        return ()  # what is found is certain

    @property
    def judged(self) -> bool:
        return any(key.judged for key in self._keys.values())

    @property
    def held(self) -> int:
        waiting = sum(len(key.queue) + key.search.held for key in self._keys.values())
        return waiting + len(self._open)

    def feed(self, operations: Sequence[Operation]) -> Sequence[tuple[Any, int]]:
        touched: dict[int, _Key] = {}
        for operation in operations:
            key = self._feed(operation)
            touched[id(key)] = key
        return self._taken(touched.values())

    def finish(self) -> Sequence[tuple[Any, int]]:
        for key, call in self._open.values():
            key.complete(call, None)
        self._open = {}
        return self._taken(self._keys.values())

    def _taken(self, keys: Iterable[_Key]) -> list[tuple[Any, int]]:
        found = [(key.key, index) for key in keys if (index := key.take()) is not None]
        return sorted(found, key=lambda each: each[1])

    def _feed(self, operation: Operation) -> _Key:
        last, self._last = self._last, operation
        if last is not None and (operation.index <= last.index or operation.time < last.time):
            _refuse(last, operation)
        process = operation.process
        if isinstance(process, str):
            _refuse(operation)
        opened = self._open.get(process)
        if operation.type == "invoke":
            if opened is not None:
                _refuse(opened[1].invoke, operation)
            frozen = freeze(operation.key)
            key = self._keys.get(frozen)
            if key is None:
                key = _Key(self._model, operation.key, self._configurations)
                self._keys[frozen] = key
            call = _Waiting(operation)
            self._open[process] = key, call
            key.queue.append((call, -1))
        else:
            if opened is None:
                _refuse(operation)
                raise AssertionError("a completion alone is refused")
            key, call = opened
            if operation.f != call.invoke.f or operation.key is not None:
                _refuse(call.invoke, operation)
            del self._open[process]
            key.complete(call, operation)
        return key


def _refuse(*operations: Operation) -> None:
    """Raises HistoryError, in the words of the history of these alone, if it is ill-formed."""
    History(operations)
