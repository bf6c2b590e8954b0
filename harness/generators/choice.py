"""Generators that choose among several.

Rules
1. A member that is pending never holds up the others: the choice falls on the next member that can
   act now. Only if none can does the choice wait, until the first of them is due.
2. An exhausted member is left out and the weights of the others stand; the choice is exhausted when
   all members are.
3. Every member is told of every event, whoever caused it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random

import msgspec

from checkers.history import Operation
from harness.generators.contract import Answer, Context, Generator, Invocation, Pending, sooner
from harness.generators.sources import NOTHING

# A chosen answer, the index of the member it is of, and that member's successor.
Choice = tuple[Answer, int, Generator]


def first_ready(order: Iterable[int], ask: Callable[[int], tuple[Answer, Generator]]) -> Choice:
    """Ask members in `order` until one can act now. If none can, Pending until the first is due;
    None if all are exhausted. With these two the index and the successor mean nothing."""
    waits: Pending | None = None
    for at in order:
        answer, after = ask(at)
        if isinstance(answer, Invocation):
            return answer, at, after
        waits = sooner(waits, answer)
    return waits, -1, NOTHING


class _Weighted(msgspec.Struct, frozen=True):
    weights: tuple[float, ...]
    members: tuple[Generator, ...]

    def op(self, context: Context) -> tuple[Answer, Generator]:
        exhausted: list[int] = []

        def ask(at: int) -> tuple[Answer, Generator]:
            answer, after = self.members[at].op(context)
            if answer is None:
                exhausted.append(at)
            return answer, after

        order = by_weight(self.weights, context.random)
        answer, at, after = first_ready(order, ask)
        if not isinstance(answer, Invocation):
            return answer, self
        members = put(self.members, at, after)
        if not exhausted:
            return answer, _Weighted(self.weights, members)
        alive = [i for i in range(len(members)) if i not in exhausted]
        weights = tuple(self.weights[i] for i in alive)
        return answer, _Weighted(weights, tuple(members[i] for i in alive))

    def update(self, context: Context, event: Operation) -> Generator:
        members = told(self.members, context, event)
        return self if members is self.members else _Weighted(self.weights, members)


def weighted(*members: tuple[float, Generator]) -> Generator:
    """For each operation one of the members by chance, as often as its weight says."""
    for weight, _ in members:
        if weight <= 0:
            raise ValueError(f"weighted takes weights above 0, got {weight}")
    return _Weighted(tuple(float(w) for w, _ in members), tuple(m for _, m in members))


def mix(*members: Generator) -> Generator:
    """For each operation one of the members by chance, all alike."""
    return weighted(*((1.0, member) for member in members))


def put(members: tuple[Generator, ...], at: int, member: Generator) -> tuple[Generator, ...]:
    """`members` with another one at `at`; the same tuple if it is the same one."""
    if members[at] is member:
        return members
    return (*members[:at], member, *members[at + 1 :])


def told(
    members: tuple[Generator, ...], context: Context, event: Operation
) -> tuple[Generator, ...]:
    """The members after all have seen the event; the same tuple if none has changed."""
    after = members
    for at, member in enumerate(members):
        after = put(after, at, member.update(context, event))
    return after


def by_weight(weights: Sequence[float], random: Random) -> Iterator[int]:
    """Every index once, in an order by chance and weight; draws only as far as it is asked."""
    left = list(range(len(weights)))
    while left:
        draw = random.random() * sum([weights[i] for i in left])
        chosen = left[-1]
        for at in left:
            draw -= weights[at]
            if draw < 0:
                chosen = at
                break
        left.remove(chosen)
        yield chosen
