"""Setting the stage: what a run needs to play a scenario, wherever it runs.

Rule: a run that lives and one in memory are furnished alike, or a stored run would not be the same
when it is carried out again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec

from checkers.coverage import Coverage
from checkers.verdict import Checker
from harness.clock import Clock
from harness.contracts import Client, Cluster, System
from harness.disruption import Disruption
from harness.generators import Generator, stagger, time_limit
from harness.loop import Loop
from harness.scenario.bearings import Stage
from harness.scenario.lines import Lines, Written
from harness.scenario.load import beside
from harness.scenario.names import stood_in
from harness.scenario.outcome import Played, Reached
from harness.scenario.player import Player
from harness.scenario.values import Scenario
from harness.store.journal import Journal, MemoryJournal
from harness.trial import Trial
from nemesis.schedule import Schedule, Step

# The harness gives up on an operation only well after its client should have.
WATCHDOG_FACTOR = 3.0
FINAL_LIMIT_S = 10.0  # for the final reads; a system that is up answers them in one second


def may_strike(scenario: Scenario, trial: Trial) -> Schedule:
    """The faults of a scenario, with some node in place of each of its words: to ask a cluster
    whether it can do them, and to furnish it. Not to be carried out."""
    steps = [
        Step(0.0, number, "start", stood_in(fault, trial.node_names))
        for number, fault in enumerate(scenario.faults(), 1)
    ]
    return Schedule(trial.time_limit_s, trial.seed or 0, tuple(steps))


def of_trial(scenario: Scenario, trial: Trial) -> Scenario:
    """The scenario with all that its trial was settled to be: what is stored beside a run."""
    usual = msgspec.to_builtins(Trial())
    settled = {n: v for n, v in msgspec.to_builtins(trial).items() if v != usual[n]}
    for name in ("faults", "scenario"):
        settled.pop(name, None)
    if trial.system.endswith((".yaml", ".yml")):
        settled["system"] = str(Path(trial.system).absolute())
    return msgspec.structs.replace(scenario, trial=settled)


def unplanned(trial: Trial) -> Schedule:
    """What a script is carried out beside: no fault by time, and the seed."""
    assert trial.seed is not None, "a trial is resolved before it runs"
    return Schedule(0.0, trial.seed)


def workers_of(trial: Trial, scenario: Scenario | None) -> int:
    """How many workers a run has."""
    return trial.clients if scenario is None else scenario.workers(trial.clients, trial.nodes)


def load_of(trial: Trial, scenario: Scenario | None, work: Generator) -> Generator:
    """What clients do while faults come and go: beside a script without end, else until the time
    limit."""
    if trial.rate > 0:
        work = stagger(1 / trial.rate, work)
    if scenario is None:
        return time_limit(trial.time_limit_s, work)
    return beside(scenario.load_workers(trial.clients), work)


def finale(reads: Generator) -> Generator:
    """What clients do once all is healed."""
    return time_limit(FINAL_LIMIT_S, reads)


def loop_over(
    trial: Trial,
    scenario: Scenario | None,
    system: System,
    cluster: Cluster,
    journal: Journal | MemoryJournal,
    clock: Clock,
) -> Loop:
    """The clients of a run."""
    assert trial.seed is not None, "a trial is resolved before it runs"
    timeout_s = trial.operation_timeout_s

    def client(node: str) -> Client:
        return system.client(node, cluster.address(node), trial.workload, timeout_s)

    return Loop(
        journal=journal,
        clock=clock,
        nodes=cluster.nodes,
        workers=workers_of(trial, scenario),
        client=client,
        seed=trial.seed,
        operation_limit_s=WATCHDOG_FACTOR * timeout_s,
    )


def player(
    scenario: Scenario,
    trial: Trial,
    system: System,
    cluster: Cluster,
    loop: Loop,
    disruption: Disruption,
    clock: Clock,
    lines: Lines,
) -> Player:
    assert trial.seed is not None, "a trial is resolved before it runs"
    stage = Stage(
        seed=trial.seed,
        time_limit_s=trial.time_limit_s,
        first=scenario.load_workers(trial.clients),
        loop=loop,
        disruption=disruption,
        clock=clock,
        lines=cluster.lines() if isinstance(cluster, Written) else lines,
        ready=partial(_serves, system, cluster),
    )
    return Player(scenario, stage)


async def _serves(system: System, cluster: Cluster, node: str) -> bool:
    return await system.ready(node, cluster.address(node))


def exercising(
    checkers: Sequence[Checker],
    planned: tuple[str, ...],
    scenario: Scenario | None,
    played: Played | None,
) -> list[Checker]:
    """The checkers of a workload, with what this run was to exercise: these kinds of faults, the
    script to its end and, where it is all the load, its operations."""
    asked: dict[str, tuple[str, ...]] = {"planned": planned}
    if scenario is not None and not scenario.load:
        asked["operations"] = scenario.operations()
    script = () if scenario is None or played is None else (Reached(played),)
    told = [msgspec.structs.replace(c, **asked) if isinstance(c, Coverage) else c for c in checkers]
    return [*told, *script]
