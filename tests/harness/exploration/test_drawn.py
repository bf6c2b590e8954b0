"""The explorer against a slow obvious oracle, on random small protocols."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from harness.exploration.configuration import Limits, World
from harness.exploration.properties import agreement, possible
from harness.exploration.reduction import search_asleep
from harness.exploration.search import Order, search
from tests.harness.exploration.drawn import Oracle, Table, limits, system, tables

PROCESSES = 3
CONFIGURATIONS_MAX = 400

drawn = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much]
)


def explored(world: World) -> set[tuple[tuple[int, ...], ...]]:
    """The combinations of output registers of all configurations that can be reached."""
    seen, frontier = {world.initial}, [world.initial]
    while frontier:
        for _, after in world.moves(frontier.pop()):
            if after not in seen:
                seen.add(after)
                frontier.append(after)
    return {tuple(world.decisions(configuration).values()) for configuration in seen}


def small(table: Table, bounds: Limits) -> World:
    world = World(system(table, PROCESSES), bounds)
    found = search(world, configurations_max=CONFIGURATIONS_MAX)
    assume(found.complete)
    return world


@drawn
@given(tables(PROCESSES), limits, st.sampled_from(Order))
def test_the_search_finds_what_the_oracle_finds(table: Table, bounds: Limits, order: Order) -> None:
    """Configurations, transitions and ends are those of the definition, in either order."""
    world = small(table, bounds)
    oracle = Oracle(table, PROCESSES, bounds)
    found = search(world, order=order)
    assert (len(oracle.seen), oracle.transitions, oracle.terminal) == (
        found.configurations,
        found.transitions,
        found.terminal,
    )
    assert oracle.decisions() == explored(world)


@drawn
@given(tables(PROCESSES), limits)
def test_sleep_sets_find_the_same_with_fewer_transitions(table: Table, bounds: Limits) -> None:
    """Lemma 1 at work: the same configurations, ends and verdicts, and never more transitions."""
    world = small(table, bounds)
    rules = [agreement(), possible(0), possible(1)]
    plain, reduced = search(world, rules), search_asleep(world, rules)
    assert [j.outcome for j in plain.judgements] == [j.outcome for j in reduced.judgements]
    assert (plain.configurations, plain.terminal) == (reduced.configurations, reduced.terminal)
    assert reduced.transitions <= plain.transitions


@drawn
@given(tables(PROCESSES), limits)
def test_moot_receipts_can_be_left_out(table: Table, bounds: Limits) -> None:
    """A receipt that only takes the message away leads to nothing that is not possible without."""
    world = small(table, bounds)
    reduced = World(world.system, bounds, moot=False)
    assert explored(world) == explored(reduced)
    assert search(reduced).configurations <= search(world).configurations


@drawn
@given(tables(PROCESSES), limits)
def test_paths_are_runs(table: Table, bounds: Limits) -> None:
    """A schedule that is returned leads, event by event, to what it is returned for; breadth-first
    no other is shorter."""
    world = small(table, bounds)
    for search_by in (search, search_asleep):
        found = search_by(world, [possible(1)]).of("1 is possible")
        if found.schedule is not None:
            assert 1 in world.decided(world.run(world.initial, found.schedule))
    shortest = search(world, [possible(1)]).of("1 is possible").schedule
    assert _distance(world) == (None if shortest is None else len(shortest))


def _distance(world: World) -> int | None:
    """Events until 1 can be decided, by layers of sets."""
    layer, seen, depth = {world.initial}, {world.initial}, 0
    while layer:
        if any(1 in world.decided(configuration) for configuration in layer):
            return depth
        layer = {after for c in layer for _, after in world.moves(c)} - seen
        seen |= layer
        depth += 1
    return None


@drawn
@given(tables(PROCESSES), st.data())
def test_lemma_1_schedules_of_disjoint_processes_commute(table: Table, data: st.DataObject) -> None:
    """T34: if two schedules, applicable to a configuration, share no process, then either can
    follow the other and both orders end in the same configuration."""
    world = World(system(table, PROCESSES))
    configuration = world.initial
    for _ in range(data.draw(st.integers(0, 4))):
        moves = world.moves(configuration)
        if moves:
            configuration = data.draw(st.sampled_from(moves))[1]
    lone = data.draw(st.sampled_from(world.system.processes))
    one = _walk(world, configuration, data, {lone})
    other = _walk(world, configuration, data, set(world.system.processes) - {lone})
    assert world.run(configuration, [*one, *other]) == world.run(configuration, [*other, *one])


def _walk(
    world: World, configuration: tuple[int, ...], data: st.DataObject, actors: set[str]
) -> list[int]:
    schedule = []
    for _ in range(data.draw(st.integers(0, 4))):
        moves = [(e, c) for e, c in world.moves(configuration) if world.actor(e) in actors]
        if not moves:
            break
        event, configuration = data.draw(st.sampled_from(moves))
        schedule.append(event)
    return schedule
