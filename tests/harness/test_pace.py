"""The depth scheduler: ranks, changes, and the bound that they are drawn for."""

from __future__ import annotations

from random import Random

from harness.simulation.choices import Choices
from harness.simulation.pace import JITTER_US, UNITS_US, Ranks

NODES = ("n1", "n2", "n3")


def _waits(ranks: Ranks) -> dict[str, int]:
    return dict(ranks._waits_us)


def test_nodes_wait_by_their_places() -> None:
    """The first does not wait, the others by one unit more each; every frame has some jitter."""
    ranks = Ranks(NODES, 0, 100, Choices(1))
    waits = _waits(ranks)
    unit = sorted(waits.values())[1]
    assert unit in UNITS_US
    assert [0, unit, 2 * unit] == sorted(waits.values())
    for node in NODES:
        extra = ranks.extra_us(("n9", node), Random(1)) - waits[node]
        assert 0 <= extra < JITTER_US


def test_at_a_change_the_receiver_becomes_the_last() -> None:
    """With one change in one frame, who hears the first frame waits longest from then on."""
    for seed in range(20):
        ranks = Ranks(NODES, 1, 1, Choices(seed))
        first = min(_waits(ranks), key=_waits(ranks).__getitem__)
        ranks.extra_us(("n9", first), Random(1))
        assert first == max(_waits(ranks), key=_waits(ranks).__getitem__)


def test_low_priorities_are_dealt_by_chance() -> None:
    """Of two changes the later one need not give the lower priority: the bound rests on it."""
    orders = set()
    for seed in range(60):
        ranks = Ranks(NODES, 2, 2, Choices(seed))
        if len(ranks._changes) == 2:
            orders.add(ranks._changes[0] < ranks._changes[1])
    assert {True, False} == orders


def test_every_order_and_every_moment_is_drawn() -> None:
    """n! orders of the start, and each frame as the moment of a change: none is impossible."""
    orders, moments = set(), set()
    for seed in range(300):
        ranks = Ranks(NODES, 1, 10, Choices(seed))
        orders.add(tuple(sorted(NODES, key=ranks._priority.__getitem__)))
        moments |= set(ranks._changes)
    assert 6 == len(orders)
    assert set(range(10)) == moments


def test_the_plainest_numbers_are_a_run_without_waits_of_chance() -> None:
    """All zeros: the order of the names and the shortest unit, for shrinking."""
    ranks = Ranks(NODES, 0, 100, Choices(1, given={}))
    unit = UNITS_US[0]
    assert {"n1": 0, "n2": unit, "n3": 2 * unit} == _waits(ranks)
