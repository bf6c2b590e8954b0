"""Simulated runs of the reference, short ones, for the tests of this folder."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from checkers.history import Operation
from harness.cases import Case
from harness.settle import settle
from harness.simulate import Simulated, simulate
from harness.trial import Trial
from nemesis.faults import Fault
from nemesis.schedule import Schedule, Step

USUAL = {"cluster": "simulated", "clients": 5, "rate": 60.0, "time_limit_s": 3.0, "recovery_s": 0.5}


def trial(seed: int = 1, cluster_options: dict[str, str] | None = None, **settings: Any) -> Trial:
    given = {**USUAL, "seed": seed, "cluster_options": cluster_options or {}, **settings}
    return settle(None, given)


def during(fault: Fault, since_s: float = 1.0, until_s: float = 2.5) -> Schedule:
    """One fault, once."""
    steps = (Step(since_s, 1, "start", fault), Step(until_s, 1, "stop"))
    return Schedule(duration_s=3.0, steps=steps)


def run(of: Trial, faults: Schedule | None = None, **more: Any) -> Simulated:
    return simulate(Case(trial=of, faults=faults), **more)


def of_clients(simulated: Simulated) -> list[Operation]:
    return [o for o in simulated.history if isinstance(o.process, int)]


def silence_ms(simulated: Simulated) -> float:
    """The longest time without success while the load ran."""
    times = [o.time for o in of_clients(simulated) if o.type == "ok" and o.time < 3 * 10**9]
    return max(after - before for before, after in pairwise(times)) / 1e6


def slowest_ms(simulated: Simulated) -> float:
    """The longest an operation took to end, whatever its end was."""
    invoked: dict[int, int] = {}
    slowest = 0
    for o in of_clients(simulated):
        assert isinstance(o.process, int)
        if o.type == "invoke":
            invoked[o.process] = o.time
        else:
            slowest = max(slowest, o.time - invoked.pop(o.process))
    return slowest / 1e6
