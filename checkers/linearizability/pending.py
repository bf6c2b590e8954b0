"""The calls that are pending at a moment: what they need, what they do, which are worth trying.

Rules
1. Crashed calls (they never return) are not held one by one: those with the same step can be
   exchanged in every completion, so they are a class with a count.
2. Where the model tells (Space.telling: every step that does not overwrite is legal in one state
   only, or in every state but one), a call that overwrites, and a crashed one, is tried in a chain
   only for the sake of the call that follows. If that one overwrites as well, the first is not
   needed visibly (search.py, rule 7). So it requires the state that the first produces, if need be
   by way of crashed calls, or it is an open call that the state before excludes.
3. What is tried only for the sake of a crashed call is tried when that is: a detour.
4. Plenty (engine/src/search/plenty.rs has the argument). Suppose that no class has an end, and that
   crashed calls overwrite with every state that a configuration and the pending calls require or
   produce, and with another one. Then it can linearize now, out of sight, whatever a completion of
   another configuration does without, and go on like that one. So it covers all others, and the
   shortest chain to the return all other chains.
5. A class is dead when no call that returns from now on tells its product, and no crashed one
   requires it. It serves to leave a state only; so of the dead that overwrite, one is tried.
"""

from __future__ import annotations

from typing import NamedTuple

from checkers.linearizability.problem import LOST, Op, Problem, Space, Trail
from checkers.models.model import Effect

# A configuration in a chain: state, bits of done calls, bits of free calls, counts of used crashed
# calls; the call before if nothing observed its effect, and the state from which that was taken;
# how it came about.
Link = tuple[int, int, int, int, int | None, int, Trail | None]


class Move(NamedTuple):
    """A call that may change the state. `at`: its place in `Problem.ops`; of a class of crashed
    calls -2 - step. `bit` is 0 for these, and their count is the field of `mask` at `shift`."""

    at: int
    bit: int
    step: int
    overwrites: bool
    omissible: bool  # total or crashed: a chain may do without it if nothing observes it
    required: int | None
    produced: int | None
    shift: int = 0
    mask: int = 0


