"""The search in plain Python: which configurations can explain the history of one key so far?

Events are taken in order, and a frontier of configurations is kept. A configuration is a state of
the model, for every pending call one of three standings, and of the crashed calls (those that
never return) how many of each step were used:
    open   it must be linearized before it returns;
    done   it has been linearized;
    free   it may count as linearized at a moment that is past, and may be linearized still.
A completion of a configuration is a sequence of calls, legal from its state and true to real time,
of every open call and of every later call that returns, of no done call, and of as many of the
free and the unused crashed calls as one likes. The history is linearizable iff the frontier keeps
a configuration with a completion; so whatever is dropped or changed here must leave the question
whether the frontier has completions as it was. The arguments, in this sense:

Rules
1. Just in time (Lowe). A call is linearized only when a return forces it: a completion begins with
   some calls up to the returning one (the chain, which is tried now) and goes on with calls for
   which it is early enough later.
2. What leaves the state as it is, is free as soon as it is legal: taking it out of a completion
   changes no state.
3. When a call overwrites, pending total calls become free: they can be put right before it, legal
   there and unseen. In the LOST state so do pending total calls that do not overwrite: what they
   change nobody sees.
4. Crashed calls with the same step can be exchanged in every completion, so they are counted and
   not named. What a configuration has not used it may use later; so of two that are alike
   otherwise, the one that used fewer of every step covers the other.
5. At its return a free call counts as linearized; but unless it only observes, a completion that
   uses it visibly must use it now, so chains that end in it are tried as well.
6. Free covers done and free covers open: with everything else equal, the completions of a
   configuration that has `free` instead include those of the other, which is dropped.
7. Of two chains that lead to the same completions one is enough. In a chain, a call `y` that
   nothing has observed is not followed at once by `z`
     - if z overwrites and y is total or crashed: without y the chain does the same, and y is free;
     - if both orders lead to the same state and z is the returning call: y can be linearized later;
     - if both orders lead to the same state and z has the lower number: z, y is tried.
   Each replaces a chain by a shorter one or by one with fewer inversions, so this ends, and a
   chain that is not replaced is found: visited nodes are told apart by their last step as well.
8. A hopeless configuration (Space.hopeless) has no completion.
9. Crashed calls of a few steps make so much possible that the counts alone are too many. So the
   searches of `LADDER` are made one after the other, never mixed, until one decides; the last does.
   One that left something out (`lossy`) may still find a linearization, but refute no more.
10. If crashed calls were without end, more would be possible: so what is refuted then is refuted,
    and nothing else follows. Nor from a start at an anchor, a call that is legal in one state only:
    there the state is that, and what overlaps the anchor may have taken effect, or not. So such a
    search looks at no more than `BEYOND` before and after where the one before it died.

Sources: Wing and Gong 1993; Lowe, Testing for linearizability, 2017. Engine: src/search/mod.rs.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from typing import NamedTuple

from checkers.linearizability.pending import Link, Move, Pending
from checkers.linearizability.problem import (
    LOST,
    Op,
    Problem,
    Space,
    Start,
    Trail,
    as_of,
    compile_calls,
    order,
)
from checkers.models.model import Effect

__all__ = [
    "LADDER",
    "SLICE",
    "Node",
    "Problem",
    "Rung",
    "Search",
    "Start",
    "Trail",
    "as_of",
    "compile_calls",
    "order",
]

SLICE = 2000  # moves tried between two turns: a few milliseconds
BEYOND = 2000  # events (rule 10)
# So many are compared to see what is covered: that is to save work, and all pairs would not.
_COMPARED_MAX = 64


class Rung(NamedTuple):
    """What one search of a key may do.

    `nodes`: that one return may take, and twice what it may leave; beyond, it gives up. `alike`:
    configurations kept that differ in the used crashed calls only. `slack`: only chains are tried
    that use fewest crashed calls of all that lead on, or so many more. `endless`: rule 10.
    """

    nodes: float = math.inf
    alike: float = math.inf
    slack: float = math.inf
    endless: bool = False


# Most keys are easy. Then comes what finds most linearizations fast, then what refutes most fast.
LADDER = (
    Rung(nodes=64),
    Rung(alike=1, slack=0),
    Rung(endless=True),
    Rung(alike=8, slack=2),
    Rung(endless=True),
    Rung(),
)

# state, bits of done calls, bits of free calls, counts of used crashed calls
Configuration = tuple[int, int, int, int]
Frontier = dict[Configuration, Trail | None]


class Node(NamedTuple):
    """A configuration inside a chain."""

    state: int
    done: int
    free: int
    used: int
    last: int | None
    origin: int


class Search:
    """One key. `run` is a generator, so that keys can take turns; when it has ended,
    `linearizable` says how.

    `position`: the number of events taken. `held`: the number of configurations held now.
    `frontier`: those that explain the events taken. `rung`: the place in the ladder.
    """

    def __init__(self, problem: Problem, ladder: tuple[Rung, ...] = LADDER) -> None:
        self.problem = problem
        self.space = Space(problem)
        self.position, self.held = 0, 1
        self.linearizable: bool | None = None
        self.rung = 0
        self._ladder = ladder
        self._died, self._dead_ends = 0, list[Link]()  # where the search before did; its chains
        self._work = 0
        self._target = -1  # the call whose return is being taken,
        self._bit = self._observed = 0  # its bit, and the same if it only observes
        self._begin(ladder[0])

    @property
    def considered(self) -> dict[Node, Trail | None]:
        """The nodes of the chains of the latest return. Those of an endless search are no partial
        linearizations: it has those of the search before it, if that died of the same return."""
        links = self._links
        if self.limits.endless:
            links = self._dead_ends if self._died == self.position else []
        return {Node(*link[:-1]): link[-1] for link in links}

    def run(self) -> Iterator[None]:
        for rung, limits in enumerate(self._ladder):
            self.rung = rung
            if limits.endless and not self.space.telling:
                continue  # a model that grows has no end of states
            self._begin(limits)
            yield from self._climb()
            if self.linearizable is not None:
                return
            self._died, self._dead_ends = self.position, self._links

    def _begin(self, limits: Rung) -> None:
        self.limits = limits
        self.pending = Pending(self.problem, self.space)
        self.frontier: Frontier = {(self.space.initial, 0, 0, 0): None}
        self._lossy = self._plenty = False
        self._clear()

    def _clear(self) -> None:
        self._survivors: Frontier = {}
        self._stack: list[Link] = []
        self._links: list[Link] = []
        # Of survivors and links that differ in nothing else: the used crashed calls.
        self._uses: dict[tuple[int | None, ...], list[int]] = {}

    def _climb(self) -> Iterator[None]:
        """One search. It leaves `linearizable` None if it does not decide."""
        pending, ops, endless = self.pending, self.problem.ops, self.limits.endless
        anchor = self.space.anchor(self._died - BEYOND) if endless else None
        since, free_until = (-1, -1) if anchor is None else (anchor.invoked, anchor.returned)
        for position, (at, returns) in enumerate(self.problem.events):
            self.position = position
            if position % SLICE == 0:
                yield from self._pause()
            op = ops[at]
            if not op.bit:
                pending.crash(op)
            elif not returns:
                fits, early = pending.enter(at), op.free or position < free_until
                if position == since and (state := self.space.required[op.step]) is not None:
                    self.frontier = {(state, 0, pending.bits, 0): None}
                elif early or fits is None or any(c[0] == fits for c in self.frontier):
                    yield from self._freed(op, early)
            elif position < since or self._settled(op):
                pending.leave(at)
            elif endless and position > self._died + BEYOND:
                return
            else:
                self._target, self._bit = at, op.bit
                self._observed = op.bit & pending.observing
                if not (yield from self._return()):
                    return
                pending.leave(at)
                if not self.frontier:
                    self.linearizable = None if self._lossy else False
                    return
        if not endless:
            self.position = len(self.problem.events)
            self.linearizable = True

    def _freed(self, op: Op, early: bool) -> Iterator[None]:
        """Makes a call that is invoked free where it leaves the state as it is; if it may have
        taken effect before the search began (`early`), everywhere."""
        frontier: Frontier = {}
        for (state, done, free, used), trail in self.frontier.items():
            if early:
                free |= op.bit
            elif self.pending.seen(state, done | free) & op.bit:
                free |= op.bit
                trail = Trail(trail, self.position, 0, None, op.bit)
            frontier[state, done, free, used] = trail
            self._work += self.pending.cost
            if self._work >= SLICE:
                yield from self._pause()
        self.frontier = frontier

    def _pause(self) -> Iterator[None]:
        self._work = 0
        held = len(self.frontier) + len(self._survivors)
        self.held = held + len(self._links) + len(self._stack)
        yield

    def _settled(self, op: Op) -> bool:
        """Takes a return for which nothing is to be tried, if it is one."""
        standing = 2 if op.effect is Effect.OBSERVES else 1
        if len(self.frontier) > SLICE or not all(c[standing] & op.bit for c in self.frontier):
            return False
        rest = ~op.bit
        self.frontier = {(s, d & rest, f & rest, u): t for (s, d, f, u), t in self.frontier.items()}
        return True

    def _return(self) -> Generator[None, None, bool]:
        """Takes the target's return. False: the search gives up."""
        self._clear()
        pending, bit = self.pending, self._bit
        plenty = self._plenty = self.limits.endless and pending.plenty()
        for (state, done, free, used), trail in self.frontier.items():
            settled = (done | free) & bit
            if settled:
                self._survive(state, done, free, used, trail)
            spared = self._observed or (plenty and pending.rich(state))
            if not settled or (free & bit and not spared):
                self._stack.append((state, done, free, used, None, state, trail))
            self._work += 1
            if self._work >= SLICE:
                yield from self._pause()
        if not (yield from self._chains()):
            return False
        self.frontier, self._survivors, self._uses = self._survivors, {}, {}
        if plenty and all(pending.rich(state) for state, *_ in self.frontier):
            self.frontier = dict([*self.frontier.items()][:1])
        if len({c[0] for c in self.frontier}) < len(self.frontier):
            yield from self._uncover()
        self.held = len(self.frontier)
        return not (pending.classes and 2 * self.held > self.limits.nodes)

    def _chains(self) -> Generator[None, None, bool]:
        """Adds to the survivors what chains of pending calls that end in the target leave,
        beginning with those on the stack; those that use fewest crashed calls first. False: the
        search gives up."""
        pending, links, stack = self.pending, self._links, self._stack
        first, cost, most = 0, 0, math.inf
        while True:
            while stack:
                link = stack.pop()
                state, done, free, used, last, origin, _ = link
                if self._keeps((state, done, free, last, origin), used):
                    links.append(link)
                    rich = self._plenty and pending.rich(state)
                    choose = pending.shortest if rich else pending.moves
                    self._try(link, choose(link, self._target))
                    if self._work >= SLICE:
                        yield from self._pause()
            if not pending.classes or first == len(links):
                return True
            if len(links) > self.limits.nodes:
                return False
            if self._survivors:
                most = min(most, cost + self.limits.slack)
            if cost >= most:
                self._lossy = True
                return True
            cost += 1
            layer, first = links[first:], len(links)
            for link in layer:
                if not (self._plenty and pending.rich(link[0])):
                    self._try(link, pending.detours(link, self.position))
                if self._work >= SLICE:
                    yield from self._pause()

    def _try(self, link: Link, moves: list[Move]) -> None:
        """Linearizes in a chain each of these calls that may follow."""
        state, old_done, old_free, old_used, last, origin, trail = link
        pending, after, endless = self.pending, self.space.after, self.limits.endless
        for move in moves:
            if not (move.bit or endless or pending.left(move, old_used)):
                continue
            if state == LOST and not move.overwrites and move.at != self._target:
                continue  # rule 3: it is free already, or illegal
            reached = after(state, move.step)
            if last is not None and pending.superfluous(last, origin, move, reached, self._target):
                continue
            done, free, hidden = old_done | move.bit, old_free & ~move.bit, 0
            if move.overwrites:
                hidden = pending.total & ~(done | free)
                free |= hidden
            used = old_used if move.bit or endless else old_used + (1 << move.shift)
            for product in reached:
                seen = pending.seen(product, done | free)
                come = Trail(trail, self.position, hidden, move.at, seen)
                if move.at == self._target or seen & self._observed:
                    self._survive(product, done, free | seen, used, come)
                elif ahead := self._ahead(product, done, free | seen, come, 0):
                    unseen = move.at if move.omissible and not seen & pending.observing else None
                    come_from = state
                    if self.space.telling:  # rule 7 asks only whether there is a last one
                        unseen, come_from = unseen and 0, 0
                    self._stack.append(
                        (ahead[0], done, ahead[1], used, unseen, come_from, ahead[2])
                    )
        self._work += 1 + len(moves) * pending.cost

    def _survive(self, state: int, done: int, free: int, used: int, trail: Trail | None) -> None:
        """Takes the target's bit off, and keeps what is left unless it is hopeless."""
        if ahead := self._ahead(state, done, free, trail, self._bit):
            state, free, trail = ahead
            done, free = done & ~self._bit, free & ~self._bit
            if self._keeps((state, done, free), used):
                self._survivors[state, done, free, used] = trail

    def _keeps(self, place: tuple[int | None, ...], used: int) -> bool:
        """Is there room for one more at a place, and does none there cover it (rule 4)?"""
        uses = self._uses.get(place)
        if uses is None:
            self._uses[place] = [used]
            return True
        if used in uses or any(self.pending.fewer(u, used) for u in uses[:_COMPARED_MAX]):
            return False
        if len(uses) >= self.limits.alike:
            self._lossy = True
            return False
        uses.append(used)
        return True

    def _ahead(
        self, state: int, done: int, free: int, trail: Trail | None, gone: int
    ) -> tuple[int, int, Trail | None] | None:
        """None if hopeless; else the state, LOST if it is, with the free calls and the trail.
        `gone`: the bit of the target if it is linearized."""
        space, position = self.space, self.position
        if space.telling:
            return state if space.until[state] >= position + (gone > 0) else LOST, free, trail
        if not space.ahead:
            return state, free, trail
        settled, overwritable = done | free, self.pending.overwritable(done | gone)
        if not overwritable and space.hopeless(state, settled, position):
            return None
        if state == LOST or space.settled(state, position) != LOST:
            return state, free, trail
        freed = self.pending.seen(LOST, settled)
        return LOST, free | freed, Trail(trail, position, 0, None, freed)

    def _uncover(self) -> Iterator[None]:
        """Leaves in the frontier what no other configuration covers (rules 4 and 6)."""
        # What covers is free in more and has used less.
        ranked = sorted(self.frontier, key=lambda c: (-c[2].bit_count(), c[3], c[1]))
        chosen: dict[int, list[Configuration]] = {}
        for configuration in ranked:
            state, done, free, used = configuration
            kept = chosen.setdefault(state, [])
            if any(
                not ((d ^ done) | free) & ~f and self.pending.fewer(u, used)
                for _, d, f, u in kept[:_COMPARED_MAX]
            ):
                del self.frontier[configuration]
            else:
                kept.append(configuration)
            self._work += 1 + min(len(kept), _COMPARED_MAX) // 4
            if self._work >= SLICE:
                yield from self._pause()
