"""Who and when, while a scenario is played: what the names of its script stand for, and from where
on it counts.

Rule: chance is drawn from the seed of the run and the number of the step. A step that is added
changes nobody else's draw but of those after it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

import msgspec

from checkers.history import Operation
from harness.clock import NS_PER_S, Clock
from harness.disruption import Disruption
from harness.loop import Loop
from harness.scenario.lines import Lines, Mark
from harness.scenario.names import asks_leaders, nodes_of, one_of
from nemesis.targets import View


class NotReached(Exception):
    """The schedule did not come about. The message is what was seen."""


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """What a scenario is played on. `first`: the number of the first worker of the script.
    `ready`: does a node serve clients?"""

    seed: int
    time_limit_s: float
    first: int
    loop: Loop
    disruption: Disruption
    clock: Clock
    lines: Lines
    ready: Callable[[str], Awaitable[bool]]


class Since(msgspec.Struct, frozen=True):
    """From where on operations and lines count."""

    operations: int
    lines: Mark


class Bearings:
    """Of one play. `names`: what those bound so far stand for; `heard`: the operations that have
    ended, of anybody, each with its invocation."""

    def __init__(self, stage: Stage, *, reads_lines: bool) -> None:
        self.names: dict[str, tuple[str, ...]] = {}
        self.heard: list[tuple[Operation, Operation]] = []
        self._stage, self._reads_lines = stage, reads_lines

    async def nodes(self, expression: str, *draw: str) -> tuple[str, ...]:
        """Raises Nobody. `draw`: what the draw is named by, the number of the step first."""
        view = await self.view(expression)
        return nodes_of(expression, view, self.names, self.random(*draw))

    async def node(self, expression: str, *draw: str) -> str:
        """One of them. Raises Nobody."""
        view = await self.view(expression)
        return one_of(expression, view, self.names, self.random(*draw))

    async def view(self, *expressions: str) -> View:
        """The cluster, as far as these expressions ask."""
        return await self._stage.disruption.view(leaders=any(map(asks_leaders, expressions)))

    def random(self, *draw: str) -> Random:
        return Random("/".join((str(self._stage.seed), "script", *draw)))

    async def now(self) -> Since:
        return Since(len(self.heard), await self._stage.lines.mark() if self._reads_lines else {})

    def now_ns(self) -> int:
        return self._stage.clock.now_ns()

    def now_s(self) -> float:
        return round(self.now_ns() / NS_PER_S, 9)
