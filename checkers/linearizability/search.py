"""The search: which configurations can explain the history so far?

Events are taken in order, and a frontier of configurations is kept. A configuration is a state of
the model with, for every pending call, one of three standings:
    open   it must be linearized before it returns;
    done   it has been linearized;
    free   it may count as linearized at a moment that is past, and may be linearized still.
A completion of a configuration is a sequence of calls, legal from its state and true to real time,
of every open call and of every later call that returns, of no done call, and of as many of the
free and crashed calls as one likes. The history is linearizable iff the frontier keeps a
configuration with a completion; so whatever is dropped or changed here must leave the completions
of the whole frontier as they were. The arguments, in this sense:

Rules
1. Just in time (Lowe). A call is linearized only when a return forces it: a completion begins with
   some calls up to the returning one (the chain, which is tried now) and goes on with calls for
   which it is early enough later.
2. What observes is free as soon as it is legal: taking it out of a completion changes no state.
3. When a call overwrites, pending total calls become free: they can be put right before it, legal
   there and unseen. In a lost state (space.py) so do pending total calls that do not overwrite:
   what they change nobody sees.
4. A crashed call is free from the start: it may also never happen. Of alike ones the oldest is
   tried first, since they can be exchanged in every completion.
5. At its return a free call counts as linearized; but unless it only observes, a completion that
   uses it visibly must use it now, so chains that end in it are tried as well.
6. Free covers done and free covers open: with everything else equal, the completions of a
   configuration that has `free` instead include those of the other, which is dropped.
7. Of two chains that lead to the same completions one is enough. In a chain, a call `y` that
   nothing has observed is not followed at once by `z`
     - if z overwrites and y is total or crashed: without y the chain does the same, and y is free;
     - if both orders lead to the same state and z is the returning call: y can be linearized later;
     - if both orders lead to the same state and z was invoked first: z, y is tried.
   Each replaces a chain by a shorter one or by one with fewer inversions, so this ends, and a
   chain that is not replaced is found: visited nodes are told apart by their last step as well.
8. A hopeless configuration (space.py) has no completion.

The frontier grows with concurrency and the number of crashed calls, not with the history's length.

Sources: Wing and Gong 1993; Lowe, Testing for linearizability, 2017 (just-in-time linearization).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator, Iterator
from typing import NamedTuple

from checkers.linearizability.compile import Problem
from checkers.linearizability.space import LOST, Space
from checkers.models.model import Effect

SLICE = 250  # configurations expanded between two turns: a millisecond or a few

# A configuration is compared with at most so many of its state when covered ones are dropped:
# dropping is a saving, and comparing all pairs of a large frontier would not be.
_COMPARED_MAX = 64

Configuration = tuple[int, int, int]  # state, bits of done calls, bits of free calls


class Trail(NamedTuple):
    """How a configuration came about: `before`, then at `position` the calls of the bits `hidden`,
    then the call `op` (None: none), then those of the bits `seen`. Hidden and seen ones became
    free there; that counts only where they are not linearized later."""

    before: Trail | None
    position: int
    hidden: int
    op: int | None
    seen: int


Frontier = dict[Configuration, Trail | None]


class Node(NamedTuple):
    """A configuration inside a chain. `last` is the call before it, if nothing observed its
    effect, and `origin` the state from which that was taken."""

    state: int
    done: int
    free: int
    last: int | None
    origin: int


class _Move(NamedTuple):
    at: int
    bit: int
    step: int
    after: int
    overwrites: bool
    omissible: bool  # total or crashed: a chain may do without it if nothing observes it


class Search:
    """One key. `run` is a generator, so that keys can take turns; when it has ended,
    `linearizable` says how.

    `position`: the number of events taken. `held`: the number of configurations held now.
    `frontier`: those that explain the events taken. `considered`: the nodes of the chains of the
    latest return.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.space = Space(problem)
        self.position = 0
        self.held = 1
        self.linearizable: bool | None = None
        self.frontier: Frontier = {(self.space.initial, 0, 0): None}
        self.considered: dict[Node, Trail | None] = {}
        self._moves: dict[int, _Move] = {}  # pending calls that may change the state
        self._observing: dict[int, tuple[int, int]] = {}  # the other ones: bit, step
        self._total = 0  # bits of pending calls that are total and do not overwrite
        self._overwriting = 0
        self._work = 0
        self._target = -1  # the call whose return is being taken
        self._survivors: Frontier = {}
        self._stack: list[tuple[Node, Trail | None]] = []

    def run(self) -> Iterator[None]:
        for position, (at, returns) in enumerate(self.problem.events):
            self.position = position
            if returns:
                survivors = yield from self._return(at)
            else:
                survivors = self._invoke(at)
            if not survivors:
                self.linearizable = False
                return
            self.frontier = survivors
            self._work += len(survivors)
        self.position = len(self.problem.events)
        self.linearizable = True

    def _invoke(self, at: int) -> Frontier:
        op = self.problem.ops[at]
        if op.effect is Effect.OBSERVES:
            self._observing[at] = (op.bit, op.step)
        else:
            overwrites = op.effect is Effect.OVERWRITES
            omissible = op.total or op.crashed
            self._moves[at] = _Move(at, op.bit, op.step, op.after, overwrites, omissible)
            if overwrites:
                self._overwriting |= op.bit
            elif op.total:
                self._total |= op.bit
            if op.crashed:
                return {(s, d, f | op.bit): trail for (s, d, f), trail in self.frontier.items()}
            if overwrites or not self.problem.foreseeing:
                return self.frontier
        survivors: Frontier = {}
        for (state, done, free), trail in self.frontier.items():
            seen = self._seen(state, done | free) & op.bit
            if seen:
                trail = Trail(trail, self.position, 0, None, seen)
            survivors[state, done, free | seen] = trail
        return survivors

    def _return(self, at: int) -> Generator[None, None, Frontier]:
        self._target = at
        self._survivors, self._stack, self.considered = {}, [], {}
        bit = self.problem.ops[at].bit
        observes = at in self._observing
        for (state, done, free), trail in self.frontier.items():
            settled = (done | free) & bit
            if settled:
                self._survive(state, done, free, trail)
            if not settled or (free & bit and not observes):
                self._stack.append((Node(state, done, free, None, state), trail))
        if self._stack:
            yield from self._chains()
        self._observing.pop(at, None)
        self._moves.pop(at, None)
        self._total &= ~bit
        self._overwriting &= ~bit
        self.held = len(self._survivors)
        return _uncovered(self._survivors)

    def _chains(self) -> Iterator[None]:
        """Adds to the survivors what every chain of pending calls that ends in the target leaves,
        beginning with the nodes on the stack."""
        stack, visited = self._stack, self.considered
        moves = list(self._moves.values())
        while stack:
            node, trail = stack.pop()
            if node in visited:
                continue
            visited[node] = trail
            self._work += 1
            if self._work >= SLICE:
                self._work = 0
                self.held = len(self.frontier) + len(visited) + len(stack) + len(self._survivors)
                yield
            for move in moves:
                if node.done & move.bit or node.done & move.after != move.after:
                    continue
                if move.at != self._target and node.state == LOST and not move.overwrites:
                    continue  # rule 3: it is free already
                reached = self.space.after(node.state, move.step)
                if reached and not self._superfluous(node, move, reached):
                    for state in reached:
                        self._take(node, trail, move, state)

    def _take(self, node: Node, trail: Trail | None, move: _Move, state: int) -> None:
        """Linearizes a call in a chain."""
        done, free = node.done | move.bit, node.free & ~move.bit
        hidden = 0
        if move.overwrites:
            hidden = (self._total | self._overwriting) & ~(done | free)
            free |= hidden
        seen = self._seen(state, done | free)
        free |= seen
        trail = Trail(trail, self.position, hidden, move.at, seen)
        target = self._observing.get(self._target)
        if move.at == self._target or (target is not None and seen & target[0]):
            self._survive(state, done, free, trail)
            return
        if self.problem.foreseeing:
            ahead = self._foresee(state, done, free, self._overwriting, trail)
            if ahead is None:
                return
            state, free, trail = ahead
        last = move.at if not seen and move.omissible else None
        self._stack.append((Node(state, done, free, last, node.state), trail))

    def _survive(self, state: int, done: int, free: int, trail: Trail | None) -> None:
        """Takes the target's bit off, and keeps what is left unless it is hopeless."""
        bit = self.problem.ops[self._target].bit
        if self.problem.foreseeing:
            ahead = self._foresee(state, done, free, self._overwriting & ~bit, trail)
            if ahead is None:
                return
            state, free, trail = ahead
        self._survivors.setdefault((state, done & ~bit, free & ~bit), trail)

    def _foresee(
        self, state: int, done: int, free: int, overwriting: int, trail: Trail | None
    ) -> tuple[int, int, Trail | None] | None:
        """None if hopeless; else the state, LOST if it is, with the free calls and the trail."""
        if not overwriting & ~done and self.space.hopeless(state, done | free, self.position):
            return None
        if state == LOST or self.space.settled(state, self.position) != LOST:
            return state, free, trail
        freed = self._seen(LOST, done | free)
        return LOST, free | freed, Trail(trail, self.position, 0, None, freed)

    def _seen(self, state: int, settled: int) -> int:
        """The bits of pending calls that become free because they leave this state as it is."""
        if state == LOST:
            return self._total & ~settled
        seen = 0
        for bit, step in self._observing.values():
            if not settled & bit and self.space.after(state, step):
                seen |= bit
        return seen

    def _superfluous(self, node: Node, move: _Move, reached: tuple[int, ...]) -> bool:
        """Rule 7: does another chain do as well as this one with `move` at its end?"""
        if node.last is None:
            return False
        if move.overwrites:
            return True
        if (move.at != self._target and move.at > node.last) or len(reached) > 1:
            return False
        first = self.space.after(node.origin, move.step)
        if len(first) != 1:
            return False
        swapped = self.space.after(first[0], self._moves[node.last].step)
        return swapped == reached