class Pending:
    """`observing`, `overwriting`, `total` (these too): bits of pending calls. `classes`: of crashed
    calls, by step."""

    def __init__(self, problem: Problem, space: Space) -> None:
        self.observing = self.overwriting = self.total = 0
        self.classes: dict[int, Move] = {}
        self._problem = problem
        self._space = space
        self._living: dict[int, Move] = {}  # the classes that are not dead (rule 5)
        self._dead: list[Move] = []  # those that overwrite and are
        self._moves: dict[int, Move] = {}  # calls that may change the state, by their place
        self._requiring: dict[int, int] = {}  # bits of calls by the state they require
        self._fitting: dict[int, int] = {}  # bits of calls by the state they leave as it is
        self._others: dict[int, int] = {}  # calls that leave several as they are: bit -> step
        self._makers: dict[int | None, list[Move]] = {}  # the classes by what they produce
        self._writers: dict[int | None, Move] = {}  # one class that overwrites, by the same
        self._count: dict[int, int] = {}  # how many there are of each class
        crashed: dict[int, int] = {}  # the same in the end: fields are no wider than they must be
        for op in problem.ops:
            if not op.bit:
                crashed[op.step] = crashed.get(op.step, 0) + 1
        self._fields: dict[int, tuple[int, int]] = {}
        width = self._guard = 0  # the guard: the uppermost bit of each field, which is kept 0
        for step, count in crashed.items():
            self._fields[step] = width, (1 << count.bit_length()) - 1
            width += count.bit_length() + 1
            self._guard |= 1 << width - 1

    @property
    def bits(self) -> int:
        """Those of all pending calls."""
        return self.observing | sum(move.bit for move in self._moves.values())

    def enter(self, at: int) -> int | None:
        """Enters a call. The state that it leaves as it is, if there is no more than one; None if
        there may be others."""
        op, space = self._problem.ops[at], self._space
        bit, step, effect = op.bit, op.step, op.effect
        required = fits = space.required[step]
        if effect is Effect.OBSERVES:
            self.observing |= bit
            if required is None:
                self._others[bit] = step
                return None
        else:
            overwrites = effect is Effect.OVERWRITES
            total = overwrites or effect is Effect.TOTAL
            produced = fits = space.produced[step]
            self._moves[at] = Move(at, bit, step, overwrites, total, required, produced)
            if overwrites:
                self.overwriting |= bit
            else:
                fits = None
            if total:
                self.total |= bit
        if required is not None:
            self._requiring[required] = self._requiring.get(required, 0) | bit
        if fits is not None:
            self._fitting[fits] = self._fitting.get(fits, 0) | bit
            return fits
        return None if space.ahead else LOST

    def leave(self, at: int) -> None:
        """Takes a call out that returns."""
        op, space = self._problem.ops[at], self._space
        bit, step = op.bit, op.step
        self.observing &= ~bit
        self.overwriting &= ~bit
        self.total &= ~bit
        self._moves.pop(at, None)
        self._others.pop(bit, None)
        for states, state in (
            (self._requiring, space.required[step]),
            (self._fitting, space.required[step]),
            (self._fitting, space.produced[step]),
        ):
            if state is not None and state in states:
                states[state] &= ~bit
                if not states[state]:
                    del states[state]

    def crash(self, op: Op) -> None:
        """Counts a call that will not return."""
        step, space = op.step, self._space
        self._count[step] = self._count.get(step, 0) + 1
        if step in self.classes:
            return
        overwrites, produced = op.effect is Effect.OVERWRITES, space.produced[step]
        required = space.required[step]
        move = Move(-2 - step, 0, step, overwrites, True, required, produced, *self._fields[step])
        self.classes[step] = self._living[step] = move
        self._makers.setdefault(produced, []).append(move)
        if overwrites:
            self._writers.setdefault(produced, move)

    def moves(self, link: Link, target: int) -> list[Move]:
        """The pending calls to try in a chain, without detours."""
        state, done, free, _, last, _, _ = link
        if not self._space.telling:
            return [m for m in self._moves.values() if not m.bit & done]
        requiring, unmet = self._requiring, ~(done | free & self.observing)
        cornered = self.cornered(done | free)
        return [
            m
            for m in self._moves.values()
            if not m.bit & done
            and (
                last is None
                and (m.at == target or cornered or requiring.get(m.produced or LOST, 0) & unmet)
                if m.overwrites
                else m.required == state
            )
        ]

    def detours(self, link: Link, position: int) -> list[Move]:
        """The crashed calls to try in a chain, and pending ones for the sake of crashed ones."""
        state, done, free, used, _, _, _ = link
        if not self._space.telling:
            return [*self.classes.values()]
        if self.cornered(done | free):
            return self._ways_out(state, used, position)
        unmet = ~(done | free & self.observing)
        wanted = [s for s, bits in self._requiring.items() if bits & unmet]
        direct, found = len(wanted), []
        for product in wanted:
            for move in self._makers.get(product, ()):
                if move.required in (None, state):
                    found.append(move)
                # Even where the state is that already: what overwrites with it hides other calls.
                if move.required is not None and move.required not in wanted:
                    wanted.append(move.required)
        if linked := wanted[direct:]:
            makers = [m for m in self._moves.values() if m.overwrites and not m.bit & done]
            found += [m for m in makers if m.produced in linked]
        return found

    def _ways_out(self, state: int, used: int, position: int) -> list[Move]:
        """The crashed calls that lead out of a state (rule 5)."""
        until, living = self._space.until, self._living
        dead = [m for m in living.values() if m.overwrites and until[m.produced or LOST] < position]
        for move in dead:
            del living[move.step]
        self._dead += dead
        found = [m for m in living.values() if m.required in (None, state)]
        return found + [m for m in self._dead if self.left(m, used)][:1]

    def cornered(self, settled: int) -> bool:
        """Where the model tells: is some open call excluded by the state? (Else it were free.)"""
        return bool(self._others) and any(not settled & bit for bit in self._others)

    def plenty(self) -> bool:
        """Do crashed calls overwrite with all that pending calls name (rule 4)?"""
        writers = self._writers
        if not self._space.telling or len(writers) < 2:
            return False
        return (
            all(state in writers for state in self._requiring)
            and all(state in writers for state in self._fitting)
            and all(m.produced in writers for m in self._moves.values())
        )

    def rich(self, state: int) -> bool:
        """Do crashed calls overwrite with this state?"""
        return state in self._writers

    def shortest(self, link: Link, target: int) -> list[Move]:
        """The one move to try from a rich state where there is plenty (rule 4)."""
        step, move = self._problem.ops[target].step, self._moves.get(target)
        required, state = self._space.required[step], link[0]
        if move and required in (None, state):
            return [move]
        if required is None:
            return [m for m in self._writers.values() if m.produced != state][:1]
        return [self._writers[required]]

    def seen(self, state: int, settled: int) -> int:
        """The bits of calls, not settled, that become free in this state: they leave it as it is,
        or it is LOST and nobody sees what they change."""
        seen = self._fitting.get(state, 0)
        for bit, step in self._others.items():
            if not settled & bit and self._space.after(state, step):
                seen |= bit
        return (seen | self.total & ~self.overwriting if state == LOST else seen) & ~settled

    def superfluous(
        self, last: int, origin: int, move: Move, reached: tuple[int, ...], target: int
    ) -> bool:
        """Rule 7 of the search: does another chain do as well as this one with `move` next?"""
        if self._space.telling or move.overwrites:
            return move.overwrites
        if (move.at != target and move.at >= last) or len(reached) != 1:
            return False
        first = self._space.after(origin, move.step)
        if len(first) != 1:
            return False
        step = self._moves[last].step if last >= 0 else -2 - last
        return self._space.after(first[0], step) == reached

    def overwritable(self, done: int) -> bool:
        """Is there a pending call that may overwrite the state?"""
        return bool(self.overwriting & ~done) or bool(self._writers)

    @property
    def cost(self) -> int:
        """What it takes to see what fits a state, in moves."""
        return 1 + len(self._others) // 4

    def left(self, move: Move, used: int) -> bool:
        """Is there a crashed call of the class that is not used?"""
        return used >> move.shift & move.mask < self._count[move.step]

    def fewer(self, used: int, other: int) -> bool:
        """Is no count greater than in the other?"""
        return used == other or not ~((other | self._guard) - used) & self._guard
