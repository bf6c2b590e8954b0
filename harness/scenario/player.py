"""Plays a scenario: takes its steps one after another against a cluster that lives.

Rules
1. What a step did is seen before the next is taken: a fault is in effect by its probe, an operation
   has ended unless it is not awaited, a wait has seen what it waits for.
2. What does not come about (a wait that runs out, a fault that shows no effect, an operation that
   ends otherwise than expected, a word that nobody answers to) ends the play as not reached, with
   what was seen. That is no verdict on the system and no trouble of the harness.
3. Where the run is simulated, the play is a function of its seed: nothing here looks at a clock but
   the run's, or walks a set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import msgspec

from checkers.history import Operation, freeze
from harness.clock import NS_PER_S, sleep
from harness.generators import Request
from harness.loop import Order
from harness.scenario.bearings import Bearings, NotReached, Since, Stage
from harness.scenario.names import Nobody, expressions, resolved
from harness.scenario.outcome import Played, Result, Taken
from harness.scenario.values import (
    Await,
    Break,
    Do,
    Heal,
    Let,
    Logged,
    Scenario,
    Step,
    Together,
    Wait,
)
from harness.scenario.waits import Waits
from harness.scenario.writing import told
from nemesis.faults import tag
from nemesis.resolution import describe

AGAIN_S = 0.05  # between two tries of an operation


class Player:
    """One scenario on one stage, once. To be made before operations begin."""

    def __init__(self, scenario: Scenario, stage: Stage) -> None:
        reads_lines = any(
            isinstance(step, Wait) and isinstance(step.condition, Logged)
            for _, step in scenario.all_steps()
        )
        self._scenario, self._stage = scenario, stage
        self._bearings = Bearings(stage, reads_lines=reads_lines)
        self._waits = Waits(stage, self._bearings)
        self._faults: dict[str, int] = {}  # open ones by name, oldest first: their ids
        self._results: dict[str, Result] = {}
        self._later: dict[str, asyncio.Task[str]] = {}
        self._taken: list[Taken] = []
        self._reached = False
        self._why = "the run ended before its script did"

    @property
    def played(self) -> Played:
        return Played(
            reached=self._reached,
            why="" if self._reached else self._why,
            steps=tuple(self._taken),
            results=dict(self._results),
            names=dict(self._bearings.names),
        )

    async def play(self) -> None:
        """Take all steps. What was not reached is in `played`, and raises nothing."""
        try:
            await self._sequence(self._scenario.steps, "")
            for name in self._later:
                await self._ended(name)
            self._reached = True
        except NotReached as wrong:
            self._why = str(wrong)
        finally:
            await _all_ended(list(self._later.values()))

    async def _sequence(self, steps: Sequence[Step], before: str) -> None:
        since = await self._bearings.now()
        for place, step in enumerate(steps, 1):
            began = await self._bearings.now()
            await self._take(f"{before}{place}", step, since)
            since = await self._bearings.now() if isinstance(step, Wait) else began

    async def _take(self, number: str, step: Step, since: Since) -> None:
        began_s = self._bearings.now_s()
        try:
            found = await self._found(number, step, since)
        except (NotReached, Nobody) as wrong:
            if isinstance(step, Together):
                raise  # the inner step has said all
            self._note(number, step, began_s, f"not reached: {wrong}")
            raise NotReached(f"step {number} ({told(step)}): {wrong}") from wrong
        self._note(number, step, began_s, found)

    async def _found(self, number: str, step: Step, since: Since) -> str:
        match step:
            case Wait():
                return await self._waits.wait(number, step, since)
            case Do():
                return await self._do(number, step)
            case Await():
                return "; ".join([await self._ended(name) for name in step.operations])
            case Break():
                return await self._break(number, step)
            case Heal():
                return await self._heal(step)
            case Let():
                return await self._let(number, step)
            case Together():
                branches = enumerate(step.branches, 1)
                await _side_by_side([self._sequence(b, f"{number}.{at}.") for at, b in branches])
                return ""

    async def _let(self, number: str, step: Let) -> str:
        names = self._bearings.names
        for name, expression in step.names.items():
            names[name] = await self._bearings.nodes(expression, number, name)
        return ", ".join(f"{name} is {' '.join(names[name])}" for name in step.names)

    async def _break(self, number: str, step: Break) -> str:
        view = await self._bearings.view(*expressions(step.fault))
        random = self._bearings.random(number)
        fault = resolved(step.fault, view, self._bearings.names, random)
        id_, found = await self._stage.disruption.begin(fault)
        self._faults[step.into or tag(fault)] = id_
        if not found.in_effect:
            raise NotReached(f"{describe(fault)} was not seen in effect: {found.observed}")
        return describe(fault)

    async def _heal(self, step: Heal) -> str:
        names = step.faults or tuple(self._faults)[::-1]
        for name in names:
            id_ = self._faults.pop(name, None)
            found = None if id_ is None else await self._stage.disruption.end(id_)
            if found is not None and not found.in_effect:
                raise NotReached(f"{name} was not seen undone: {found.observed}")
        return ", ".join(names)

    async def _do(self, number: str, step: Do) -> str:
        began_ns = self._bearings.now_ns()
        order = await self._ordered(step, number)
        if not step.later:
            return await self._done(number, step, order, began_ns)
        await order.begun  # it has left before anything that follows
        task = asyncio.create_task(self._done(number, step, order, began_ns))
        self._later[step.into or step.f] = task
        return f"goes on at {order.node}"

    async def _ordered(self, step: Do, *draw: str) -> Order:
        node = await self._bearings.node(step.at, *draw)
        request = Request(step.f, step.value, step.key)
        return self._stage.loop.perform(request, node, self._stage.first)

    async def _done(self, number: str, step: Do, order: Order, began_ns: int) -> str:
        """Do it until it ends as expected, or the time for that is over."""
        attempt = 1
        while True:
            result = self._results[step.into or step.f] = _result(await order.done)
            if _as_expected(step, result):
                return result.told()
            if self._bearings.now_ns() - began_ns >= round(step.again_s * NS_PER_S):
                raise NotReached(f"it ended in {result.told()}")
            await sleep(self._stage.clock, AGAIN_S)
            attempt += 1
            order = await self._ordered(step, number, str(attempt))

    async def _ended(self, name: str) -> str:
        try:
            return f"{name}: {await self._later[name]}"
        except (NotReached, Nobody) as wrong:
            raise NotReached(f"{name}: {wrong}") from wrong

    def _note(self, number: str, step: Step, began_s: float, found: str) -> None:
        self._taken.append(Taken(number, told(step), began_s, self._bearings.now_s(), found))


def _result(ended: Operation) -> Result:
    error = "" if ended.error is None else ended.error.code
    assert ended.type != "invoke", "the future of an order is its completion"
    return Result(ended.type, ended.value, ended.node or "", ended.index, error)


def _as_expected(step: Do, result: Result) -> bool:
    expect = step.expect
    if expect is None:
        return True
    if result.outcome != expect.outcome:
        return False
    return expect.value is msgspec.UNSET or freeze(expect.value) == freeze(result.value)


async def _side_by_side(branches: Sequence[Coroutine[Any, Any, None]]) -> None:
    """All at once; the first that raises ends the others."""
    tasks = [asyncio.create_task(branch) for branch in branches]
    try:
        await asyncio.gather(*tasks)
    finally:
        await _all_ended(tasks)


async def _all_ended(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
