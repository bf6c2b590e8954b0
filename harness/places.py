"""Places: where a trial's cluster lives, and by which clock and event loop its run goes.

Rules
1. A run does not know where it runs: it is driven by the same code on processes in real time and on
   machines in virtual time.
2. What a place leaves behind beside the journal (traces, the world's log, its choices) it writes
   itself, when its cluster has stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import msgspec
import psutil

from checkers.trace import TraceError, merge_traces, write_trace
from harness import real, worldlog
from harness.clock import Clock, MonotonicClock
from harness.clusters.namespaces import world
from harness.contracts import Cluster, EnvironmentTrouble, System
from harness.scenario.lines import FileLines, Lines, TraceLines
from harness.simulation.choices import Choices, Given
from harness.simulation.cluster import SimulatedCluster
from harness.simulation.fence import Fence
from harness.simulation.hanging import no_call_longer_than
from harness.simulation.log import WorldLog
from harness.simulation.loop import VirtualClock, VirtualLoop
from harness.simulation.settings import mistakes_of, settings
from harness.store.folder import RunFolder
from harness.store.wall import wall_now
from harness.trial import Trial
from nemesis.schedule import Schedule

OnProcess = Callable[[int, float, str], None]
CALL_LIMIT_S_MIN = 10.0  # of one call into a system: what a loaded machine does not make of itself


class Place(Protocol):
    """One run's."""

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        """Drive the run to its end."""
        ...

    def cluster(self, system: System, on_process: OnProcess) -> Cluster:
        """A new cluster, not started. `on_process` hears of every process that is."""
        ...

    def clock(self) -> Clock:
        """Of the run, from now on."""
        ...

    def driver(self) -> tuple[int, float]:
        """The process on whose life the run depends, as everybody on this machine sees it: its pid
        and when it was created."""
        ...

    def lines(self) -> Lines:
        """What the nodes write."""
        ...

    def keep(self, notices: list[str]) -> None:
        """Write what there is beside the journal; the cluster has stopped. Trouble is told."""
        ...


class RealPlace:
    """Processes of this machine or others, in real time. `faults`: what is planned."""

    def __init__(self, trial: Trial, folder: RunFolder, faults: Schedule) -> None:
        self._trial, self._folder, self._faults = trial, folder, faults
        self._clock: MonotonicClock | None = None

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner() as runner:
            runner.run(main)

    def cluster(self, system: System, on_process: OnProcess) -> Cluster:
        return real.CLUSTERS[self._trial.cluster].make(
            system, self._trial, self._folder.path, self._faults, on_process
        )

    def driver(self) -> tuple[int, float]:
        if world.inside():
            return world.owner()
        me = psutil.Process()
        return me.pid, me.create_time()

    def clock(self) -> MonotonicClock:
        self._clock = MonotonicClock()
        wall = wall_now()
        self._folder.write(self._folder.origin, str(self._clock.origin_ns).encode())
        self._folder.write(self._folder.wall, msgspec.json.encode(wall))
        return self._clock

    def lines(self) -> FileLines:
        return FileLines(self._folder.nodes)

    def keep(self, notices: list[str]) -> None:
        """The nodes' protocol events as one file. Where that fails, no law is judged by half."""
        found = self._folder.node_traces()
        if self._clock is None or not found:
            return
        draft = self._folder.trace.with_suffix(".draft")
        try:
            write_trace(draft, merge_traces(found, self._clock.origin_ns, notices))
            draft.replace(self._folder.trace)
        except (TraceError, OSError) as wrong:
            notices.append(f"The protocol laws were not judged: {wrong}")
            with contextlib.suppress(OSError):
                draft.unlink()


class SimulatedPlace:
    """A world of its own, in virtual time. `log`: keep what the world did."""

    def __init__(
        self,
        trial: Trial,
        *,
        given: Given | None = None,
        then_drawn: bool = False,
        log: bool = True,
        folder: RunFolder | None = None,
    ) -> None:
        assert trial.seed is not None, "a trial is resolved before it runs"
        self._trial, self._folder = trial, folder
        self._loop = VirtualLoop()
        self._fence = Fence()
        self.choices = Choices(trial.seed, given, then_drawn)
        self._log = WorldLog(self._loop) if log else None
        self._cluster: SimulatedCluster | None = None

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        with no_call_longer_than(max(self._trial.time_limit_s, CALL_LIMIT_S_MIN)):
            try:
                with self._fence:
                    self._loop.run_until_complete(main)
            finally:
                self._loop.end_tasks()
                self._loop.close()

    def cluster(self, system: System, on_process: OnProcess) -> SimulatedCluster:  # noqa: ARG002
        if not system.simulable:
            raise EnvironmentTrouble(
                f"system {system.name} offers no machine for the simulated cluster: name the "
                "function that builds one (machine: module:function) in its file."
            )
        self._cluster = SimulatedCluster(
            system,
            self._trial.node_names,
            loop=self._loop,
            workload=self._trial.workload,
            options=self._trial.options,
            choices=self.choices,
            settings=settings(self._trial.cluster_options),
            fence=self._fence,
            log=self._log,
        )
        return self._cluster

    def driver(self) -> tuple[int, float]:
        me = psutil.Process()
        return me.pid, me.create_time()

    def clock(self) -> VirtualClock:
        clock = VirtualClock(self._loop)
        self.world.begin(clock.origin_ns)
        return clock

    def lines(self) -> TraceLines:
        return TraceLines(lambda: self.world.trace_lines)

    @property
    def world(self) -> Any:
        assert self._cluster is not None, "a place has its world once its cluster was made"
        return self._cluster.world

    @property
    def events(self) -> list[worldlog.WorldEvent]:
        """What the world did; empty where no log was asked for."""
        return [] if self._log is None else self._log.events

    @property
    def virtual_s(self) -> float:
        return self._loop.time()

    def keep(self, notices: list[str]) -> None:
        folder = self._folder
        if folder is None or self._cluster is None:
            return
        try:
            folder.write(folder.trace, b"".join(line + b"\n" for line in self.world.trace_lines))
            folder.write(folder.world, worldlog.encode(self.events))
            folder.write(folder.choices, msgspec.json.encode(self.choices.taken()))
        except EnvironmentTrouble as wrong:
            notices.append(str(wrong))


# By the name of the cluster: what may be wrong with its options, for so many nodes.
CLUSTERS: dict[str, Callable[[dict[str, str], int], list[str]]] = {
    **{name: kind.mistakes_of for name, kind in real.CLUSTERS.items()},
    "simulated": lambda given, _nodes: mistakes_of(given),
}


def place(trial: Trial, folder: RunFolder, faults: Schedule) -> Place:
    """Where this trial runs, with these faults planned."""
    if trial.cluster == "simulated":
        return SimulatedPlace(trial, folder=folder)
    return RealPlace(trial, folder, faults)
