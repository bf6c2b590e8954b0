"""Symmetry: one configuration of each orbit, and the same verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from random import Random

import pytest

from harness.exploration.configuration import System, World
from harness.exploration.properties import sometimes
from harness.exploration.search import Outcome, search
from harness.exploration.symmetry import NotInterchangeable, Symmetry
from harness.machine import Effect, Event, Machine, Recover, Send
from tests.harness.exploration.toys import voting


def voters(world: World) -> Sequence[str]:
    return world.system.processes[1:]


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_orbits_are_counted_right(number: int) -> None:
    """Each voter's vote is to come, on its way, or counted. Of 3 to the n configurations those are
    one in which as many voters stand in each place: n+2 over 2 multisets."""
    world = World(voting(number))
    found = search(world, canonical=Symmetry(world, voters(world)))
    assert (3**number, comb(number + 2, 2)) == (search(world).configurations, found.configurations)


def test_sets_are_permuted_each_within_itself() -> None:
    """Two pairs: the product of their orbits, and more than the orbits of all four."""
    world = World(voting(4))
    names = voters(world)
    found = search(world, canonical=Symmetry(world, names[:2], names[2:]))
    assert comb(4, 2) ** 2 == found.configurations


def test_paths_found_under_symmetry_are_runs() -> None:
    """The search goes on from configurations that were really reached, not from their keys."""
    world = World(voting(3))
    rule = sometimes("counted", lambda view: len(view.local.machine.votes), lambda n: n[0] == 3)  # type: ignore[union-attr]
    judgement = search(world, [rule], canonical=Symmetry(world, voters(world))).of("counted")
    assert Outcome.HOLDS == judgement.outcome
    assert judgement.schedule is not None
    assert not world.in_flight(world.run(world.initial, judgement.schedule))


class Partial:
    """Not interchangeable: what it says depends on `bias`."""

    def __init__(self, bias: str) -> None:
        self._bias = bias

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        return [Send("p", f"q-{self._bias}")] if isinstance(event, Recover) else []


def system(*biases: str) -> System:
    by_name = dict(zip("pqr", biases, strict=False))

    def build(name: str, _rng: Random) -> Machine:
        return Partial(by_name[name])

    return System(processes=tuple(by_name), build=build)


@pytest.mark.parametrize(
    ("world", "group", "why"),
    [
        (World(system("x", "y")), "pq", "do not start alike"),
        (World(system("x", "x")), "pz", "'z' is no process"),
        (World(system("x", "x")), "pqp", "stands in two sets"),
        (
            World(System(processes=("p", "q"), build=system("x", "x").build, requests={"p": [{}]})),
            "pq",
            "not asked alike",
        ),
    ],
)
def test_a_wrong_declaration_is_refused(world: World, group: str, why: str) -> None:
    """Merging what differs would hide violations."""
    with pytest.raises(NotInterchangeable, match=why):
        Symmetry(world, group)


def test_a_name_inside_a_string_is_refused() -> None:
    """Its image would not be recognised: q-x stays q-x when q becomes r."""
    world = World(system("x", "x", "x"))
    with pytest.raises(NotInterchangeable, match="'q-x' contains the name"):
        search(world, canonical=Symmetry(world, "qr"))
