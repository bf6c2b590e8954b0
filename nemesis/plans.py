"""Plans: schedules made from scenes, by seed.

Rules
1. A plan is a pure function of its scenes, the seed, the length of the run and the number of nodes.
2. A scene is one fault, or several that overlap or follow one another to a purpose; between two
   scenes of a track everything is healed, and a correct system has time to serve.
3. Each round deals every slot of a deck once, in random order; the first ones are chosen so that
   every kind of fault comes early, since a short run sees only those.
4. The first fault comes after QUIET_START_S, and all are undone QUIET_END_S before the end.
5. Tracks run at the same time, so that faults of different kinds overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random

import msgspec

from nemesis.faults import Fault, tag
from nemesis.resolution import nodes_min
from nemesis.schedule import Schedule, Step

QUIET_START_S = 1.2  # some operations succeed first: a run that never served proves nothing
QUIET_END_S = 0.5

Range = tuple[float, float]  # least and most, in seconds


class Act(msgspec.Struct, frozen=True):
    """One fault of a scene; it starts and stops at these shares (0 to 1) of the scene's length."""

    fault: Fault
    start: float = 0.0
    stop: float = 1.0


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """`story`: what happens, and whom it should expose. `calm_s`: how long nothing is broken
    afterwards; longer where no majority was left, since a new leader must be found first."""

    name: str
    story: str
    acts: tuple[Act, ...]
    length_s: Range = (1.5, 3.5)
    calm_s: Range = (0.6, 1.2)

    def kinds(self) -> set[str]:
        return {tag(act.fault) for act in self.acts}

    def nodes_min(self) -> int:
        return max(nodes_min(act.fault) for act in self.acts)


Slot = tuple[Scene, ...]  # alternatives: each round plays one of them
Deck = tuple[Slot, ...]


class _Dealt(msgspec.Struct, frozen=True):
    """A scene in its place, not yet squeezed; `eager` (0 to 1) is where in its ranges it lies."""

    scene: Scene
    eager: float

    def seconds(self, squeeze: float) -> tuple[float, float]:
        """The length and the calm after it, if draws are squeezed (0: to the least, 1: not)."""
        share = self.eager * squeeze
        return _at(self.scene.length_s, share), _at(self.scene.calm_s, share)


def schedule(decks: Sequence[Deck], seed: int, duration_s: float, nodes: int = 5) -> Schedule:
    """The schedule of one run: each deck is a track of its own. Scenes that mean nothing with so
    few `nodes` are left out. A run too short for any scene gets an empty schedule."""
    tracks = [Schedule(duration_s, seed)]
    for number, deck in enumerate(decks):
        rng = Random(f"{seed}/{number}")  # a track does not depend on the ones beside it
        tracks.append(Schedule(duration_s, seed, _track(deck, rng, duration_s, nodes)))
    return overlay(*tracks)


def overlay(*schedules: Schedule) -> Schedule:
    """All of them at once: the longest duration, the first seed, ids renumbered by time."""
    steps: list[Step] = []
    for each in schedules:
        shift = 1 + max((s.id for s in steps), default=0)
        steps += [msgspec.structs.replace(s, id=s.id + shift) for s in each.steps]
    duration_s = max((s.duration_s for s in schedules), default=0.0)
    return Schedule(duration_s, schedules[0].seed if schedules else 0, _numbered(steps))


def flap(fault: Fault, times: int, start: float = 0.0, stop: float = 1.0) -> tuple[Act, ...]:
    """`fault` on and off `times` times between two shares of a scene, half of the time on."""
    width = (stop - start) / (2 * times - 1)
    begins = [start + 2 * i * width for i in range(times)]
    return tuple(Act(fault, begin, min(begin + width, stop)) for begin in begins)


def in_turn(fault: Fault, times: int, start: float = 0.0, stop: float = 1.0) -> tuple[Act, ...]:
    """`fault` as often between two shares of a scene, with nothing between: each time it is
    resolved anew, so it strikes others."""
    edges = [start + (stop - start) * i / times for i in range(times + 1)]
    return tuple(Act(fault, *span) for span in pairwise(edges))


def _track(deck: Deck, rng: Random, duration_s: float, nodes: int) -> tuple[Step, ...]:
    playable = tuple(
        fitting for slot in deck if (fitting := tuple(s for s in slot if s.nodes_min() <= nodes))
    )
    room_s = duration_s - QUIET_START_S - QUIET_END_S
    dealt, squeeze = _dealt(playable, rng, room_s)
    steps: list[Step] = []
    at_s = QUIET_START_S
    for one in dealt:
        length_s, calm_s = one.seconds(squeeze)
        for act in one.scene.acts:
            id_ = 1 + len(steps) // 2
            steps.append(Step(at_s + act.start * length_s, id_, "start", act.fault))
            steps.append(Step(at_s + act.stop * length_s, id_, "stop"))
        at_s += length_s + calm_s
    return tuple(steps)


def _dealt(deck: Deck, rng: Random, room_s: float) -> tuple[list[_Dealt], float]:
    """Scenes that fill the room, in order, and how far their draws must be squeezed to fit."""
    dealt: list[_Dealt] = []
    while deck:
        round_ = _round(deck, rng)
        # The first round is squeezed to fit; later ones come as drawn, or they would shorten it.
        squeeze = 1.0 if dealt else 0.0
        fitting = round_
        while fitting and _total_s(dealt + fitting, squeeze) > room_s:
            fitting = fitting[:-1]
        dealt += fitting
        if len(fitting) < len(round_):
            break
    least_s, drawn_s = _total_s(dealt, 0.0), _total_s(dealt, 1.0)
    if drawn_s <= max(room_s, least_s):
        return dealt, 1.0
    return dealt, (room_s - least_s) / (drawn_s - least_s)


def _total_s(dealt: Sequence[_Dealt], squeeze: float) -> float:
    """Seconds from the first start to the last stop: the calm after the last is not needed."""
    spans = [one.seconds(squeeze) for one in dealt]
    return sum(length + calm for length, calm in spans) - (spans[-1][1] if spans else 0.0)


def _round(deck: Deck, rng: Random) -> list[_Dealt]:
    scenes = [rng.choice(slot) for slot in deck]
    rng.shuffle(scenes)
    seen: set[str] = set()
    early: list[Scene] = []
    late: list[Scene] = []
    for scene in scenes:
        (late if scene.kinds() <= seen else early).append(scene)
        seen |= scene.kinds()
    return [_Dealt(scene, rng.random()) for scene in early + late]


def _numbered(steps: Sequence[Step]) -> tuple[Step, ...]:
    """In the order of time; ids from 1 by their start. A stop comes before a start of the same
    instant, so that what is handed over is never held twice."""
    starts = {s.id: s.at_s for s in steps if s.action == "start"}
    place = {id_: i for i, id_ in enumerate(starts)}
    by_start = sorted(starts, key=lambda id_: (starts[id_], place[id_]))
    number = {id_: 1 + i for i, id_ in enumerate(by_start)}
    renamed = [msgspec.structs.replace(s, id=number[s.id], at_s=round(s.at_s, 3)) for s in steps]
    return tuple(sorted(renamed, key=lambda s: (s.at_s, s.action == "start", s.id)))


def _at(span: Range, share: float) -> float:
    return span[0] + share * (span[1] - span[0])
