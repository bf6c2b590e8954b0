"""The explorer counts what another model checker counts, on the same protocol."""

from __future__ import annotations

from typing import Any

from harness.exploration.configuration import Configuration, World
from harness.exploration.search import search
from tests.harness.exploration.register_paxos import CLIENTS, REGISTER_PAXOS

PUBLISHED = 16_668  # unique states, Stateright's examples/paxos.rs, 2 clients and 3 servers


def completed(world: World, configuration: Configuration, client: str) -> int:
    machine: Any = world.local(configuration, client).machine
    return int(machine.completed)


def test_stateright_s_published_count() -> None:
    """Its states are our configurations, with the recorded history as one more component: for each
    client how much the other had completed when it invoked its get. It leaves out receipts that
    change nothing, as we do with moot=False."""
    world = World(REGISTER_PAXOS, moot=False)
    start = (world.initial, (None, None))
    seen: set[tuple[Configuration, tuple[int | None, ...]]] = {start}
    frontier: list[tuple[Configuration, tuple[int | None, ...]]] = [start]
    while frontier:
        configuration, invoked = frontier.pop()
        for _, after in world.moves(configuration):
            now = tuple(
                completed(world, after, other)
                if before is None and completed(world, after, client)
                else before
                for client, other, before in zip(CLIENTS, CLIENTS[::-1], invoked, strict=True)
            )
            if (after, now) not in seen:
                seen.add((after, now))
                frontier.append((after, now))
    assert PUBLISHED == len(seen)
    assert PUBLISHED == search(world).configurations, "the history is one of the configuration"
