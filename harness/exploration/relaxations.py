"""Relaxations of the model: what else the adversary must obey (T39), as rules on the next step.

Rules
1. A relaxation only takes events away from the scheduler. Every run under it is a run of the
   asynchronous model too: the protocol and the adversary stay what they are.
2. bounded-delay: a message arrives within DELAY steps, or as soon as those before it have; and a
   time-out is longer than TIMEOUT steps, which is more than the exchange of messages it waits for
   can take, even if other processes' time-outs come between.
3. detector: it is wrong for the first WRONG_FOR steps as the adversary likes. From then on a
   time-out means what it says, and runs out only when nothing more is on its way.
4. lockstep: all processes go in rounds. All that was sent in a round arrives in the next one; a
   time-out is a round in which nothing was sent.
5. chance: the adversary schedules, and no longer says how coins fall.

Sources: Dwork, Lynch and Stockmeyer, Consensus in the presence of partial synchrony, JACM 1988;
Chandra and Toueg, JACM 1996.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import msgspec

from harness.exploration.protocols import WAKE
from harness.exploration.scene import Scene, Waiting
from harness.exploration.stimuli import Stimulus

# Which of the stimuli that are possible may come next; never none of them.
Referee = Callable[[Scene, Collection[Stimulus]], Collection[Stimulus]]

DELAY = 6
TIMEOUT = 150
WRONG_FOR = 60


class Relaxation(msgspec.Struct, frozen=True):
    """`coins`: lots are drawn, not chosen."""

    name: str
    words: str
    referee: Referee
    coins: bool = False


def _lawless(_scene: Scene, possible: Collection[Stimulus]) -> Collection[Stimulus]:
    return possible


def _bounded_delay(scene: Scene, possible: Collection[Stimulus]) -> Collection[Stimulus]:
    due = [w for w in _messages(scene) if scene.clock - w.born >= DELAY]
    if due:
        return [min(due, key=_born).stimulus]
    young = {w.stimulus for w in _time_outs(scene) if scene.clock - w.born < TIMEOUT}
    # With nothing else to happen time passes, until the first timer runs out.
    return [s for s in possible if s not in young] or [min(_time_outs(scene), key=_born).stimulus]


def _detector(scene: Scene, possible: Collection[Stimulus]) -> Collection[Stimulus]:
    wrong = scene.clock < WRONG_FOR
    return possible if wrong else [w.stimulus for w in _messages(scene)] or possible


def _lockstep(scene: Scene, possible: Collection[Stimulus]) -> Collection[Stimulus]:
    messages = _messages(scene)
    return [w.stimulus for w in messages if w.born == min(map(_born, messages))] or possible


def _messages(scene: Scene) -> list[Waiting]:
    """What is on its way; the first step of a process counts, it waits for nothing."""
    wakes = [timer for timer in scene.timers if timer.stimulus.what == WAKE]
    return [*wakes, *scene.letters]


def _time_outs(scene: Scene) -> list[Waiting]:
    return [timer for timer in scene.timers if timer.stimulus.what != WAKE]


def _born(waiting: Waiting) -> int:
    return waiting.born


ASYNCHRONY = Relaxation("none", "asynchronous: any message may take any time", _lawless)

RELAXATIONS: Mapping[str, Relaxation] = {
    relaxation.name: relaxation
    for relaxation in (
        Relaxation(
            "bounded-delay",
            f"messages arrive within {DELAY} steps, time-outs are longer than {TIMEOUT}",
            _bounded_delay,
        ),
        Relaxation(
            "detector",
            f"after {WRONG_FOR} steps a time-out only runs out when nothing is on its way",
            _detector,
        ),
        Relaxation(
            "lockstep",
            "what is sent in one round arrives in the next, and time-outs come after",
            _lockstep,
        ),
        Relaxation("chance", "coins fall by chance, not as the adversary likes", _lawless, True),
    )
}
