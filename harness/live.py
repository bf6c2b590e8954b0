"""The live part of a run: from the first process started to the last one gone.

Rules
1. Clients and faults run side by side until the time limit; then everything is healed and that is
   verified, and only then come the final reads.
2. On every way out faults are undone first, then the journal closes, then the cluster stops, and
   only then are the nodes' traces read.
3. Nothing is judged here. A live check may end a run early; what was recorded is judged as always.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from contextlib import AsyncExitStack
from typing import Any, Literal

import msgspec

from checkers.history import HistoryError
from checkers.stream import live_check
from harness.clock import NS_PER_S, Clock, sleep
from harness.contracts import Cluster, Comparable, EnvironmentTrouble
from harness.disruption import Disruption
from harness.heal import HARNESS
from harness.inspection import how_to_look, looked, somebody_looks
from harness.loop import Loop
from harness.places import Place
from harness.report.progress import REFRESH_S, Moment, Progress
from harness.scenario import Scenario, outcome
from harness.scenario.player import Player
from harness.scenario.staging import finale, load_of, loop_over, player, unplanned
from harness.store.folder import RunFolder
from harness.store.journal import Journal
from harness.systems import system
from harness.trial import Trial
from harness.watch import Watch
from harness.workloads import workload
from nemesis import schedule as schedules
from nemesis.capabilities import refusals
from nemesis.ledger import Ledger
from nemesis.schedule import Schedule

log = logging.getLogger("antipaxos")

COMPARING_LIMIT_S = 10.0


class Live:
    """One run while it lives. `notices` are sentences for its report, complete when `drive` ends.

    Raises EnvironmentTrouble from `drive` where a fault cannot be done or the cluster cannot run,
    ClientBug and GeneratorError where a plugged-in part is broken.
    """

    def __init__(
        self,
        trial: Trial,
        faults: Schedule,
        folder: RunFolder,
        place: Place,
        progress: Progress,
        scenario: Scenario | None = None,
    ) -> None:
        assert trial.seed is not None
        self.notices: list[str] = []
        self.interrupted = False
        self._trial = trial
        self._seed = trial.seed
        self._faults = faults
        self._folder = folder
        self._place = place
        self._progress = progress
        self._scenario = scenario
        self._player: Player | None = None  # of the scenario
        self._system = system(trial.system)
        self._workload = workload(
            trial.workload, trial.workload_options, check_time_limit_s=trial.check_time_limit_s
        )
        self._task: asyncio.Task[None] | None = None
        self._journal: Journal | None = None
        self._loop: Loop | None = None
        self._stoppable: asyncio.Task[None] | None = None  # what an interruption need not await
        self._breaking: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._stopped = False  # by the live check

    @property
    def recorded_anything(self) -> bool:
        return self._journal is not None and bool(self._journal.operations)

    def interrupt(self, why: str) -> None:
        """End soon and in order: no more operations, no more faults, heal, stop."""
        self.interrupted = True
        self.notices.append(f"Interrupted by {why}: what was recorded until then is judged.")
        self._progress.say(f"{why}: healing, then judging what there is. Once more leaves at once.")
        if self._loop is None:
            assert self._task is not None, "drive runs: it is what is interrupted"
            self._task.cancel()
            return
        self._loop.stop()
        if self._stoppable is not None:
            self._stoppable.cancel()

    async def drive(self) -> None:
        self._task = asyncio.current_task()
        try:
            await self._live()
        except asyncio.CancelledError:
            if not self.interrupted:
                raise
            raise EnvironmentTrouble("Interrupted before the cluster was up.") from None
        if not self.recorded_anything:
            raise EnvironmentTrouble("The run ended before any operation was recorded.")

    async def _live(self) -> None:
        with Ledger(self._folder.ledger) as ledger:
            entries = [ledger.process(*self._place.driver(), HARNESS)]

            def started(pid: int, created_s: float, name: str) -> None:
                entries.append(ledger.process(pid, created_s, name))

            cluster = self._place.cluster(self._system, started)
            reasons = refusals(self._faults, cluster)
            if reasons:
                raise EnvironmentTrouble("\n".join(reasons))
            log.info("starting %d nodes of %s", self._trial.nodes, self._system.name)
            try:
                await cluster.start()
                clock = self._place.clock()
                log.info("all nodes are ready; the load begins")
                await self._recorded(cluster, ledger, clock)
            finally:
                log.info("stopping the nodes")
                await self._stop(cluster, ledger, entries)
                self.notices += cluster.notices
                self._place.keep(self.notices)  # only now, for nodes write traces until their end

    async def _recorded(self, cluster: Cluster, ledger: Ledger, clock: Clock) -> None:
        async with AsyncExitStack() as stack:
            self._journal = journal = Journal(self._folder.history)
            stack.callback(journal.close)
            loop = loop_over(self._trial, self._scenario, self._system, cluster, journal, clock)
            stack.push_async_callback(loop.close)

            def told(f: str, value: Any, _: Literal["info"]) -> None:
                loop.journal_nemesis(f, value)

            faults = self._faults if self._scenario is None else unplanned(self._trial)
            disruption = Disruption(cluster, faults, journal=told, ledger=ledger, clock=clock)
            if self._scenario is not None:
                self._play(self._scenario, cluster, loop, disruption, clock)
                stack.callback(self._keep_played)
            stack.callback(self._keep_schedule, disruption)
            stack.push_async_callback(_ended, self._shown(loop, disruption, clock))
            self._loop = loop
            if self._trial.live_check != "off":
                self._watching = asyncio.create_task(self._watch(journal, disruption, clock))
                self._watching.add_done_callback(
                    lambda task: loop.stop() if _failed(task) else None
                )
                stack.push_async_callback(_ended, self._watching)
            try:
                await self._phases(loop, disruption, cluster, clock)
                if self._stopped and self._watching is not None:
                    await self._watching
            finally:
                self.notices += disruption.troubles
                self.notices += cluster.crashes()

    async def _phases(
        self, loop: Loop, disruption: Disruption, cluster: Cluster, clock: Clock
    ) -> None:
        script = None if self._player is None else self._player.play
        self._stoppable = self._breaking = breaking = asyncio.create_task(disruption.run(script))
        # If the nemesis breaks down there is no point in going on: its trouble ends the run.
        breaking.add_done_callback(lambda task: loop.stop() if _failed(task) else None)
        try:
            load = load_of(self._trial, self._scenario, self._workload.generator())
            await loop.run(load, None if script is None else breaking)
        except BaseException:
            breaking.cancel()  # which heals; the rest of the schedule is for nobody
            await asyncio.wait([breaking])
            raise
        # It ends with the final heal, whether the schedule came to its end or was cancelled.
        with contextlib.suppress(asyncio.CancelledError):
            await breaking
        log.info("the load is over and everything is healed; recovery")
        self._stoppable = asyncio.create_task(sleep(clock, self._trial.recovery_s))
        if self.interrupted or self._stopped:
            self._stoppable.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._stoppable
        log.info("final reads")
        await loop.run(finale(self._workload.final_generator()))
        await self._compare(cluster)

    async def _compare(self, cluster: Cluster) -> None:
        """Keep what the replicas say of their states, where the system can show them."""
        if not isinstance(self._system, Comparable):
            return
        log.info("comparing replicas")
        addresses = {node: cluster.address(node) for node in cluster.nodes}
        try:
            async with asyncio.timeout(COMPARING_LIMIT_S):
                digests = await self._system.digests(addresses)
        except (TimeoutError, OSError, EnvironmentTrouble) as wrong:
            self.notices.append(
                f"The replicas were not compared: {wrong or 'they did not answer'}."
            )
            return
        self._folder.write(self._folder.digests, msgspec.json.encode(digests))

    async def _watch(self, journal: Journal, disruption: Disruption, clock: Clock) -> None:
        """Judge the journal while it grows, until the first violation."""
        check = live_check(self._workload.checkers(), recall=lambda: tuple(journal.operations))
        if check is None:
            self.notices.append("Nothing was checked live: the workload is not judged by a model.")
            return
        try:
            found = await Watch(check, journal.operations, clock).violation()
        except HistoryError as wrong:
            self.notices.append(f"The live check ended early: {wrong}")
            return
        except Exception as wrong:
            # The run goes on: what it records is judged in the end all the same.
            log.exception("the live check failed")
            self.notices.append(f"The live check failed by a bug of antipaxos: {wrong!r}")
            return
        sentence = f"{clock.now_ns() / NS_PER_S:.1f} s: {found.summary}"
        if self._trial.live_check == "note":
            self.notices.append(f"The live check saw a violation at {sentence}")
            self._progress.say(self.notices[-1])
            return
        self.notices.append(f"The live check stopped the run at {sentence}")
        self._progress.say(self.notices[-1])
        await self._stop_here(disruption, clock)

    async def _stop_here(self, disruption: Disruption, clock: Clock) -> None:
        """Freeze, let somebody look, heal."""
        assert self._loop is not None, "the journal is the loop's"
        assert self._breaking is not None, "nothing is recorded before"
        self._stopped = True
        self._loop.stop()
        await disruption.freeze()
        if somebody_looks() and not self.interrupted:
            nodes = self._trial.node_names
            for line in how_to_look(self._folder.ledger, nodes, self._folder.path):
                self._progress.say(line)
            self._progress.say("Enter or Ctrl-C goes on: heal, stop, judge.")
            self._stoppable = asyncio.create_task(looked(clock))
            with contextlib.suppress(asyncio.CancelledError):
                await self._stoppable
        self._breaking.cancel()
        await asyncio.wait([self._breaking])
        await disruption.heal()

    def _shown(self, loop: Loop, disruption: Disruption, clock: Clock) -> asyncio.Task[None]:
        return asyncio.create_task(self._show(loop, disruption, clock))

    async def _show(self, loop: Loop, disruption: Disruption, clock: Clock) -> None:
        while True:
            counts = loop.progress
            self._progress.show(
                Moment(
                    clock.now_ns() / NS_PER_S,
                    counts.ok,
                    counts.fail,
                    counts.info,
                    "; ".join(disruption.now_in_force()),
                )
            )
            await sleep(clock, REFRESH_S)

    async def _stop(self, cluster: Cluster, ledger: Ledger, entries: list[int]) -> None:
        try:
            await cluster.stop()
            for number in entries:
                ledger.done(number)
        except Exception as wrong:
            # What was recorded is judged whatever happens here; 'antipaxos heal' does the rest.
            log.exception("the cluster did not stop cleanly")
            self.notices.append(f"The cluster did not stop cleanly: {wrong!r}. Run antipaxos heal.")

    def _play(
        self,
        scenario: Scenario,
        cluster: Cluster,
        loop: Loop,
        disruption: Disruption,
        clock: Clock,
    ) -> None:
        self._player = player(
            scenario,
            self._trial,
            self._system,
            cluster,
            loop=loop,
            disruption=disruption,
            clock=clock,
            lines=self._place.lines(),
        )

    def _keep_played(self) -> None:
        assert self._player is not None, "called where there is one"
        played = self._player.played
        if not played.reached:
            self.notices.append(outcome.not_reached(played))
        try:
            self._folder.write(self._folder.played, outcome.encode(played))
        except EnvironmentTrouble as wrong:
            self.notices.append(str(wrong))

    def _keep_schedule(self, disruption: Disruption) -> None:
        try:
            self._folder.write(self._folder.schedule, schedules.encode(disruption.executed()))
        except EnvironmentTrouble as wrong:
            self.notices.append(str(wrong))


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancel a task that only shows, and let it go; what it raised is a bug and passes on."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _failed(task: asyncio.Task[None]) -> bool:
    return not task.cancelled() and task.exception() is not None
