"""Schedulers of runs: which cases are run one after the other, from a first seed on.

Rules
1. A scheduler is a function of the base trial, of what is fixed in it and of the first seed, and
   yields results without end. Runs come in campaigns: those of one campaign may learn from one
   another, those of two never do, so that any number of processes gives the same.
2. `uniform` changes nothing but the seed: one profile, every delay drawn alike. `swarm` draws the
   profile of each run. `depth` draws it for a family of runs, and bounds the depth of the bugs
   that it looks for (harness.simulation.pace). `guided` is steered by what its runs reached
   (harness.search.guided).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import count
from random import Random

import msgspec

from harness import swarm
from harness.cases import Case
from harness.search.coverage import Watch
from harness.search.guided import Search
from harness.swarm import Found, Passed, Result, Troubled
from harness.trial import Trial

# Runs of a trial without end, from a first seed on. `fixed`: the settings that are not drawn.
Runs = Callable[[Trial, Collection[str], int], Iterator[Result]]

FAMILY = 20  # runs by depth that share a profile; the first of them measures it
CHANGES = (0, 1, 1, 2, 2, 3)  # bugs of depth 1 to 4: most that are known have no more than 3


class Scheduler(msgspec.Struct, frozen=True):
    """`campaign`: how many runs belong together; see rule 1."""

    runs: Runs
    campaign: int


def uniform(base: Trial, fixed: Collection[str], first: int) -> Iterator[Result]:  # noqa: ARG001
    for seed in count(first):
        trial = msgspec.structs.replace(base, cluster="simulated", seed=seed)
        yield swarm.run(Case(trial=trial))


def swarmed(base: Trial, fixed: Collection[str], first: int) -> Iterator[Result]:
    for seed in count(first):
        yield swarm.run(swarm.draw(base, fixed, seed))


def by_depth(base: Trial, fixed: Collection[str], first: int) -> Iterator[Result]:
    frames = 0
    for seed in count(first):
        family = seed - (seed - first) % FAMILY
        profile = swarm.draw(base, fixed, family).trial
        if seed == family or not frames:
            result = swarm.run(Case(trial=profile))
            frames = 0 if isinstance(result, Troubled) else result.deliveries
        else:
            result = swarm.run(Case(trial=_ranked(profile, seed, frames)))
        yield result


def _ranked(profile: Trial, seed: int, frames: int) -> Trial:
    changes = Random(f"depth {seed}").choice(CHANGES)
    ranks = {"scheduler": "depth", "changes": str(changes), "frames": str(frames)}
    options = {**profile.cluster_options, **ranks}
    return msgspec.structs.replace(profile, seed=seed, cluster_options=options)


def guided(base: Trial, fixed: Collection[str], first: int) -> Iterator[Result]:
    search = Search(base, fixed, first)
    for number in count(first):
        case, watch = search.next(), Watch()
        result, simulated = swarm.watched(case, watch)
        if simulated is not None and isinstance(result, Passed):
            search.came(simulated.explicit, watch.features(), simulated.deliveries)
        yield numbered(result, number)


def numbered(result: Result, number: int) -> Result:
    """Known by its place in the search: a changed case has the seed of what it came from."""
    return msgspec.structs.replace(result, seed=number)


SCHEDULERS: Mapping[str, Scheduler] = {
    "uniform": Scheduler(uniform, 1),
    "swarm": Scheduler(swarmed, 1),
    "depth": Scheduler(by_depth, FAMILY),
    "guided": Scheduler(guided, 200),
}

__all__ = ["SCHEDULERS", "Found", "Runs", "Scheduler"]
