"""Paths: a schedule as steps that the simulator plays again.

Rules
1. A message is named by its link and its number on it (harness.steps, rule 2). Of equal messages on
   one link the oldest is taken; a duplicate takes the same message twice.
2. Every process starts first, in order: in a configuration they have.
3. Draws are not steps: a machine that draws lots is to be given the same outcomes, see `draws`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness import steps
from harness.exploration.configuration import EventId, World
from harness.exploration.system import Asking, Crash, Firing, Nothing, Receipt, Start, Word

Link = tuple[int, int]


def as_steps(world: World, schedule: Iterable[EventId]) -> tuple[steps.Step, ...]:
    """The schedule, applied to the initial configuration, as steps. Raises NotApplicable, and
    ValueError for word of a failure detector, which no step can express."""
    post = _Post(world)
    found: list[steps.Step] = [steps.Start(node=name) for name in world.system.processes]
    configuration = world.initial
    for event in schedule:
        found.extend(_step(world, post, event))
        if event not in world.cells.idle:
            move = world.move(configuration, event)
            post.send(move.sent)
        configuration = world.apply(configuration, event)
    return tuple(found)


def draws(world: World, schedule: Iterable[EventId]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """What is drawn along a schedule: process and outcomes, of each event that draws."""
    events = (world.event(event) for event in schedule)
    return tuple((event.process, event.draws) for event in events if event.draws)


def _step(world: World, post: _Post, event: EventId) -> Sequence[steps.Step]:
    happened = world.event(event)
    node = happened.process
    if isinstance(happened, Receipt):
        number = post.take(world.cells.carried[event], happened.again)
        return [steps.Delivery(node=node, src=happened.src, number=number)]
    if isinstance(happened, Firing):
        return [steps.Firing(node=node, name=happened.name)]
    if isinstance(happened, Asking):
        return [steps.Asking(node=node, request=happened.request)]
    if isinstance(happened, Crash):
        return [steps.Crash(node=node)]
    if isinstance(happened, Start):
        return [steps.Start(node=node)]
    if isinstance(happened, Word):
        text = "a schedule with word of a failure detector cannot be told in steps"
        raise ValueError(f"{text}: {happened}")
    assert isinstance(happened, Nothing)
    return []


class _Post:
    """What was sent on each link, in order, and what of it is still in flight."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sent: dict[Link, int] = {}
        self._in_flight: dict[int, list[int]] = {}  # by message: its numbers, oldest first
        self.send(world.first_sent)

    def send(self, messages: Iterable[int]) -> None:
        for message in messages:
            src, dst, _, word = self._world.processes.envelopes[message]
            if not word:
                number = self._sent.get((src, dst), 0)
                self._sent[src, dst] = number + 1
                self._in_flight.setdefault(message, []).append(number)

    def take(self, message: int, again: bool) -> int:
        """The number of the oldest such message; `again`: it stays in flight."""
        numbers = self._in_flight[message]
        return numbers[0] if again else numbers.pop(0)
