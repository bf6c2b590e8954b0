"""Search: every configuration that can be reached, or as many as the budget allows.

Rules
1. Breadth-first finds shortest paths. Depth-first needs no layers in memory, and finds some path.
2. A property holds only if the search was complete: a search that a budget ended knows what it
   found, and of the rest nothing (UNKNOWN).
3. `eventually` is decided exactly, cycles included: it fails if among the configurations reached
   before it held there is one where nothing more can happen, or a cycle. (Stateright's checker
   may miss a cycle, and paths that join a path visited before.)
4. A path is a schedule from the initial configuration: the story of a run, and by `paths.steps`
   a list of steps that the simulator repeats.

Sources: Fischer, Lynch and Paterson 1985, section 2, for runs; Clarke, Grumberg and Peled, Model
Checking, 1999, for the search.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

from harness.exploration.configuration import Configuration, EventId, World, describe
from harness.exploration.properties import Judge, Kind, Property

Canonical = Callable[[Configuration], Configuration]


class Order(StrEnum):
    BREADTH = "breadth"
    DEPTH = "depth"


class Outcome(StrEnum):
    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN = "unknown"


class Judgement(msgspec.Struct, frozen=True):
    """Of one property. `schedule`: the path to a counterexample or a witness, None where there is
    none. For `eventually` its last `cycle` events may be repeated for ever (0: nothing more can
    happen after the last)."""

    rule: str
    kind: Kind
    outcome: Outcome
    schedule: tuple[EventId, ...] | None = None
    cycle: int = 0


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found. `configurations`: different ones; `transitions`: events applied;
    `terminal`: configurations where nothing more can happen; `depth`: events on the longest of the
    paths by which configurations were found first."""

    configurations: int
    transitions: int
    terminal: int
    depth: int
    complete: bool
    judgements: tuple[Judgement, ...] = ()

    def of(self, rule: str) -> Judgement:
        """The judgement of the property of that name. Raises KeyError."""
        for judgement in self.judgements:
            if judgement.rule == rule:
                return judgement
        raise KeyError(rule)


def search(
    world: World,
    properties: Sequence[Property] = (),
    *,
    order: Order = Order.BREADTH,
    canonical: Canonical | None = None,
    configurations_max: int | None = None,
    depth_max: int | None = None,
    stop: bool = False,
) -> Found:
    """Explore. `canonical`: one representative for all configurations that are the same up to
    renaming (symmetry.Symmetry). `stop`: end at the first violation of an `always` property."""
    walk = _Walk(world, properties, canonical, configurations_max, stop)
    walk.explore(order, depth_max)
    judgements = [walk.judgement(judge) for judge in walk.judges]
    late = [rule for rule in properties if rule.kind is Kind.EVENTUALLY]
    judgements += [avoidance(world, rule, configurations_max) for rule in late]
    return Found(
        configurations=len(walk.seen),
        transitions=walk.transitions,
        terminal=walk.terminal,
        depth=walk.depth,
        complete=walk.complete,
        judgements=tuple(judgements),
    )


