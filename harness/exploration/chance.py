"""Chance: the randomness of machines as branches of the exploration.

Rules
1. A draw from a small finite choice (choice, shuffle, randrange, getrandbits, random) branches: the
   handler is run once for every sequence of outcomes, and the outcomes are part of the event.
2. random() has the outcomes declared by the system, a fair coin unless told otherwise: what a
   machine does must depend only on which side of its threshold the number falls.
3. uniform(a, b) gives a and does not branch: it draws the length of a wait, and there is no time
   here, a timer may fire whenever it is set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import TypeVar

from harness.exploration.freezing import Opaque

Result = TypeVar("Result")

FAIR_COIN = (0.25, 0.75)
OUTCOMES_MAX = 64


class UnboundedChoice(ValueError):
    """A machine drew from too many outcomes to try them all, or where no branch can begin."""


class Chance(Random, Opaque):
    """The generator of all machines of a system: it answers from a script."""

    def __init__(self, sides: Sequence[float] = FAIR_COIN) -> None:
        super().__init__(0)
        self._sides = tuple(sides)
        self._script: list[int] = []
        self._drawn: list[tuple[int, int]] = []  # outcome, out of how many

    def __deepcopy__(self, memo: dict[int, object]) -> Chance:
        return self

    def branches(self, run: Callable[[], Result]) -> Iterator[tuple[tuple[int, ...], Result]]:
        """Call `run` once for every sequence of outcomes; with each, what was drawn."""
        self._script = []
        while True:
            self._drawn = []
            result = run()
            yield tuple(outcome for outcome, _ in self._drawn), result
            while self._drawn and self._drawn[-1][0] == self._drawn[-1][1] - 1:
                self._drawn.pop()
            if not self._drawn:
                return
            self._script = [outcome for outcome, _ in self._drawn]
            self._script[-1] += 1

    def _draw(self, outcomes: int) -> int:
        if outcomes > OUTCOMES_MAX:
            raise UnboundedChoice(
                f"a machine drew one of {outcomes} outcomes; the explorer tries them all, and "
                f"tries at most {OUTCOMES_MAX}. Give the machine a smaller choice to explore."
            )
        if outcomes == 1:
            return 0
        position = len(self._drawn)
        outcome = self._script[position] if position < len(self._script) else 0
        self._drawn.append((outcome, outcomes))
        return outcome

    def random(self) -> float:
        return self._sides[self._draw(len(self._sides))]

    def getrandbits(self, k: int, /) -> int:
        return self._draw(1 << k)

    def _randbelow(self, n: int) -> int:  # what choice, shuffle, sample and randrange draw from
        return self._draw(n)

    def uniform(self, a: float, b: float) -> float:  # noqa: ARG002  (time does not branch)
        return a
