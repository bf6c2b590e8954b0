"""One simulated run, in memory: trial, workload, faults and checkers of any run, in virtual time.

Rules
1. A run is a function of its case: the trial with its seed, and what is given in place of what the
   seed would draw. The same case is the same run, byte for byte.
2. Nothing is written. Whoever wants to keep a run writes its parts (harness.cases).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from checkers.compose import check_all
from checkers.history import History, Operation
from checkers.trace import TraceError, read_lines
from checkers.verdict import Checker, Recording, Verdict
from harness.cases import Case
from harness.clock import NS_PER_S, sleep
from harness.contracts import EnvironmentTrouble, System, Workload
from harness.disruption import Disruption
from harness.generators import Generator
from harness.generators.script import Script, script_of, scripted
from harness.loop import ClientBug, GeneratorError, Loop
from harness.places import SimulatedPlace
from harness.scenario.outcome import Played, not_reached
from harness.scenario.player import Player
from harness.scenario.staging import (
    exercising,
    finale,
    load_of,
    loop_over,
    may_strike,
    player,
    unplanned,
    workers_of,
)
from harness.settle import expected, plan
from harness.simulation.choices import Given
from harness.simulation.loop import Stalled
from harness.simulation.world import Observer
from harness.store.journal import MemoryJournal
from harness.systems import system
from harness.workloads import workload
from harness.worldlog import WorldEvent
from nemesis.capabilities import refusals
from nemesis.ledger import NoEntries
from nemesis.schedule import Schedule

# Why a run, or its judging, comes to nothing: never by the system's behaviour.
CANNOT_RUN = (EnvironmentTrouble, ClientBug, GeneratorError, Stalled, TraceError)


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """What a run left. `executed`: the faults as carried out. `choices`: all that was decided, by
    stream. `world`: its log, empty unless asked for. `notices`: sentences. `lines`: of the trace,
    as nodes would have written them. `deliveries`: of messages between nodes. `final_from`: the
    index of the first operation after all was healed. `played`: what came of the scenario."""

    case: Case
    history: History
    lines: Sequence[bytes]
    executed: Schedule
    choices: Given
    world: Sequence[WorldEvent]
    notices: Sequence[str]
    deliveries: int
    virtual_s: float
    checkers: Sequence[Checker]
    final_from: int
    played: Played | None = None

    @property
    def explicit(self) -> Case:
        """The case with all that chance decided written down: it can be made smaller."""
        workers = workers_of(self.case.trial, self.case.scenario)
        trial = msgspec.structs.replace(self.case.trial, clients=workers, scenario="")
        faults, script = self.executed, script_of(self.history, workers, self.final_from)
        if self.case.scenario is not None:
            faults, script = _in_order(faults, script)
        return Case(
            trial=trial,
            faults=faults,
            choices=self.choices,
            script=script,
        )

    @property
    def recording(self) -> Recording:
        """Raises TraceError for an event that is not in the format: its machine is at fault."""
        trace = read_lines(self.lines, "the nodes' trace")
        return Recording(history=self.history, trace=trace, nodes=self.case.trial.node_names)

    def verdict(self) -> Verdict:
        with _no_collecting():
            return check_all(self.checkers, self.recording)

    def digest(self) -> str:
        """Of the history and the trace: equal for equal runs."""
        found = hashlib.sha256()
        found.update(msgspec.json.Encoder().encode_lines(list(self.history)))
        for line in self.lines:
            found.update(line + b"\n")
        return found.hexdigest()


class Watcher(Observer, Protocol):
    """Who watches a run, and changes nothing in it."""

    def struck(self, number: int, name: str | None) -> None:
        """Fault `number` of this name is in force; None: no longer."""
        ...


def simulate(case: Case, *, log: bool = False, watcher: Watcher | None = None) -> Simulated:
    """Run a case. `log`: keep what the world did, for its story and its picture. `watcher`: told of
    what happens while it does.

    Raises EnvironmentTrouble where the world cannot run the trial, Stalled where it hangs,
    ClientBug and GeneratorError where a plugged-in part is broken.
    """
    where = SimulatedPlace(case.trial, given=case.choices, then_drawn=case.then_drawn, log=log)
    found: list[Simulated] = []

    async def main() -> None:
        found.append(await _run(case, where, watcher))

    with _no_collecting():
        where.run(main())
    return found[0]


@contextlib.contextmanager
def _no_collecting() -> Iterator[None]:
    """A run allocates much and drops all of it at its end: looking for cycles meanwhile took a
    seventh of its time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _system(name: str) -> System:
    """Read once for all runs of a process, and again when its file has changed."""
    try:
        seen = Path(name).stat()
    except OSError:  # a name, or a part of a file
        return _read(name, (0, 0))
    return _read(name, (seen.st_mtime_ns, seen.st_size))


@functools.cache
def _read(name: str, seen: tuple[int, int]) -> System:  # noqa: ARG001 - what the cache goes by
    return system(name)


