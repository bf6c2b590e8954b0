"""Schedules as steps: messages by link and number, whatever happened to them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.exploration.configuration import Limits, System, World
from harness.exploration.paths import as_steps, draws
from harness.machine import Effect, Event, Recover, Send
from harness.steps import Asking, Crash, Delivery, Firing, Start, Step, decode, encode
from tests.harness.exploration.toys import Rememberer, Tosser, Watcher, alone, voting


def schedule(world: World, *wanted: str) -> list[int]:
    """Events by how their lines of the story begin, applied one after another."""
    configuration, chosen = world.initial, []
    for beginning in wanted:
        [event] = [
            e for e in world.applicable(configuration) if world.tell([e])[0].startswith(beginning)
        ]
        chosen.append(event)
        configuration = world.apply(configuration, event)
    return chosen


class Twice:
    """Sends two equal messages, and one that is different between them."""

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        if isinstance(event, Recover):
            return [Send("p", "same"), Send("p", "other"), Send("p", "same")]
        return []


def steps_of(world: World, events: Sequence[int]) -> list[Step]:
    steps = as_steps(world, events)
    starts = len(world.system.processes)
    assert [Start(node=name) for name in world.system.processes] == list(steps[:starts])
    assert steps == decode(encode(steps))
    return list(steps[starts:])


def test_of_equal_messages_the_oldest_is_taken() -> None:
    """Their order is no matter; their numbers are."""
    world = World(alone(lambda *_: Twice()))
    events = schedule(world, "p receives 'same'", "p receives 'other'", "p receives 'same'")
    assert [Delivery(node="p", src="p", number=n) for n in (0, 1, 2)] == steps_of(world, events)


def test_a_duplicate_is_the_same_message_again() -> None:
    """The same number twice, and the next of its kind after it."""
    world = World(alone(lambda *_: Twice()), Limits(duplicates=1))
    lines = {world.tell([event])[0]: event for event in world.applicable(world.initial)}
    once = lines["p receives 'same' from p"]
    twice = lines["p receives 'same' from p; a duplicate stays in flight"]
    expected = [Delivery(node="p", src="p", number=n) for n in (0, 0, 2)]
    assert expected == steps_of(world, [twice, once, once])


def test_what_one_link_carries_is_not_counted_on_another() -> None:
    """The chair's first message to v1 is its number 0, whatever it sent to v0."""
    world = World(voting(2))
    events = schedule(world, "v1 receives", "chair receives", "v0 receives", "chair receives")
    assert [
        Delivery(node="v1", src="chair", number=0),
        Delivery(node="chair", src="v1", number=0),
        Delivery(node="v0", src="chair", number=0),
        Delivery(node="chair", src="v0", number=0),
    ] == steps_of(world, events)


def test_requests_crashes_starts_and_time_outs_are_steps() -> None:
    """A step without input is none."""
    request = {"keep": 7}
    system = System(processes=("p",), build=lambda *_: Rememberer(), requests={"p": [request]})
    world = World(system, Limits(crashes=1))
    events = [world.nothing("p"), *schedule(world, "p is asked", "p crashes", "p starts")]
    assert [Asking(node="p", request=request), Crash(node="p"), Start(node="p")] == steps_of(
        world, events
    )


def test_what_was_drawn_is_told_beside_the_steps() -> None:
    """The outcome of the toss, by process."""
    world = World(alone(lambda _, rng: Tosser(rng)), Limits(timeouts=1))
    tails = world.applicable(world.initial)[1]
    assert [Firing(node="p", name="toss")] == steps_of(world, [tails])
    assert (("p", (1,)),) == draws(world, [tails])


def test_word_of_a_detector_is_no_step() -> None:
    """The steps have no word for it, and none is left out silently."""
    system = System(processes=("p", "q"), build=lambda *_: Watcher(), detector=True)
    world = World(system, Limits(crashes=1))
    with pytest.raises(ValueError, match="failure detector"):
        as_steps(world, schedule(world, "p crashes", "q hears"))
