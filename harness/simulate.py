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
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Protocol

import msgspec

from checkers.compose import check_all
from checkers.coverage import Coverage
from checkers.history import History, Operation
from checkers.trace import TraceError, read_lines
from checkers.verdict import Checker, Recording, Verdict
from harness.cases import Case
from harness.clock import Clock, sleep
from harness.contracts import Client, EnvironmentTrouble, System, Workload
from harness.disruption import Disruption
from harness.generators import Generator, stagger, time_limit
from harness.generators.script import script_of, scripted
from harness.live import FINAL_LIMIT_S, WATCHDOG_FACTOR
from harness.loop import ClientBug, GeneratorError, Loop
from harness.places import SimulatedPlace
from harness.settle import expected, plan
from harness.simulation.choices import Given
from harness.simulation.cluster import SimulatedCluster
from harness.simulation.loop import Stalled
from harness.simulation.world import Observer
from harness.store.journal import MemoryJournal
from harness.systems import system
from harness.trial import Trial
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
    index of the first operation after all was healed."""

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

    @property
    def explicit(self) -> Case:
        """The case with all that chance decided written down: it can be made smaller."""
        trial = self.case.trial
        return Case(
            trial=trial,
            faults=self.executed,
            choices=self.choices,
            script=script_of(self.history, trial.clients, self.final_from),
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


@functools.cache
def _system(name: str) -> System:
    """Read once for all runs of a process."""
    return system(name)


async def _run(case: Case, where: SimulatedPlace, watcher: Watcher | None) -> Simulated:
    trial = case.trial
    assert trial.seed is not None, "a case has its seed"
    faults = plan(trial) if case.faults is None else case.faults
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
    driver = _driver(trial, system_, cluster, journal, clock)

    def told(f: str, value: Any, _: Literal["info"]) -> None:
        driver.journal_nemesis(f, value)
        if watcher is not None and "applied" in value and "id" in value:
            watcher.struck(value["id"], f if f == value["applied"]["fault"] else None)

    disruption = Disruption(cluster, faults, journal=told, ledger=NoEntries(), clock=clock)
    breaking = asyncio.create_task(disruption.run())
    load, final = _operations(case, work)
    await driver.run(load)
    await breaking
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
        notices=(*disruption.troubles, *cluster.crashes()),
        deliveries=cluster.world.deliveries,
        virtual_s=where.virtual_s,
        checkers=_checkers(work.checkers(), case, faults),
        final_from=final_from,
    )


def _driver(
    trial: Trial, of: System, cluster: SimulatedCluster, journal: MemoryJournal, clock: Clock
) -> Loop:
    assert trial.seed is not None, "a case has its seed"

    def client(node: str) -> Client:
        return of.client(node, cluster.address(node), trial.workload, trial.operation_timeout_s)

    return Loop(
        journal=journal,
        clock=clock,
        nodes=cluster.nodes,
        workers=trial.clients,
        client=client,
        seed=trial.seed,
        operation_limit_s=WATCHDOG_FACTOR * trial.operation_timeout_s,
    )


def _operations(case: Case, work: Workload) -> tuple[Generator, Callable[[], Generator]]:
    """What clients do while faults come and go, and, once that is known, at the end."""
    if case.script is not None:
        script = case.script
        return scripted(script.load), lambda: time_limit(FINAL_LIMIT_S, scripted(script.final))
    load = work.generator()
    if case.trial.rate > 0:
        load = stagger(1 / case.trial.rate, load)
    load = time_limit(case.trial.time_limit_s, load)
    return load, lambda: time_limit(FINAL_LIMIT_S, work.final_generator())


def _plain(operations: Sequence[Operation]) -> list[Operation]:
    """As they are read from a file: what Python knows and JSON does not is gone."""
    lines = msgspec.json.Encoder().encode_lines(operations)
    decoder = msgspec.json.Decoder(Operation)
    return [decoder.decode(line) for line in lines.splitlines()]


def _checkers(of_workload: Sequence[Checker], case: Case, faults: Schedule) -> Sequence[Checker]:
    planned = expected(case.trial, faults, asked_for=case.faults is None)
    return [
        msgspec.structs.replace(c, planned=planned) if isinstance(c, Coverage) else c
        for c in of_workload
    ]
