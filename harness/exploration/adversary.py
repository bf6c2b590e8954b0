"""The adversary of the theorem (T37): it keeps a protocol undecided, and breaks no promise.

Rules
1. Processes wait in a queue. In each stage the first takes its earliest message, or a step that
   receives nothing, and goes to the end of the queue. So every message is delivered, every process
   keeps taking steps, and nobody has failed.
2. A stage may begin with other events: the shortest schedule is sought after which the first
   process's step leaves a bivalent configuration in which nobody has decided. Lemma 3 says that
   there is one if the protocol is what the theorem supposes.
3. That a configuration is bivalent is proved by two schedules from it (foresight). That the run can
   go on for ever is not: it is shown for as many stages as were asked for.
4. Under a relaxation of the model the adversary tries the same with the events that it is left.
   When no bivalent configuration is in reach it has lost, and lets things happen in the queue's
   order until somebody decides.

Source: Fischer, Lynch and Paterson 1985, theorem 1.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from random import Random

import msgspec

from harness.exploration.configuration import Configuration, EventId, World
from harness.exploration.configuration import Event as WorldEvent
from harness.exploration.foresight import Foresight
from harness.exploration.protocols import Bits, Subject, free_world
from harness.exploration.relaxations import ASYNCHRONY, Relaxation
from harness.exploration.scene import Play, Scene
from harness.exploration.stimuli import Stimulus
from harness.exploration.valency import Valency, decided

ENDS_MAX = 400  # of stages that are looked at, those after few events first
SCENES_MAX = 20_000  # on the way to them: a relaxation may never allow the step that is sought
DOUBTFUL_MAX = 20  # of those that are looked at again, thoroughly
STEPS_MAX = 5_000  # of a run whose adversary has lost


class Stage(msgspec.Struct, frozen=True):
    """`process` was first in the queue; its step is the last of `events`."""

    process: str
    events: tuple[WorldEvent, ...]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What the adversary achieved. `stages`: those after which the protocol was undecided and both
    decisions were possible. `rest`: the events after them, once it had lost. `decisions`: by
    process, at the end. `lost`: why, or None."""

    bits: Bits
    relaxation: str
    stages: tuple[Stage, ...]
    rest: tuple[WorldEvent, ...] = ()
    decisions: dict[str, int] = {}
    lost: str | None = None

    @property
    def events(self) -> tuple[WorldEvent, ...]:
        return (*(event for stage in self.stages for event in stage.events), *self.rest)


def keep_undecided(
    subject: Subject,
    bits: Bits,
    stages: int,
    relaxation: Relaxation = ASYNCHRONY,
    rng: Random | None = None,
) -> Run:
    """Play `stages` stages against the free form, or until the protocol has decided. `rng` is for
    the coins of a relaxation that has some."""
    adversary = Adversary(free_world(subject, bits), relaxation, rng or Random(0))
    return adversary.play(bits, stages)