def _uncovered(frontier: Frontier) -> Frontier:
    """The frontier without what another configuration covers (rule 6)."""
    if len(frontier) < 2:
        return frontier
    by_state: dict[int, list[Configuration]] = {}
    for configuration in frontier:
        by_state.setdefault(configuration[0], []).append(configuration)
    kept: Frontier = {}
    for alike in by_state.values():
        if len(alike) == 1:
            kept[alike[0]] = frontier[alike[0]]
            continue
        alike.sort(key=lambda c: (-c[2].bit_count(), c))  # what covers is free in more
        chosen: list[Configuration] = []
        for configuration in alike:
            if not any(_covers(other, configuration) for other in chosen[:_COMPARED_MAX]):
                chosen.append(configuration)
        kept.update((c, frontier[c]) for c in chosen)
    return kept


def _covers(one: Configuration, other: Configuration) -> bool:
    _, done, free = one
    _, other_done, other_free = other
    return not ((done ^ other_done) | other_free) & ~free


def order(problem: Problem, trail: Trail | None) -> list[int]:
    """The indices of the calls of a trail, in the order of their linearization. Free calls stand
    where they became free, unless they were linearized later."""
    entries: list[Trail] = []
    while trail is not None:
        entries.append(trail)
        trail = trail.before
    entries.reverse()
    placed = {entry.op for entry in entries}
    holders: dict[int, list[int]] = {}
    for at, op in enumerate(problem.ops):
        holders.setdefault(op.bit, []).append(at)
    indices: list[int] = []
    for entry in entries:
        for mask, op_at in ((entry.hidden, entry.op), (entry.seen, None)):
            for bit in _bits(mask):
                at = _holder(problem, holders[bit], entry.position)
                if at not in placed:
                    placed.add(at)
                    indices.append(problem.ops[at].index)
            if op_at is not None:
                indices.append(problem.ops[op_at].index)
    return indices


def _bits(mask: int) -> Iterator[int]:
    while mask:
        bit = mask & -mask
        yield bit
        mask ^= bit


def _holder(problem: Problem, holders: list[int], position: int) -> int:
    """Which call held a bit at a position: the latest that was invoked by then."""
    found = bisect_right(holders, position, key=lambda at: problem.ops[at].invoked)
    return holders[found - 1]