class _Walk:
    """One search. `seen`: configurations, or their representatives; `parents`: where each that was
    really reached was reached from first, so that paths are runs."""

    def __init__(
        self,
        world: World,
        properties: Sequence[Property],
        canonical: Canonical | None,
        configurations_max: int | None,
        stop: bool,
    ) -> None:
        self.judges = [
            Judge(world, rule) for rule in properties if rule.kind is not Kind.EVENTUALLY
        ]
        self.seen: set[Configuration] = set()
        self.transitions = self.terminal = self.depth = 0
        self.complete = True
        self._world, self._canonical, self._stop = world, canonical, stop
        self._max = configurations_max
        self._parents: dict[Configuration, Configuration | None] = {}
        self._open = list(self.judges)  # those that may still find something
        self._hits: dict[str, Configuration] = {}

    def explore(self, order: Order, depth_max: int | None) -> None:
        frontier: deque[tuple[int, Configuration]] = deque()
        if self._reach(self._world.initial, None):
            frontier.append((0, self._world.initial))
        cut = False
        take = frontier.popleft if order is Order.BREADTH else frontier.pop
        while frontier and self.complete:
            depth, configuration = take()
            self.depth = max(self.depth, depth)
            successors = self._successors(configuration)
            if depth == depth_max:
                cut = cut or bool(successors)
                continue
            depth += 1
            if self._canonical is None:  # most were seen: leave them out at the least cost
                successors = [after for after in successors if after not in self.seen]
            for after in successors:
                if self._reach(after, configuration):
                    frontier.append((depth, after))
        self.complete = self.complete and not cut

    def _successors(self, configuration: Configuration) -> list[Configuration]:
        try:
            moves = self._world.moves(configuration)
        except Exception as error:
            story = "\n  ".join(self._world.tell(self.path(configuration)) or ["(nothing)"])
            error.add_note(f"a machine of the system raised this in a step after:\n  {story}")
            raise
        self.transitions += len(moves)
        self.terminal += not moves
        return [after for _, after in moves]

    def _reach(self, configuration: Configuration, before: Configuration | None) -> bool:
        """Is it new? Then it is judged."""
        key = configuration if self._canonical is None else self._canonical(configuration)
        if key in self.seen or not self.complete:
            return False
        if len(self.seen) == self._max:
            self.complete = False
            return False
        self.seen.add(key)
        self._parents[configuration] = before
        for judge in self._open:
            if judge(configuration) is (judge.rule.kind is Kind.SOMETIMES):
                self._hits[judge.rule.name] = configuration
                self._open = [other for other in self._open if other is not judge]
                if self._stop and judge.rule.kind is Kind.ALWAYS:
                    self.complete = False
        return True

    def judgement(self, judge: Judge) -> Judgement:
        rule = judge.rule
        hit = self._hits.get(rule.name)
        found, otherwise = (
            (Outcome.HOLDS, Outcome.FAILS)
            if rule.kind is Kind.SOMETIMES
            else (Outcome.FAILS, Outcome.HOLDS)
        )
        if hit is not None:
            return Judgement(rule.name, rule.kind, found, self.path(hit))
        return Judgement(rule.name, rule.kind, otherwise if self.complete else Outcome.UNKNOWN)

    def path(self, configuration: Configuration) -> tuple[EventId, ...]:
        """The schedule by which a configuration was found."""
        schedule = []
        before = self._parents[configuration]
        while before is not None:
            event = next(e for e, after in self._world.moves(before) if after == configuration)
            schedule.append(event)
            configuration, before = before, self._parents[before]
        return tuple(reversed(schedule))


def avoidance(world: World, rule: Property, configurations_max: int | None = None) -> Judgement:
    """Can a run avoid the property for ever? Depth-first among configurations where it does not
    hold: grey ones are on the path, and a step back to a grey one closes a cycle."""
    judge = Judge(world, rule)
    if judge(world.initial):
        return Judgement(rule.name, rule.kind, Outcome.HOLDS)
    grey: dict[Configuration, int] = {world.initial: 0}  # position on the path
    black: set[Configuration] = set()
    path: list[EventId] = []
    stack = [(world.initial, iter(world.moves(world.initial)))]
    if not world.moves(world.initial):
        return Judgement(rule.name, rule.kind, Outcome.FAILS, ())
    while stack:
        configuration, rest = stack[-1]
        for event, after in rest:
            if after in grey:
                lasso = (*path, event)
                cycle = len(lasso) - grey[after]
                return Judgement(rule.name, rule.kind, Outcome.FAILS, lasso, cycle)
            if after in black or judge(after):
                continue
            if len(grey) + len(black) == configurations_max:
                return Judgement(rule.name, rule.kind, Outcome.UNKNOWN)
            path.append(event)
            moves = world.moves(after)
            if not moves:
                return Judgement(rule.name, rule.kind, Outcome.FAILS, tuple(path))
            grey[after] = len(path)
            stack.append((after, iter(moves)))
            break
        else:
            del grey[configuration]
            black.add(configuration)
            stack.pop()
            if path:
                path.pop()
    return Judgement(rule.name, rule.kind, Outcome.HOLDS)


def story(world: World, judgement: Judgement) -> list[str]:
    """The schedule of a judgement, a line an event."""
    return [describe(world.event(event)) for event in judgement.schedule or ()]
