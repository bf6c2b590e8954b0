"""The shapes of partitions, each against what its name promises."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemesis.faults import CLIENT, Link
from nemesis.targets import majority
from nemesis.topologies import TOPOLOGIES, all_links, find, links_of

sizes = st.integers(3, 9)
seeds = st.integers(0, 1000)


def names(n: int) -> tuple[str, ...]:
    return tuple(f"n{i}" for i in range(1, n + 1))


def heard(links: tuple[Link, ...], nodes: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """Whom each node hears, itself included: the slow, obvious way."""
    return {b: frozenset(a for a in nodes if (a, b) not in links) for b in nodes}


@given(sizes, seeds)
def test_in_the_majorities_ring_all_hear_a_majority_and_no_two_the_same(n: int, seed: int) -> None:
    """Every node hears exactly a majority, itself included; no two nodes hear the same."""
    nodes = names(n)
    views = heard(links_of("majorities-ring", nodes, (), Random(seed)), nodes)
    assert {node: majority(n) for node in nodes} == {node: len(v) for node, v in views.items()}
    assert n == len(set(views.values()))
    assert all(node in view for node, view in views.items())


@pytest.mark.parametrize("n", range(3, 24))
def test_the_majorities_ring_is_one_way_exactly_where_it_must_be(n: int) -> None:
    """Links are open one way only for n = 3, 7, 11, ..., where no symmetric ring exists."""
    nodes = names(n)
    cut = set(links_of("majorities-ring", nodes, (), Random(n)))
    one_way = {(a, b) for a, b in cut if (b, a) not in cut}
    assert (n % 4 == 3) == bool(one_way)


@given(st.integers(2, 9), seeds)
def test_halves_leave_no_way_across(n: int, seed: int) -> None:
    """Two groups of n // 2 and the rest: all links across are cut, none within."""
    nodes = names(n)
    for name in ("halves", "random-halves"):
        groups = set(heard(links_of(name, nodes, (), Random(seed)), nodes).values())
        assert sorted([n // 2, n - n // 2]) == sorted(len(g) for g in groups)
        assert set(nodes) == set().union(*groups)


def test_halves_are_the_first_nodes_against_the_last() -> None:
    """`halves` is not shuffled: the first n // 2 nodes stand against the rest."""
    views = heard(links_of("halves", names(5), (), Random(3)), names(5))
    assert frozenset({"n1", "n2"}) == views["n1"]


def test_ragged_cuts_leave_each_node_any_number_of_peers() -> None:
    """Over many draws a node hears none, some or all of its peers, about as often each; no draw
    cuts nothing or everything."""
    nodes = names(5)
    heard_by_n1 = [0] * 5
    for seed in range(500):
        cut = links_of("ragged", nodes, (), Random(seed))
        assert 0 < len(cut) < len(all_links(nodes))
        heard_by_n1[len(heard(cut, nodes)["n1"]) - 1] += 1
    assert all(70 <= times <= 130 for times in heard_by_n1), heard_by_n1


@given(sizes, seeds, st.data())
def test_isolate_and_split_differ_in_what_the_chosen_hear(
    n: int, seed: int, data: st.DataObject
) -> None:
    """Isolated nodes hear only themselves, split ones one another; the rest hear the rest."""
    nodes = names(n)
    chosen = tuple(data.draw(st.lists(st.sampled_from(nodes), min_size=1, unique=True)))
    rest = frozenset(nodes) - set(chosen)
    alone = heard(links_of("isolate", nodes, chosen, Random(seed)), nodes)
    together = heard(links_of("split", nodes, chosen, Random(seed)), nodes)
    assert {c: frozenset({c}) for c in chosen} == {c: alone[c] for c in chosen}
    assert {c: frozenset(chosen) for c in chosen} == {c: together[c] for c in chosen}
    for view in (alone, together):
        assert dict.fromkeys(rest, rest) == {node: view[node] for node in rest}


@given(sizes, seeds)
def test_a_bridge_is_one_node_that_hears_all_between_two_sides(n: int, seed: int) -> None:
    """Exactly one node hears everyone; without it there are two sides that hear nobody across."""
    nodes = names(n)
    views = heard(links_of("bridge", nodes, (), Random(seed)), nodes)
    bridges = [node for node, view in views.items() if view == frozenset(nodes)]
    assert len(bridges) == 1
    sides = {view - set(bridges) for node, view in views.items() if node not in bridges}
    assert len(sides) == 2
    assert frozenset() == frozenset.intersection(*sides)


@given(sizes, seeds)
def test_one_way_cuts_are_open_in_the_other_direction(n: int, seed: int) -> None:
    """Of the one-way shapes, no link is cut in both directions, and some are cut."""
    nodes = names(n)
    for name in ("one-way", "unheard", "deaf", "mute", "answers-lost"):
        cut = set(links_of(name, nodes, nodes[:1], Random(seed)))
        assert cut
        assert not {(b, a) for a, b in cut} & cut


def test_the_deaf_are_heard_and_the_mute_hear() -> None:
    """`deaf` cuts what comes in, `mute` what goes out."""
    nodes = names(3)
    assert links_of("deaf", nodes, ("n2",), Random(1)) == (("n1", "n2"), ("n3", "n2"))
    assert links_of("mute", nodes, ("n2",), Random(1)) == (("n2", "n1"), ("n2", "n3"))


def test_the_unheard_hear_all_and_are_heard_by_one_another() -> None:
    """A group that is not heard stays a group; nothing that comes to it is cut."""
    views = heard(links_of("unheard", names(5), ("n1", "n2"), Random(1)), names(5))
    assert (frozenset(names(5)), frozenset({"n3", "n4", "n5"})) == (views["n2"], views["n3"])


@given(seeds)
def test_frayed_links_are_some_of_those_that_a_split_cuts(seed: int) -> None:
    """A split that heals link by link: never all of it, never nothing, never a link within a
    side."""
    split = set(links_of("split", names(5), ("n1", "n2"), Random(0)))
    assert set() < set(links_of("frayed", names(5), ("n1", "n2"), Random(seed))) < split


def test_only_clients_topologies_touch_clients() -> None:
    """A leader that is cut off is still reached by its clients: no other shape cuts their links."""
    nodes = names(5)
    touching = {
        name
        for name in TOPOLOGIES
        if any(CLIENT in link for link in links_of(name, nodes, nodes[:2], Random(2)))
    }
    assert {"clients", "answers-lost"} == touching
    both = (("n2", CLIENT), (CLIENT, "n2"))
    assert both == links_of("clients", nodes, ("n2",), Random(0))
    assert both[:1] == links_of("answers-lost", nodes, ("n2",), Random(0))


@given(st.sampled_from(sorted(TOPOLOGIES)), sizes, seeds)
def test_links_are_real_distinct_and_repeatable(name: str, n: int, seed: int) -> None:
    """No link leads from a node to itself or twice into the result; a seed repeats it."""
    nodes = names(n)
    links = links_of(name, nodes, nodes[:1], Random(seed))
    assert len(set(links)) == len(links)
    assert all(a != b and {a, b} <= {*nodes, CLIENT} for a, b in links)
    assert links == links_of(name, nodes, nodes[:1], Random(seed))


def test_all_links_are_both_directions_of_every_pair() -> None:
    """n nodes have n (n - 1) directed links."""
    assert len(set(all_links(names(5)))) == 20


def test_an_unknown_topology_gets_the_nearest_name() -> None:
    """A mistyped name is answered with what was probably meant."""
    with pytest.raises(ValueError, match="did you mean 'majorities-ring'"):
        find("majority-ring")
