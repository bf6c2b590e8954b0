"""A stage for scenarios in virtual time: the cluster that lives in memory, and clients that are
told how to answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from checkers.history import Error, Operation
from harness.contracts import Completion
from harness.disruption import Disruption
from harness.generators import NOTHING
from harness.loop import Loop
from harness.scenario import Scenario, Step
from harness.scenario.bearings import Stage
from harness.scenario.lines import TraceLines
from harness.scenario.load import beside
from harness.scenario.outcome import Played
from harness.scenario.player import Player
from harness.simulation.loop import VirtualClock, VirtualLoop
from harness.store.journal import MemoryJournal
from nemesis.ledger import NoEntries
from nemesis.schedule import Schedule
from tests.harness.fake_cluster import NODES, FakeCluster

ANSWER_S = 0.01
FIRST = 5  # workers of a load that does nothing, one at each node

Answer = Callable[[Operation], Completion]


def agree(operation: Operation) -> Completion:
    return Completion("ok", operation.value)


class _Client:
    def __init__(self, theatre: Theatre) -> None:
        self._theatre = theatre

    async def open(self) -> None: ...

    async def invoke(self, operation: Operation) -> Completion:
        await asyncio.sleep(self._theatre.answer_s)
        return self._theatre.answer(operation)

    async def close(self) -> None: ...


class Theatre:
    """What a play needs, and what it left. `at(s, act)`: what happens meanwhile."""

    def __init__(self, *, leaders: Sequence[str] = ("n2",), answer: Answer = agree) -> None:
        self.cluster = FakeCluster(leaders=leaders)
        self.answer, self.answer_s = answer, ANSWER_S
        self.unready: set[str] = set()
        self.lines: list[bytes] = []
        self.journal = MemoryJournal()
        self._plans: list[tuple[float, Callable[[], None]]] = []
        self.ended_s = 0.0

    def at(self, at_s: float, act: Callable[[], None]) -> None:
        self._plans.append((at_s, act))

    def lead(self, *nodes: str) -> Callable[[], None]:
        return lambda: setattr(self.cluster, "_leaders", nodes)

    def say(self, node: str, text: str) -> Callable[[], None]:
        line = f'{{"node":"{node}","text":"{text}"}}'.encode()
        return lambda: self.lines.append(line)

    def play(self, *steps: Step, time_limit_s: float = 60.0, seed: int = 7) -> Played:
        scenario = Scenario(name="play", steps=steps)
        found: list[Played] = []
        world = VirtualLoop()

        async def main() -> None:
            clock = VirtualClock(world)
            for at_s, act in self._plans:
                world.call_later(at_s, act)
            loop = self._loop(clock, FIRST + scenario.lanes() * len(NODES))
            disruption = Disruption(
                self.cluster,  # type: ignore[arg-type]
                Schedule(0.0, seed),
                journal=lambda f, value, _: _noted(loop, f, value),
                ledger=NoEntries(),
                clock=clock,
            )
            stage = Stage(
                seed=seed,
                time_limit_s=time_limit_s,
                first=FIRST,
                loop=loop,
                disruption=disruption,
                clock=clock,
                lines=TraceLines(lambda: self.lines),
                ready=self._ready,
            )
            player = Player(scenario, stage)
            breaking = asyncio.create_task(disruption.run(player.play))
            await loop.run(beside(FIRST, NOTHING), breaking)
            await breaking
            await loop.close()
            self.ended_s = world.time()
            found.append(player.played)

        try:
            world.run_until_complete(main())
        finally:
            world.end_tasks()
            world.close()
        return found[0]

    async def _ready(self, node: str) -> bool:
        return node not in self.unready

    def _loop(self, clock: VirtualClock, workers: int) -> Loop:
        return Loop(
            journal=self.journal,
            clock=clock,
            nodes=NODES,
            workers=workers,
            client=lambda _node: _Client(self),
            seed=1,
            operation_limit_s=3.0,
        )

    def clients(self) -> list[Operation]:
        return [o for o in self.journal.operations if o.by_client]

    def faults(self) -> list[tuple[str, float]]:
        """What was begun and undone, with the second in which it was ordered."""
        told = [o for o in self.journal.operations if not o.by_client and "id" in o.value]
        return [(o.f, round(o.time / 1e9, 3)) for o in told if "observed" not in o.value]


def _noted(loop: Loop, f: str, value: Any) -> None:
    loop.journal_nemesis(f, value)


def failing(code: str, *, times: int = 1_000_000) -> Answer:
    """So many times the error, then agreement."""
    left = [times]

    def answer(operation: Operation) -> Completion:
        left[0] -= 1
        return Completion("fail", error=Error(code)) if left[0] >= 0 else agree(operation)

    return answer
