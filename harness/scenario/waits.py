"""Waiting for what a scenario waits for, and saying what was seen where it does not come.

Rules
1. Operations are waited for by being told of them, all else by looking every POLL_S seconds. What
   is to come right after an acknowledgement comes in the same turn of the event loop.
2. Who is meant is settled when the wait begins, and stays.
3. No wait outlives the time limit of the trial.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from checkers.history import Operation, freeze
from harness.clock import NS_PER_S, sleep
from harness.scenario.bearings import Bearings, NotReached, Since, Stage
from harness.scenario.lines import Mark
from harness.scenario.names import leader_of
from harness.scenario.values import Elapsed, Leader, Logged, Passed, Ready, State, Wait

POLL_S = 0.02
LINE_MAX = 200  # characters of a line that matched which are told

Probe = Callable[[], Awaitable[tuple[bool, str]]]  # does it hold, and what was seen


class Waits:
    """The waits of one play."""

    def __init__(self, stage: Stage, bearings: Bearings) -> None:
        self._stage, self._bearings = stage, bearings
        self._waiters: list[asyncio.Future[None]] = []
        stage.loop.listen(self._hear)

    def _hear(self, invocation: Operation, completion: Operation) -> None:
        self._bearings.heard.append((invocation, completion))
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, number: str, step: Wait, since: Since) -> str:
        """What was seen when the condition held. Raises NotReached, Nobody."""
        condition = step.condition
        if isinstance(condition, Elapsed):
            return await self._elapse(condition, number)
        if isinstance(condition, Passed):
            nodes = await self._all_or_none(condition.at, number)
            probe = partial(self._passed, condition, nodes, since.operations)
            return await self._until(probe, step.within_s, by_ear=True)
        if isinstance(condition, Leader):
            former = await self._all_or_none(condition.than or None, number) or ()
            return await self._until(partial(self._leads, condition, former), step.within_s)
        nodes = await self._bearings.nodes(condition.at, number)
        match condition:
            case Logged():
                probe = partial(self._logged, condition, nodes, since.lines)
            case Ready():
                probe = partial(self._serve, nodes)
            case State():
                probe = partial(self._are, condition, nodes)
        return await self._until(probe, step.within_s)

    async def _all_or_none(self, expression: str | None, number: str) -> tuple[str, ...] | None:
        return None if expression is None else await self._bearings.nodes(expression, number)

    async def _elapse(self, condition: Elapsed, number: str) -> str:
        length_s = self._bearings.random(number).uniform(condition.least_s, condition.most_s)
        left_s = self._stage.time_limit_s - self._bearings.now_s()
        await sleep(self._stage.clock, max(0.0, min(length_s, left_s)))
        if length_s > left_s:
            raise NotReached(self._out_of_time())
        return f"{length_s:.3f} s"

    async def _until(self, probe: Probe, within_s: float, *, by_ear: bool = False) -> str:
        """Look until it holds; what was seen then. `by_ear`: only operations change it."""
        limit_s = min(self._bearings.now_s() + within_s, self._stage.time_limit_s)
        end_ns = round(limit_s * NS_PER_S)
        while True:
            holds, seen = await probe()
            if holds:
                return seen
            now_ns = self._bearings.now_ns()
            if now_ns >= end_ns:
                last = limit_s == self._stage.time_limit_s
                out = self._out_of_time() if last else f"not within {within_s:g} s"
                raise NotReached(f"{out}; {seen}")
            next_ns = end_ns if by_ear else min(end_ns, now_ns + round(POLL_S * NS_PER_S))
            await self._pause(next_ns, by_ear=by_ear)

    async def _pause(self, until_ns: int, *, by_ear: bool) -> None:
        """Until then; with `by_ear` until an operation has ended, if that is sooner."""
        waiter = asyncio.get_running_loop().create_future()
        wakeup = self._stage.clock.call_at(
            until_ns, lambda: None if waiter.done() else waiter.set_result(None)
        )
        if by_ear:
            self._waiters.append(waiter)
        try:
            await waiter
        finally:
            wakeup.cancel()
            if by_ear:
                self._waiters.remove(waiter)

    async def _leads(self, condition: Leader, former: Sequence[str]) -> tuple[bool, str]:
        view = await self._stage.disruption.view(leaders=True)
        seen = f"leading: {' '.join(view.leaders) or 'nobody known'}"
        if condition.becomes == "none":
            return not view.leaders, seen
        leaders = tuple(node for node in view.leaders if node not in former)
        leader = leader_of(msgspec.structs.replace(view, leaders=leaders))
        if leader is not None and condition.into:
            self._bearings.names[condition.into] = (leader,)
        return leader is not None, seen

    async def _passed(
        self, condition: Passed, nodes: Sequence[str] | None, since: int
    ) -> tuple[bool, str]:
        heard = self._bearings.heard[since:]
        count = sum(_suits(condition, nodes, asked, ended) for asked, ended in heard)
        return count >= condition.operations, f"{count} of {condition.operations} operations"

    async def _logged(
        self, condition: Logged, nodes: Sequence[str], since: Mark
    ) -> tuple[bool, str]:
        written = 0
        for node in nodes:
            lines = await self._stage.lines.since(since, node)
            written += len(lines)
            line = next((line for line in lines if re.search(condition.pattern, line)), None)
            if line is not None:
                if condition.into:
                    self._bearings.names[condition.into] = (node,)
                return True, f"{node}: {line[:LINE_MAX]}"
        return False, f"none of {written} lines of {' '.join(nodes)} matches"

    async def _serve(self, nodes: Sequence[str]) -> tuple[bool, str]:
        not_ready = [node for node in nodes if not await self._stage.ready(node)]
        seen = f"not ready: {' '.join(not_ready)}" if not_ready else f"ready: {' '.join(nodes)}"
        return not not_ready, seen

    async def _are(self, condition: State, nodes: Sequence[str]) -> tuple[bool, str]:
        view = await self._stage.disruption.view(leaders=False)
        states = {node: view.states.get(node, "running") for node in nodes}
        seen = ", ".join(f"{node} {found}" for node, found in states.items())
        return all(found == condition.state for found in states.values()), seen

    def _out_of_time(self) -> str:
        return f"the time limit of the trial, {self._stage.time_limit_s:g} s, was over"


def _suits(
    condition: Passed, nodes: Sequence[str] | None, asked: Operation, ended: Operation
) -> bool:
    return (
        condition.outcome in (None, ended.type)
        and condition.f in (None, ended.f)
        and (nodes is None or ended.node in nodes)
        and (condition.key is None or freeze(condition.key) == freeze(asked.key))
        and (
            condition.value is None
            or freeze(condition.value) in (freeze(asked.value), freeze(ended.value))
        )
    )
