"""Carries out a schedule of faults against a cluster, with evidence, and heals whatever happens. A
script may take the place of the schedule: it decides when a fault starts and ends.

Rules
1. For each start, in this order: journal the intent, resolve it against the cluster of that moment,
   write the inverse to the ledger, apply, measure, journal what was applied and observed.
2. Whatever may have been applied is undone: a fault that raised at once, the rest by the final
   heal, which also comes when `run` is cancelled. A fault that raised is not in effect; it is
   journaled as such and kept in `troubles`.
3. Faults overlap: undoing one leaves the others in force (see breaker).
4. Every call to the cluster has a time limit: a probe that hangs must not outlive the run.

A nemesis operation has two lines of type info with the same `f` and the same `id`. The final heal,
which belongs to no fault, has no id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, Literal

import msgspec

from harness.breaker import Breaker, Open
from harness.clock import NS_PER_S, Clock, sleep, sleep_until
from harness.contracts import EnvironmentTrouble
from nemesis.capabilities import Breakable
from nemesis.evidence import Evidence
from nemesis.faults import Fault, Pause, tag, undo_name
from nemesis.ledger import Entries
from nemesis.resolution import Resolved, asks_leaders, describe, resolve
from nemesis.schedule import Schedule, Step
from nemesis.targets import View

Journal = Callable[[str, Any, Literal["info"]], None]  # f, value, type

SETTLE_LIMIT_S = 1.0  # for a fault, or its undoing, to show in a probe
HEAL_LIMIT_S = 5.0  # for everything to run and to be reachable at the end
PROBE_EVERY_S = 0.05

FINAL = {"final": True}
GONE = Evidence(in_effect=True, observed={})
INTERRUPTED = Evidence(in_effect=False, observed={"interrupted": True})


class Disruption:
    """One schedule against one cluster, once. Everything runs in the event loop of `run`."""

    def __init__(
        self,
        cluster: Breakable,
        schedule: Schedule,
        *,
        journal: Journal,
        ledger: Entries,
        clock: Clock,
    ) -> None:
        self._breaker = Breaker(cluster, clock)
        self._schedule = schedule
        self._journal = journal
        self._ledger = ledger
        self._clock = clock
        self._origin_ns = 0
        self._last_id = max((step.id for step in schedule.steps), default=0)
        self._done: list[Step] = []
        self._troubles: list[str] = []
        self._turn = asyncio.Lock()  # of the schedule's steps; a freeze never gives it back
        self._healing = False
        self._healed = False

    @property
    def troubles(self) -> tuple[str, ...]:
        """What went wrong with the faults themselves, and which nodes they ruined for good, as
        sentences; no verdict on the system."""
        return tuple(self._troubles)

    def now_in_force(self) -> tuple[str, ...]:
        """The faults open now, in a few words each, oldest first."""
        return tuple(describe(fault.applied) for fault in self._breaker.open.values())

    def executed(self) -> Schedule:
        """What was done so far: concrete faults, at the times at which they were ordered."""
        duration_s = max(self._schedule.duration_s, *(s.at_s for s in self._done), 0.0)
        return Schedule(round(duration_s, 9), self._schedule.seed, tuple(self._done))

    async def run(self, script: Callable[[], Awaitable[None]] | None = None) -> None:
        """Carry out the schedule from now on, or a script in its place, which calls `begin` and
        `end`; heal when that is over, or as soon as it is cancelled."""
        self._origin_ns = self._clock.now_ns()
        try:
            await (self._follow_schedule if script is None else script)()
            async with self._turn:
                self._healing = True
        finally:
            await self.heal()

    async def _follow_schedule(self) -> None:
        for step in self._schedule.steps:
            await self._until(step.at_s)
            async with self._turn:
                await self._take(step)
        await self._until(self._schedule.duration_s)

    async def begin(self, fault: Fault) -> tuple[int, Evidence]:
        """Start a fault that stands in no schedule; its id, and what was measured. One that raised
        is not in effect, and is undone by then."""
        async with self._turn:
            self._last_id += 1
            return self._last_id, await self._start(self._last_id, fault)

    async def end(self, id_: int) -> Evidence:
        """Undo what `begin` started; in effect: it is gone. Idempotent."""
        async with self._turn:
            fault = self._breaker.open.get(id_)
            return GONE if fault is None else await self._stop(fault)

    async def view(self, *, leaders: bool) -> View:
        """The cluster as targets see it now."""
        return await self._breaker.view(leaders=leaders)

    async def freeze(self) -> None:
        """Pause every node, and carry out nothing more of the schedule; until `run` is cancelled,
        or `heal` called. A fault like the others: ledgered, measured, journaled. Not while what was
        broken is being healed: then it does nothing."""
        if self._healing:
            return
        await self._turn.acquire()
        self._last_id += 1
        await self._start(self._last_id, Pause(target="all"))

    async def _take(self, step: Step) -> None:
        if step.fault is not None:
            await self._start(step.id, step.fault)
        elif step.id in self._breaker.open:  # a fault that raised was undone long ago
            await self._stop(self._breaker.open[step.id])

    async def heal(self) -> list[str]:
        """Undo all that is open, resume and restart every node, and measure that all is well.

        Idempotent. Returns what is still wrong, as sentences; they are in `troubles` too.
        """
        if self._healed and not self._breaker.open:
            return []
        self._healing = True
        for fault in list(self._breaker.open.values())[::-1]:
            await self._stop(fault)
        self._note("heal", {"intended": FINAL})
        found = INTERRUPTED
        try:
            await self._breaker.revive()
            found = await self._settled(self._breaker.wholeness, HEAL_LIMIT_S)
            self._troubles += [_LOST.format(node) for node in found.observed.get("lost", ())]
        except Exception as error:  # noqa: BLE001 - reported: the run must go on to its verdict
            found = self._failed("the final heal", error)
        finally:
            self._note("heal", {"intended": FINAL, **_told(found)})
        left = [
            f"{describe(o.applied)} (id {o.id}) could not be undone"
            for o in self._breaker.open.values()
        ]
        left += _ills(found)
        self._healing, self._healed = False, not left
        self._troubles += left
        return left

    async def _start(self, id_: int, intended: Fault) -> Evidence:
        told: dict[str, Any] = {"id": id_, "intended": _plain(intended)}
        self._note(tag(intended), told)
        found = INTERRUPTED
        try:
            resolved = await self._resolved(id_, intended)
            told = {**told, "applied": _plain(resolved.fault)}
            if resolved.notes:
                told["notes"] = list(resolved.notes)
            fault = await self._opened(id_, intended, resolved.fault)
            await self._breaker.apply(fault)
            found = await self._settled(lambda: self._breaker.effect(fault))
        except Exception as error:  # noqa: BLE001 - reported, and the fault is undone below
            found = self._failed(f"{describe(intended)} (id {id_})", error)
        finally:
            self._note(tag(intended), {**told, **_told(found)})
        if "error" in found.observed and id_ in self._breaker.open:
            await self._stop(self._breaker.open[id_])
        return found

    async def _stop(self, fault: Open) -> Evidence:
        name = undo_name(fault.applied)
        told = {"id": fault.id, "intended": _plain(fault.intended)}
        self._note(name, told)
        found = INTERRUPTED
        try:
            at_s = self._at_s()
            await self._breaker.undo(fault)
            await asyncio.to_thread(self._ledger.done, fault.entry)
            del self._breaker.open[fault.id]
            self._done.append(Step(at_s, fault.id, "stop"))
            found = await self._settled(lambda: self._breaker.absence(fault))
        except Exception as error:  # noqa: BLE001 - reported; what is open the final heal undoes
            found = self._failed(f"undoing {describe(fault.applied)} (id {fault.id})", error)
        finally:
            told = {**told, "applied": _plain(fault.applied)}
            self._note(name, {**told, **_told(found)})
        return found

    async def _resolved(self, id_: int, intended: Fault) -> Resolved:
        view = await self._breaker.view(leaders=asks_leaders(intended))
        # A generator for each fault: what one draws does not depend on those before it.
        return resolve(intended, view, Random(f"{self._schedule.seed}/{id_}"))

    async def _opened(self, id_: int, intended: Fault, applied: Fault) -> Open:
        # The moment of the order, not of the act: playing the schedule again takes the same
        # readings first, and so acts at the same moment.
        at_s = self._at_s()
        before = await self._breaker.before(applied)
        entry = await self._entered(id_, applied)
        fault = self._breaker.open[id_] = Open(id_, intended, applied, entry, before)
        self._done.append(Step(at_s, id_, "start", applied))
        return fault

    async def _entered(self, id_: int, applied: Fault) -> int:
        # Off the event loop: an fsync would hold up the links of a cluster that share it.
        writing = asyncio.ensure_future(asyncio.to_thread(self._ledger.fault, id_, applied))
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            # The thread writes on; the fault will not be applied, so its entry must not stay open.
            await asyncio.to_thread(self._ledger.done, await writing)
            raise

    async def _settled(
        self, probe: Callable[[], Awaitable[Evidence]], limit_s: float = SETTLE_LIMIT_S
    ) -> Evidence:
        """Probe until it shows what it should, or until time is up; the last evidence."""
        end_ns = self._clock.now_ns() + round(limit_s * NS_PER_S)
        while True:
            found = await probe()
            if found.in_effect or self._clock.now_ns() >= end_ns:
                return found
            await sleep(self._clock, PROBE_EVERY_S)

    def _note(self, f: str, value: dict[str, Any]) -> None:
        try:
            self._journal(f, value, "info")
        except (OSError, EnvironmentTrouble) as error:
            # A full disk must not keep a fault from being undone.
            self._troubles.append(f"the journal did not take a line of {f!r}: {error}")

    def _failed(self, what: str, error: Exception) -> Evidence:
        words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        self._troubles.append(f"{what} failed: {words}")
        return Evidence(in_effect=False, observed={"error": words})

    def _at_s(self) -> float:
        return round((self._clock.now_ns() - self._origin_ns) / NS_PER_S, 9)

    async def _until(self, at_s: float) -> None:
        await sleep_until(self._clock, self._origin_ns + round(at_s * NS_PER_S))


def _plain(fault: Fault) -> Any:
    return msgspec.to_builtins(fault)


def _ills(found: Evidence) -> list[str]:
    """What the final heal still found wrong, as sentences."""
    if found.in_effect:
        return []
    seen = found.observed
    ills = [f"node {node} is {state}" for node, state in seen.get("states", {}).items()]
    ills += [f"link {link} is not open" for link in seen.get("unreachable", ())]
    ills += [f"the disk of {node} is full" for node in seen.get("full", ())]
    ills += [f"the disk of {node} fails" for node in seen.get("failing", ())]
    ills += [f"node {node} is no member" for node in seen.get("strangers", ())]
    ills += [
        f"the clock of {node} is {clock['offset_ms']:+.0f} ms off, at rate {clock['rate']:g}"
        for node, clock in seen.get("clocks", {}).items()
    ]
    return [f"after the final heal {ill}" for ill in ills] or ["the final heal was not verified"]


_LOST = (
    "{} did not run again after its disk was damaged: it counts as lost, and the system is "
    "judged on the other nodes"
)


def _told(found: Evidence) -> dict[str, Any]:
    return {"observed": found.observed, "in_effect": found.in_effect}
