"""Whom a fault hits."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemesis.targets import TARGETS, View, choose, majority, nodes_min, problem
from nemesis.topologies import between

FIVE = ("n1", "n2", "n3", "n4", "n5")


@given(st.integers(1, 40))
def test_two_majorities_meet(n: int) -> None:
    """A majority is the least size of which any two sets share a node."""
    assert 2 * majority(n) > n
    assert 2 * (majority(n) - 1) <= n


@pytest.mark.parametrize(
    ("target", "sizes"),
    [
        ("one", [1, 1, 1, 1, 1, 1, 1]),
        ("minority", [1, 1, 1, 2, 2, 3, 3]),
        ("minority-third", [1, 1, 1, 1, 1, 1, 2]),
        ("majority", [1, 2, 2, 3, 3, 4, 4]),
        ("all", [1, 2, 3, 4, 5, 6, 7]),
        ("leaders-minority", [1, 1, 1, 2, 2, 3, 3]),
        ("leaders-majority", [1, 2, 2, 3, 3, 4, 4]),
    ],
)
def test_sizes_for_one_to_seven_nodes(target: str, sizes: list[int]) -> None:
    """One less than a majority is half of an even number; a third is (n - 1) // 3; never none."""
    views = [View(nodes=tuple(f"n{i}" for i in range(n))) for n in range(1, 8)]
    assert sizes == [len(choose(target, view, Random(1)).nodes) for view in views]


@given(
    st.sampled_from(sorted(TARGETS)),
    st.dictionaries(st.sampled_from(FIVE), st.sampled_from(["running", "paused", "dead"])),
    st.lists(st.sampled_from(FIVE), unique=True),
    st.integers(0, 100),
)
def test_a_target_is_somebody_and_runs_where_anybody_does(
    target: str, states: dict[str, str], leaders: list[str], seed: int
) -> None:
    """At least one node, in the cluster's order, repeatable; only running ones, save for `all`."""
    view = View(nodes=FIVE, leaders=tuple(leaders), states=states)
    chosen = choose(target, view, Random(seed)).nodes
    assert chosen
    assert tuple(n for n in FIVE if n in chosen) == chosen
    assert chosen == choose(target, view, Random(seed)).nodes
    if target != "all" and view.running():
        assert set(chosen) <= set(view.running())


def test_leaders_are_a_subset_of_those_that_lead() -> None:
    """`leaders` draws a non-empty subset, and over seeds every one of them; without a note."""
    view = View(nodes=FIVE, leaders=("n2", "n4"))
    drawn = {choose("leaders", view, Random(seed)) for seed in range(50)}
    assert {("n2",), ("n4",), ("n2", "n4")} == {choice.nodes for choice in drawn}
    assert {""} == {choice.note for choice in drawn}


def test_without_a_leader_another_node_is_drawn_and_said() -> None:
    """No leader: one random node takes its place, and a note tells so."""
    choice = choose("leaders", View(nodes=FIVE), Random(5))
    assert len(choice.nodes) == 1
    assert f"no node is a leader now: {choice.nodes[0]} was drawn instead" == choice.note


@pytest.mark.parametrize("target", ["leaders-minority", "leaders-majority"])
def test_groups_with_a_leader_have_one(target: str) -> None:
    """The minority or majority around the leader contains it, whoever else is drawn."""
    view = View(nodes=FIVE, leaders=("n5",))
    groups = {choose(target, view, Random(seed)).nodes for seed in range(30)}
    assert all("n5" in group for group in groups)
    assert len(groups) > 1


def test_followers_are_those_that_run_and_do_not_lead() -> None:
    """Neither the leader nor a dead node follows."""
    view = View(nodes=FIVE, leaders=("n1",), states={"n2": "dead"})
    assert choose("followers", view, Random(1)).nodes == ("n3", "n4", "n5")


def test_the_isolated_lack_a_majority_and_the_connected_have_one() -> None:
    """Two-way exchange with a majority, self included, decides; a node cut one way is isolated."""
    split = frozenset(between(("n1", "n2"), ("n3", "n4", "n5")))
    deaf = frozenset((other, "n4") for other in FIVE if other != "n4")
    assert choose("isolated", View(nodes=FIVE, cut=split), Random(1)).nodes == ("n1", "n2")
    assert choose("connected", View(nodes=FIVE, cut=split), Random(1)).nodes == ("n3", "n4", "n5")
    assert choose("isolated", View(nodes=FIVE, cut=deaf), Random(1)).nodes == ("n4",)
    assert "no node is isolated" in choose("isolated", View(nodes=FIVE), Random(1)).note


def test_a_deposed_leader_that_is_cut_off_is_no_connected_leader() -> None:
    """Both say that they lead; only the one with a majority is hit, or nobody if it has not."""
    split = frozenset(between(("n1", "n2"), ("n3", "n4", "n5")))
    both = View(nodes=FIVE, leaders=("n1", "n4"), cut=split)
    assert choose("connected-leaders", both, Random(1)).nodes == ("n4",)
    only_old = View(nodes=FIVE, leaders=("n1",), cut=split)
    assert "was drawn instead" in choose("connected-leaders", only_old, Random(1)).note


@given(st.integers(3, 9), st.integers(0, 100))
def test_the_expendable_leave_a_majority_of_whole_disks(n: int, seed: int) -> None:
    """However often somebody is chosen, and though the damaged do not run again: those that were
    never chosen are a majority, and all that may be lost are."""
    nodes = tuple(f"n{i}" for i in range(1, n + 1))
    damaged: set[str] = set()
    for turn in range(3 * n):
        states = dict.fromkeys(damaged, "dead")
        view = View(nodes=nodes, states=states, damaged=frozenset(damaged))
        choice = choose("expendable", view, Random(seed + turn))
        assert (len(choice.nodes), choice.note) == (1, "")
        damaged.update(choice.nodes)
    assert n - len(damaged) == majority(n)
    assert nodes_min("expendable") == 3  # of two, none can be spared


def test_once_damaged_is_damaged_again() -> None:
    """One that was damaged before is chosen again rather than a second whole disk, even a running
    one, and a running one of the damaged rather than a dead one."""
    view = View(nodes=FIVE, states={"n1": "dead"}, damaged=frozenset({"n1", "n4"}))
    assert {choose("expendable", view, Random(seed)).nodes for seed in range(20)} == {("n4",)}


def test_nodes_can_be_named() -> None:
    """Names between commas are a target; the order is the cluster's."""
    assert choose("n3, n1", View(nodes=FIVE), Random(1)).nodes == ("n1", "n3")


def test_unknown_targets_get_the_nearest_name() -> None:
    """A mistake is named with what was probably meant; without nodes, any name may be a node."""
    with pytest.raises(ValueError, match="did you mean 'leaders'"):
        choose("leader", View(nodes=FIVE), Random(1))
    assert "empty target" in problem(" , ", ())
    assert problem("db-7", ()) == ""