async def _run(case: Case, where: SimulatedPlace, watcher: Watcher | None) -> Simulated:
    trial = case.trial
    assert trial.seed is not None, "a case has its seed"
    faults = planned(case)
    system_ = _system(trial.system)
    work = workload(
        trial.workload, trial.workload_options, check_time_limit_s=trial.check_time_limit_s
    )
    cluster = where.cluster(system_, lambda *_: None)
    reasons = refusals(faults, cluster)
    if reasons:
        raise EnvironmentTrouble("\n".join(reasons))
    await cluster.start()
    if watcher is not None:
        cluster.world.observe(watcher)
    clock = where.clock()
    journal = MemoryJournal()
    driver = loop_over(trial, case.scenario, system_, cluster, journal, clock)

    def told(f: str, value: Any, _: Literal["info"]) -> None:
        driver.journal_nemesis(f, value)
        if watcher is not None and "applied" in value and "id" in value:
            watcher.struck(value["id"], f if f == value["applied"]["fault"] else None)

    ordered = faults if case.scenario is None else unplanned(trial)
    disruption = Disruption(cluster, ordered, journal=told, ledger=NoEntries(), clock=clock)
    of_script = None
    if case.scenario is not None:
        of_script = player(
            case.scenario, trial, system_, cluster, driver, disruption, clock, where.lines()
        )
    load, final = _operations(case, work)
    await _break_under(load, driver, disruption, of_script)
    await sleep(clock, trial.recovery_s)
    final_from = len(journal.operations)
    await driver.run(final())
    await driver.close()
    await cluster.stop()
    return Simulated(
        case=case,
        history=History(_plain(journal.operations)),
        lines=cluster.world.trace_lines,
        executed=disruption.executed(),
        choices=where.choices.taken(),
        world=where.events,
        notices=(*disruption.troubles, *cluster.crashes(), *_not_reached(of_script)),
        deliveries=cluster.world.deliveries,
        virtual_s=where.virtual_s,
        checkers=_checkers(work.checkers(), case, faults, of_script),
        final_from=final_from,
        played=None if of_script is None else of_script.played,
    )


async def _break_under(
    load: Generator, driver: Loop, disruption: Disruption, script: Player | None
) -> None:
    """The main phase: load and faults side by side. A script ends the load when it ends."""
    breaking = asyncio.create_task(disruption.run(None if script is None else script.play))
    await driver.run(load, None if script is None else breaking)
    await breaking


def _in_order(faults: Schedule, script: Script) -> tuple[Schedule, Script]:
    """What a scenario did at the very moment of an answer it did because of it: by the clock alone
    it would come before. Each step is put off by a nanosecond more than what it followed."""
    begun = [line.at_ns for line in script.load]
    load = [
        msgspec.structs.replace(line, at_ns=line.at_ns + 2 * place + 1)
        for place, line in enumerate(script.load)
    ]
    steps = [
        msgspec.structs.replace(step, at_s=_later_s(step.at_s, begun)) for step in faults.steps
    ]
    duration_s = _later_s(faults.duration_s, begun)
    return (
        msgspec.structs.replace(faults, duration_s=duration_s, steps=tuple(steps)),
        msgspec.structs.replace(script, load=tuple(load)),
    )


def _later_s(at_s: float, begun: Sequence[int]) -> float:
    before = bisect_left(begun, round(at_s * NS_PER_S))
    return round(at_s + 2 * before / NS_PER_S, 9)


def planned(case: Case) -> Schedule:
    """The faults that a case is to show; those of a scenario with a node in place of words."""
    if case.scenario is not None:
        return may_strike(case.scenario, case.trial)
    return plan(case.trial) if case.faults is None else case.faults


def _not_reached(of_script: Player | None) -> tuple[str, ...]:
    if of_script is None or of_script.played.reached:
        return ()
    return (not_reached(of_script.played),)


def _operations(case: Case, work: Workload) -> tuple[Generator, Callable[[], Generator]]:
    """What clients do while faults come and go, and, once that is known, at the end."""
    if case.script is not None:
        script = case.script
        return scripted(script.load), lambda: finale(scripted(script.final))
    load = load_of(case.trial, case.scenario, work.generator())
    return load, lambda: finale(work.final_generator())


def _plain(operations: Sequence[Operation]) -> list[Operation]:
    """As they are read from a file: what Python knows and JSON does not is gone."""
    lines = msgspec.json.Encoder().encode_lines(operations)
    decoder = msgspec.json.Decoder(Operation)
    return [decoder.decode(line) for line in lines.splitlines()]


def _checkers(
    of_workload: Sequence[Checker], case: Case, faults: Schedule, of_script: Player | None
) -> Sequence[Checker]:
    kinds = expected(case.trial, faults, asked_for=case.faults is None)
    played = None if of_script is None else of_script.played
    return exercising(of_workload, kinds, case.scenario, played)