class Adversary:
    """One game against one world."""

    def __init__(self, world: World, relaxation: Relaxation, rng: Random) -> None:
        self._world, self._relaxation, self._rng = world, relaxation, rng
        self._play = Play(world)
        self._foresight = Foresight(world)
        self._scene = self._play.opening()
        self._queue = deque(world.system.processes)

    def play(self, bits: Bits, stages: int) -> Run:
        played: list[Stage] = []
        lost = None if self._open(self._scene.configuration) else "no decision is open at the start"
        rest: tuple[EventId, ...] = ()
        while lost is None and len(played) < stages:
            events, lost = self._stage()
            if lost is None:
                played.append(Stage(self._queue[0], self._told(events)))
                self._queue.rotate(-1)
            else:
                rest = events
        if lost is not None:
            rest = (*rest, *self._let_happen())
        return Run(
            bits=bits,
            relaxation=self._relaxation.name,
            stages=tuple(played),
            rest=self._told(rest),
            decisions=self._decisions(),
            lost=lost,
        )

    def _told(self, events: tuple[EventId, ...]) -> tuple[WorldEvent, ...]:
        return tuple(map(self._world.event, events))

    def _decisions(self) -> dict[str, int]:
        made = self._world.decisions(self._scene.configuration)
        return {process: values[0] for process, values in made.items() if values}

    def _open(self, configuration: Configuration, *, thorough: bool = True) -> bool:
        """Nobody has decided, and both decisions are possible. `thorough`: look beyond the likely
        runs if they lead to one decision alone."""
        if decided(self._world, configuration) is not Valency.BARREN:
            return False
        if self._foresight.sketch(configuration).bivalent:
            return True
        return thorough and self._foresight.outlook(configuration).bivalent

    # --- a stage ---

    def _stage(self) -> tuple[tuple[EventId, ...], str | None]:
        """Play a stage: its events, and None or why it failed."""
        played: tuple[EventId, ...] = ()
        while True:
            plan = self._plan(self._scene)
            if plan is None:
                return played, f"no step of {self._queue[0]} leaves both decisions possible"
            left = deque(plan)
            fell = planned = None
            while left and fell == planned:
                planned = left.popleft()
                fell = self._toss(planned)
                played = (*played, fell)
                self._scene = self._play.take(self._scene, fell)
            if self._relaxation.coins and not self._open(self._scene.configuration):
                return played, "the coins fell so that one decision alone is possible"
            if not left:
                return played, None

    def _toss(self, planned: EventId) -> EventId:
        """The event as it happens: where coins fall by chance, one of its outcomes."""
        if not self._relaxation.coins or planned == self._nothing(self._world.actor(planned)):
            return planned
        return self._rng.choice(self._play.possible(self._scene)[self._play.stimuli.of(planned)])

    def _nothing(self, process: str) -> EventId:
        return self._world.nothing(process)

    def _plan(self, start: Scene) -> tuple[EventId, ...] | None:
        """The shortest schedule to an open configuration that ends with the step of the first in
        the queue, without that step before: so it is still its earliest message."""
        duty = self._play.duty(start, self._queue[0])
        if duty is None:
            return (self._nothing(self._queue[0]),)
        doubtful = []
        for path, after in islice(self._ways(start, duty), ENDS_MAX):
            if self._open(after, thorough=False):
                return path
            doubtful.append((path, after))
        return next((path for path, c in doubtful[:DOUBTFUL_MAX] if self._open(c)), None)

    def _ways(
        self, start: Scene, duty: Stimulus
    ) -> Iterator[tuple[tuple[EventId, ...], Configuration]]:
        """Schedules that end with `duty`, the shortest first, and where they lead."""
        seen = {start.configuration}
        queue: deque[tuple[Scene, tuple[EventId, ...]]] = deque([(start, ())])
        while queue and len(seen) < SCENES_MAX:
            scene, path = queue.popleft()
            for stimulus, event in self._choices(scene):
                after = self._play.take(scene, event)
                if stimulus == duty:
                    yield (*path, event), after.configuration
                elif after.configuration not in seen:
                    seen.add(after.configuration)
                    queue.append((after, (*path, event)))

    def _choices(self, scene: Scene) -> Iterator[tuple[Stimulus, EventId]]:
        possible = self._play.possible(scene)
        for stimulus in self._relaxation.referee(scene, possible):
            for event in possible[stimulus]:
                yield stimulus, event

    # --- after the game ---

    def _let_happen(self) -> Iterator[EventId]:
        """Until somebody decides, or nothing more can happen."""
        for _ in range(STEPS_MAX):
            if decided(self._world, self._scene.configuration) is not Valency.BARREN:
                return
            possible = self._play.possible(self._scene)
            if not possible:
                return
            allowed = self._relaxation.referee(self._scene, possible)
            duties = (self._play.duty(self._scene, process) for process in self._queue)
            chosen = next((d for d in duties if d in allowed), None) or next(iter(allowed))
            self._queue.rotate(-1)
            event = self._rng.choice(possible[chosen])
            self._scene = self._play.take(self._scene, event)
            yield event
