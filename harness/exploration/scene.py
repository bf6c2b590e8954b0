"""Scenes: a configuration, and what the theory of runs asks about it beyond that: the order in
which messages were sent, and for how long they and the timers have been waiting.

Rules
1. The buffer of a configuration is a multiset. Of two equal messages the earlier sent is taken to
   be delivered first: no process can tell them apart.
2. The clock of a run counts its steps. A timer's age counts from when it was set; a timer that runs
   out and is set again starts anew.
3. The step of a process that receives nothing is a time-out, if it has set a timer, of the timer
   set first; a machine without input and without timer does not move.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.exploration.configuration import Configuration, EventId, World
from harness.exploration.stimuli import FIRE, RECEIVE, Stimuli, Stimulus, letter


class Waiting(NamedTuple):
    """A message in flight, or a timer that is set, since step `born`."""

    stimulus: Stimulus
    born: int


class Scene(NamedTuple):
    """`letters` and `timers` in the order of sending and setting."""

    configuration: Configuration
    letters: tuple[Waiting, ...]
    timers: tuple[Waiting, ...]
    clock: int


class Play:
    """The scenes of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.stimuli = Stimuli(world)

    def opening(self) -> Scene:
        """The initial configuration."""
        envelopes = self.world.processes.envelopes
        letters = tuple(Waiting(letter(self.world, envelopes[m]), 0) for m in self.world.first_sent)
        return self._scene(self.world.initial, letters, (), 0)

    def possible(self, scene: Scene) -> dict[Stimulus, list[EventId]]:
        """What can happen, each with its outcomes where lots are drawn."""
        return self.stimuli.applicable(scene.configuration)

    def take(self, scene: Scene, event: EventId) -> Scene:
        """The scene after an event. Raises NotApplicable."""
        clock = scene.clock + 1
        if event == self.world.nothing(self.world.actor(event)):
            return scene._replace(clock=clock)
        move = self.world.move(scene.configuration, event)
        after = self.world.after(scene.configuration, move)
        stimulus = self.stimuli.of(event)
        envelopes = self.world.processes.envelopes
        sent = (Waiting(letter(self.world, envelopes[m]), clock) for m in move.sent)
        letters, timers = scene.letters, scene.timers
        if stimulus.kind == RECEIVE:
            letters = _without_first(letters, stimulus)
        elif stimulus.kind == FIRE:
            timers = _without_first(timers, stimulus)
        return self._scene(after, (*letters, *sent), timers, clock)

    def _scene(
        self,
        configuration: Configuration,
        letters: tuple[Waiting, ...],
        timers: tuple[Waiting, ...],
        clock: int,
    ) -> Scene:
        set_now = {
            Stimulus(process, FIRE, name, b"")
            for process in self.world.system.processes
            for name in sorted(self.world.local(configuration, process).timers)
        }
        kept = tuple(timer for timer in timers if timer.stimulus in set_now)
        known = {timer.stimulus for timer in kept}
        new = tuple(Waiting(stimulus, clock) for stimulus in sorted(set_now - known))
        return Scene(configuration, letters, kept + new, clock)

    def duty(self, scene: Scene, process: str) -> Stimulus | None:
        """The step that a process is to take next: its earliest message, else its time-out; None:
        it has nothing to do."""
        for waiting in (*scene.letters, *scene.timers):
            if waiting.stimulus.process == process:
                return waiting.stimulus
        return None


def _without_first(waiting: tuple[Waiting, ...], stimulus: Stimulus) -> tuple[Waiting, ...]:
    for position, one in enumerate(waiting):
        if one.stimulus == stimulus:
            return waiting[:position] + waiting[position + 1 :]
    raise ValueError(f"{stimulus} was not waiting")
