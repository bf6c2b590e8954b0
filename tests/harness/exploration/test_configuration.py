"""Configurations and events: what can happen, and what it leaves behind (T30, T31)."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from harness.exploration.chance import UnboundedChoice
from harness.exploration.configuration import (
    Asking,
    Crash,
    Firing,
    Limits,
    NotApplicable,
    Receipt,
    Start,
    System,
    Word,
    World,
    describe,
)
from harness.machine import Deliver, Effect, Event, Machine, Recover, Send
from tests.harness.exploration.toys import Rememberer, Tosser, Watcher, alone, decide, voting


def outcomes(world: World) -> set[tuple[object, ...]]:
    """What can be decided, in all configurations that can be reached."""
    seen, frontier = {world.initial}, [world.initial]
    while frontier:
        for _, after in world.moves(frontier.pop()):
            if after not in seen:
                seen.add(after)
                frontier.append(after)
    return {world.decided(configuration) for configuration in seen}


def test_t31_an_event_is_a_receipt_with_its_step() -> None:
    """The message leaves the buffer, the process changes, and what it sent is in the buffer."""
    world = World(voting(1))
    [event] = world.applicable(world.initial)
    assert world.event(event) == Receipt(process="v0", src="chair", message="vote")
    after = world.apply(world.initial, event)
    [vote] = world.in_flight(after)
    assert (1, 0, {"vote of": "v0"}) == (vote.src, vote.dst, vote.message)


def test_an_event_that_cannot_happen_is_refused() -> None:
    """A message is received once."""
    world = World(voting(1))
    [event] = world.applicable(world.initial)
    with pytest.raises(NotApplicable, match="v0 receives 'vote' from chair"):
        world.run(world.initial, [event, event])


def test_nothing_is_always_applicable_and_changes_nothing() -> None:
    """FLP's (p, nothing)."""
    world = World(voting(1))
    idle = world.nothing("v0")
    assert world.apply(world.initial, idle) == world.initial
    assert describe(world.event(idle)) == "v0 takes a step without input"
    assert idle not in world.applicable(world.initial)


def test_a_duplicate_costs_its_budget() -> None:
    """It is received, and stays in flight; not twice if one duplicate is all there may be."""
    world = World(voting(1), Limits(duplicates=1))
    [once, twice] = sorted(world.applicable(world.initial), key=describe_length(world))
    after = world.run(world.initial, [twice])
    assert once in world.applicable(after)
    assert twice not in world.applicable(after)


def describe_length(world: World) -> object:
    return lambda event: len(describe(world.event(event)))


def test_what_was_persisted_survives_a_crash_and_nothing_else() -> None:
    """Records come back as a host reads them: plain values, a tuple as a list."""
    system = System(processes=("p",), build=lambda *_: Rememberer(), requests={"p": [{"keep": 7}]})
    world = World(system, Limits(crashes=1))
    asked = world.apply(world.initial, find(world, world.initial, Asking))
    down = world.apply(asked, find(world, asked, Crash))
    assert world.local(down, "p").machine is None
    again = world.apply(down, find(world, down, Start))
    assert (7,) == world.decided(again)
    assert ([7],) == world.local(again, "p").stored
    assert Crash not in {type(world.event(event)) for event in world.applicable(again)}


def find(world: World, configuration: tuple[int, ...], kind: type) -> int:
    [event] = [e for e in world.applicable(configuration) if isinstance(world.event(e), kind)]
    return event


def test_the_detector_tells_all_others() -> None:
    """Fail-stop (T4): word of a crash is on its way to everyone else; without a detector none."""
    build = {"p": Rememberer, "q": Watcher}
    system = System(processes=("p", "q"), build=lambda name, _: build[name](), detector=True)
    world = World(system, Limits(crashes=1))
    assert {
        (),
        ("p is down",),
        ("p is up",),
        ("p is down", "p is up"),
        ("p is up", "p is down"),
    } == ({values for values in outcomes(world) if all("p is" in str(value) for value in values)})
    blind = System(processes=("p", "q"), build=lambda name, _: build[name]())
    assert {()} == outcomes(World(blind, Limits(crashes=1)))
    assert "p hears from the detector that q stopped" == describe(
        Word(process="p", node="q", up=False)
    )


def test_a_toss_branches() -> None:
    """A coin is two events with the same cause; the draw is part of the event. The length of a
    wait is no coin."""
    world = World(alone(lambda _, rng: Tosser(rng)), Limits(timeouts=1))
    assert {(), ("heads",), ("tails",)} == outcomes(world)
    events = [world.event(event) for event in world.applicable(world.initial)]
    assert [
        Firing(process="p", name="toss", draws=(0,)),
        Firing(process="p", name="toss", draws=(1,)),
    ] == events


class Drawer:
    """Draws in each of the ways there are, and decides what it drew."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        if isinstance(event, Recover):
            return [Send("p", None)]
        order = ["a", "b"]
        self._rng.shuffle(order)
        drawn = (self._rng.choice("xy"), self._rng.getrandbits(1), self._rng.randint(3, 4))
        return [decide("".join((*order, *map(str, drawn))))]


def test_every_combination_of_draws_is_one_event() -> None:
    """Two to the fourth."""
    world = World(alone(lambda _, rng: Drawer(rng)))
    expected = {(f"{o}{c}{b}{i}",) for o in ("ab", "ba") for c in "xy" for b in "01" for i in "34"}
    assert {(), *expected} == outcomes(world)


class Gambler(Drawer):
    """Draws from too many."""

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        start = isinstance(event, Recover)
        return [Send("p", None)] if start else [decide(self._rng.randrange(999))]


def test_a_choice_too_large_to_branch_is_refused() -> None:
    """Not sampled: an exploration that tried some of the outcomes would not be complete."""
    world = World(alone(lambda _, rng: Gambler(rng)))
    with pytest.raises(UnboundedChoice, match="999 outcomes"):
        world.moves(world.initial)


def test_lots_drawn_before_anything_happened_are_refused() -> None:
    """There is one initial configuration."""

    def build(_name: str, rng: Random) -> Machine:
        return Tosser(Random(rng.getrandbits(2)))

    with pytest.raises(UnboundedChoice, match="p draws lots"):
        World(alone(build))


class Lost:
    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        return [Send("nobody", 1)]


def test_a_message_to_nobody_is_a_mistake() -> None:
    """The error names sender, receiver and the processes there are."""
    with pytest.raises(ValueError, match="p sends to 'nobody', which is no process: p are"):
        World(alone(lambda *_: Lost()))


class Changer:
    """Changes the message it is given, as no machine should have to fear."""

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        if isinstance(event, Recover):
            return [Send("p", [1]), Send("p", [1])]
        assert isinstance(event, Deliver)
        event.message.append(2)
        return [decide(str(event.message))]


def test_messages_are_values() -> None:
    """A receiver that changes its copy changes no other, and a list arrives as a list."""
    assert {(), ("[1, 2]",)} == outcomes(World(alone(lambda *_: Changer())))
