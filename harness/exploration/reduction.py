"""Reduction: fewer configurations or fewer transitions, and the same answers.

Rules
1. Moot receipts (World with moot=False). A receipt that leaves its process as it is and sends
   nothing only takes the message away. Whatever can happen afterwards can happen with the message
   still in flight, for nobody is forced to receive and nothing waits for an empty buffer. So such
   receipts are left out. Preserved: the combinations of local states that can be reached, hence
   always, sometimes and eventually for properties that look at local states only. Not preserved:
   what is in flight in terminal configurations.
2. Sleep sets. Events of different processes commute (Lemma 1): each changes its own cell and adds
   messages to others, additions commute, and no addition takes away an event. Only those that spend
   the same budget may disable each other; they count as dependent. After e was explored from C, e
   sleeps in what is explored from C next, until an event of the same process wakes it: e first and
   f second leads to where f first and e second does, and that was seen.
3. A configuration reached again with fewer events asleep than before is explored again by those
   that woke. Where there are no cycles the first visit would do: an event asleep was explored from
   a configuration on the path, and what that led to is finished when the event is left out. On a
   cycle it may itself be on the path, and two visits could each rely on the other.
4. Sleep sets visit every reachable configuration, hence every terminal one and every violation.
   They save transitions, not configurations. The path to a violation need not be the shortest.

Source: Godefroid, Partial-Order Methods for the Verification of Concurrent Systems, 1996, ch. 5.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.exploration.configuration import Configuration, EventId, Move, World
from harness.exploration.properties import Judge, Kind, Property
from harness.exploration.search import Found, Judgement, Outcome

Sleep = int  # a set of events, as bits


def search_asleep(
    world: World, properties: Sequence[Property] = (), *, configurations_max: int | None = None
) -> Found:
    """Depth-first with sleep sets. `properties`: always and sometimes; for eventually the paths
    matter that are left out here. Raises ValueError for one."""
    late = [rule.name for rule in properties if rule.kind is Kind.EVENTUALLY]
    if late:
        raise ValueError(
            f"sleep sets leave out paths, and {late[0]!r} speaks of all paths: use search.search"
        )
    walk = _Walk(world, properties, configurations_max)
    walk.explore()
    return Found(
        configurations=len(walk.asleep),
        transitions=walk.transitions,
        terminal=walk.terminal,
        depth=walk.depth,
        complete=walk.complete,
        judgements=tuple(walk.judgement(judge) for judge in walk.judges),
    )


class _Walk:
    """`asleep`: by configuration, the events that were left out of it."""

    def __init__(
        self, world: World, properties: Sequence[Property], configurations_max: int | None
    ) -> None:
        self.judges = [Judge(world, rule) for rule in properties]
        self.asleep: dict[Configuration, Sleep] = {}
        self.transitions = self.terminal = self.depth = 0
        self.complete = True
        self._world, self._max = world, configurations_max
        self._hits: dict[str, tuple[EventId, ...]] = {}
        self._dependent = _Dependence(world)
        self._path: list[EventId] = []

    def explore(self) -> None:
        start = self._world.initial
        stack = [(start, 0, iter(self._enter(start, 0)))]
        while stack:
            configuration, sleep, rest = stack[-1]
            move = next(rest, None)
            if move is None or not self.complete:
                stack.pop()
                if self._path:
                    self._path.pop()
                continue
            stack[-1] = (configuration, sleep | 1 << move.event, rest)
            self.transitions += 1
            after = self._world.after(configuration, move)
            inherited = self._dependent.still_asleep(sleep, move)
            self._path.append(move.event)
            awake = self._enter(after, inherited)
            if awake:
                left_out = self.asleep[after]
                stack.append((after, left_out, iter(awake)))
            else:
                self._path.pop()

    def _enter(self, configuration: Configuration, sleep: Sleep) -> list[Move]:
        """The moves to explore from here, now that it was reached with `sleep`."""
        before = self.asleep.get(configuration)
        if before is None:
            if len(self.asleep) == self._max:
                self.complete = False
                return []
            self.asleep[configuration] = sleep
            return self._discover(configuration, sleep)
        woken = before & ~sleep
        self.asleep[configuration] = before & sleep
        if not woken:
            return []
        return [m for m in self._world.possible(configuration) if woken >> m.event & 1]

    def _discover(self, configuration: Configuration, sleep: Sleep) -> list[Move]:
        self.depth = max(self.depth, len(self._path))
        for judge in self.judges:
            name = judge.rule.name
            if name not in self._hits:
                wanted = judge.rule.kind is Kind.SOMETIMES
                if judge(configuration) is wanted:
                    self._hits[name] = tuple(self._path)
        moves = self._world.possible(configuration)
        self.terminal += not moves
        return [move for move in moves if not sleep >> move.event & 1]

    def judgement(self, judge: Judge) -> Judgement:
        rule = judge.rule
        wanted = rule.kind is Kind.SOMETIMES
        if rule.name in self._hits:
            outcome = Outcome.HOLDS if wanted else Outcome.FAILS
            return Judgement(rule.name, rule.kind, outcome, self._hits[rule.name])
        outcome = Outcome.FAILS if wanted else Outcome.HOLDS
        return Judgement(rule.name, rule.kind, outcome if self.complete else Outcome.UNKNOWN)


class _Dependence:
    """Which events an event wakes: those of its process, and those that spend what it spends."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known = 0  # events sorted so far
        self._of_process = [0] * len(world.system.processes)

    def still_asleep(self, sleep: Sleep, move: Move) -> Sleep:
        if not sleep:
            return 0
        self._sort_new_events()
        woken = self._of_process[self._world.actor_index(move.event)]
        if self._world.cells.costly >> move.event & 1:
            woken |= self._world.cells.costly
        return sleep & ~woken

    def _sort_new_events(self) -> None:
        while self._known < len(self._world.cells.events):
            bit = 1 << self._known
            self._of_process[self._world.actor_index(self._known)] |= bit
            self._known += 1
