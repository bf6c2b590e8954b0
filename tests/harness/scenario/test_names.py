"""Words come to nodes, at the moment at which they are asked."""

from __future__ import annotations

from random import Random

import pytest

from harness.scenario.names import (
    NOT,
    WORDS,
    Nobody,
    asks_leaders,
    leader_of,
    mistake,
    nodes_of,
    one_of,
    resolved,
    stood_in,
)
from nemesis.faults import CLIENT, CrashClients, Kill, Link, Partition
from nemesis.resolution import problems
from nemesis.targets import TARGETS, View

NODES = ("n1", "n2", "n3", "n4", "n5")
NAMES = {"old": ("n2",), "pair": ("n3", "n4")}


def view(**known: object) -> View:
    return View(**{"nodes": NODES, "leaders": ("n2",), **known})  # type: ignore[arg-type]


def cut_off(node: str) -> frozenset[Link]:
    others = [other for other in NODES if other != node]
    return frozenset(link for other in others for link in ((node, other), (other, node)))


@pytest.mark.parametrize(
    ("expression", "nodes"),
    [
        ("n3", "n3"),
        ("old", "n2"),
        ("pair", "n3 n4"),
        ("n5,old", "n2 n5"),
        ("not old", "n1 n3 n4 n5"),
        ("not pair,n3", "n1 n2 n3 n5"),
        ("leader", "n2"),
        ("not leader", "n1 n3 n4 n5"),
        ("all", "n1 n2 n3 n4 n5"),
        ("followers", "n1 n3 n4 n5"),
        ("others", "n1 n5"),
        ("leaders", "n2"),
    ],
)
def test_an_expression_comes_to_nodes(expression: str, nodes: str) -> None:
    """In the order of the cluster, each once."""
    assert tuple(nodes.split()) == nodes_of(expression, view(), NAMES, Random(1))


@pytest.mark.parametrize(
    ("word", "among"),
    [("any", "n1 n3 n4 n5"), ("follower", "n1 n3 n4 n5"), ("other", "n1 n5"), ("pair", "n3 n4")],
)
def test_one_of_several_is_drawn_among_those_that_run(word: str, among: str) -> None:
    """Every one of them by some seed, and never one that does not run."""
    now = view(states={"n2": "dead"})

    drawn = {one_of(word, now, NAMES, Random(seed)) for seed in range(60)}

    assert set(among.split()) == drawn


def test_the_leader_is_the_one_that_reaches_a_majority() -> None:
    """The outcast is it only where nobody else says so; the dead never."""
    both = view(leaders=("n2", "n4"), cut=cut_off("n2"))

    assert "n4" == leader_of(both)
    assert "n2" == leader_of(view(leaders=("n2",), cut=cut_off("n2")))
    assert leader_of(view(leaders=("n2",), states={"n2": "dead"})) is None


@pytest.mark.parametrize("word", ["leader", "leaders", "other"])
def test_nobody_gets_no_stand_in(word: str) -> None:
    """It says who there is."""
    names = {"everybody": NODES}

    with pytest.raises(Nobody, match=f"nobody is '{word}' now .*everybody: n1 n2"):
        nodes_of(word, view(leaders=()), names, Random(1))


def test_only_words_that_need_it_ask_for_leaders() -> None:
    """Asking takes time on a cluster whose nodes do not answer."""
    asking = {word for word in (*WORDS, *TARGETS) if asks_leaders(word)}

    of_targets = {name for name, target in TARGETS.items() if target.asks_leaders}
    assert {"leader", "follower"} | of_targets == asking
    assert asks_leaders("n1,not leader")
    assert not asks_leaders("n1,old,not n2")


def test_faults_are_resolved_where_they_use_words_of_the_script() -> None:
    """A target of the nemesis stays one: it is drawn when the fault is applied."""
    random = Random(1)

    links = resolved(Partition(links=(("old", "pair"), (CLIENT, "old"))), view(), NAMES, random)

    assert (("n2", "n3"), ("n2", "n4"), (CLIENT, "n2")) == links.links  # type: ignore[union-attr]
    assert Kill(target="n2") == resolved(Kill(target="old"), view(), NAMES, random)
    assert Kill(target="minority") == resolved(Kill(target="minority"), view(), NAMES, random)
    assert CrashClients() == resolved(CrashClients(), view(), NAMES, random)


@pytest.mark.parametrize(
    "fault",
    [
        Kill(target="old"),
        Kill(nodes=("old", "pair")),
        Partition(topology="explicit", links=(("old", "pair"), (CLIENT, "old"))),
        Partition(topology="isolate", target="not old"),
        CrashClients(),
    ],
)
def test_a_fault_with_stand_ins_is_one_that_a_cluster_can_be_asked_for(fault: Kill) -> None:
    """No word is left, no link leads from a host to itself."""
    assert [] == problems(stood_in(fault, NODES), NODES)


def test_a_mistyped_word_is_told_with_the_nearest() -> None:
    """A name that is bound is none, nor is a node where nobody knows how many there are."""
    assert "" == mistake("old,not n1,leader", {"old"}, NODES)
    assert "" == mistake("n9", (), ())
    assert "nobody is called 'n9'" in mistake("n9", (), NODES)
    assert "Did you mean 'old'" in mistake(f"{NOT}odl", {"old"}, NODES)
    assert "names nobody" in mistake(" , ", (), NODES)
