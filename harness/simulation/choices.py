"""Choices: everything that is decided by chance in a simulated world, as numbers.

Rules
1. Whatever the world decides by chance is a whole number drawn from a named stream, and recorded.
   The streams follow from one seed; each has a generator of its own, so that what one part of the
   world draws does not shift what the others do.
2. Given numbers are used before any is drawn. Where they end, 0 follows: of all that could happen
   the plainest (the shortest delay, nothing lost, the first of several). A run can therefore be
   made plainer by dropping numbers, which is how failures are made small. The randomness of
   machines is drawn from the seed where none is given, or none any more: nodes that all take the
   least of their random time-outs would stand for election together, for ever.
3. The same seed and the same given numbers are the same run, in any process and Python version:
   generators are seeded by text, whose hash does not depend on the process.

Sources: replaying a sequence of choices rather than a structure is Hypothesis's design (MacIver and
Donaldson 2020, "Test-case reduction via test-case generation").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

Given = Mapping[str, Sequence[int]]

MACHINE = "machine "  # how the names of machines' streams begin
_UNIT_BITS = 32  # of a number that stands for a fraction
_UNITS = 1 << _UNIT_BITS


class Stream:
    """One part's choices, drawn. `taken` is what was decided so far."""

    __slots__ = ("implied", "random", "taken")

    def __init__(self, seed: str) -> None:
        self.taken: list[int] = []
        self.implied = False  # the seed alone says what was taken, in an explicit run as well
        self.random = Random(seed)

    def take(self, decide: Callable[[Random], int]) -> int:
        """The next number; `decide` draws it where none is given."""
        number = decide(self.random)
        self.taken.append(number)
        return number

    def fraction(self, of: int) -> int:
        """One of 0 ... of - 1, or 0: what `take` would draw so, for links, which draw most."""
        number = int(self.random.random() * of)
        self.taken.append(number)
        return number

    def below(self, end: int) -> int:
        """One of 0 ... end - 1; given numbers that are beyond count as if they had wrapped."""
        return self.take(lambda random: random.randrange(end)) % end


class GivenStream(Stream):
    """One part's choices, of which the first are given."""

    __slots__ = ("_given", "_then_drawn")

    def __init__(self, seed: str, given: Sequence[int], then_drawn: bool) -> None:
        super().__init__(seed)
        self._given, self._then_drawn = given, then_drawn

    def take(self, decide: Callable[[Random], int]) -> int:
        at = len(self.taken)
        if at < len(self._given):
            number = self._given[at]
        else:
            number = decide(self.random) if self._then_drawn else 0
        self.taken.append(number)
        return number

    def fraction(self, of: int) -> int:
        return self.take(lambda random: int(random.random() * of))


class Choices:
    """The streams of one run.

    `given`: numbers by stream; None draws all. `then_drawn`: where given numbers end, the rest is
    drawn from the seed instead of being 0.
    """

    def __init__(self, seed: int, given: Given | None = None, then_drawn: bool = False) -> None:
        self._seed = seed
        self._given = given
        self._then_drawn = then_drawn
        self._streams: dict[str, Stream] = {}

    def stream(self, name: str) -> Stream:
        """The stream of that name, always the same one."""
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = self._new(name)
        return stream

    def _new(self, name: str) -> Stream:
        seed = f"{self._seed}/{name}"
        given = () if self._given is None else self._given.get(name, ())
        own = name.startswith(MACHINE) and not given
        if self._given is None or own:
            drawn = Stream(seed)
            drawn.implied = own
            return drawn
        return GivenStream(seed, given, self._then_drawn or name.startswith(MACHINE))

    def taken(self) -> dict[str, list[int]]:
        """What was decided so far, by stream, and would not be decided the same without being
        given: zeros at an end and what machines drew from the seed are left out."""
        found = {
            # A machine goes on drawing where its numbers end, so its zeros have to be told.
            name: list(s.taken) if name.startswith(MACHINE) else _trimmed(s.taken)
            for name, s in sorted(self._streams.items())
            if not s.implied
        }
        return {name: numbers for name, numbers in found.items() if numbers}


def _trimmed(numbers: Sequence[int]) -> list[int]:
    end = len(numbers)
    while end and numbers[end - 1] == 0:
        end -= 1
    return list(numbers[:end])


class ChosenRandom(Random):
    """The randomness of a machine: what it draws are choices of the world."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        super().__init__(0)

    def random(self) -> float:
        return self._stream.take(_unit) / _UNITS

    def getrandbits(self, k: int) -> int:
        return self._stream.take(lambda random: random.getrandbits(k)) & ((1 << k) - 1)

    def seed(self, *_: object) -> None:
        """The stream has its seed already; Random's constructor calls this."""


def _unit(random: Random) -> int:
    return random.getrandbits(_UNIT_BITS)
