"""Intents become concrete faults."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemesis.faults import (
    CLIENT,
    Corrupt,
    CorruptDisk,
    CrashClients,
    Duplicate,
    Fault,
    FillDisk,
    Hold,
    Kill,
    Lose,
    LoseUnsynced,
    NodeFault,
    Partition,
    Pause,
    RemoveMember,
    SkewClock,
    Slow,
    SlowDisk,
    TruncateDisk,
    Undo,
    Upgrade,
    inverse,
    tag,
)
from nemesis.names import unknown
from nemesis.packages import PACKAGES
from nemesis.resolution import (
    FAULTS,
    asks_leaders,
    describe,
    is_concrete,
    nodes_min,
    problems,
    resolve,
)
from nemesis.targets import View

FIVE = ("n1", "n2", "n3", "n4", "n5")
VIEW = View(nodes=FIVE, leaders=("n2",))

EVERY_FAULT: list[Fault] = list(
    dict.fromkeys(
        act.fault
        for package in PACKAGES.values()
        for deck in package.decks
        for slot in deck
        for scene in slot
        for act in scene.acts
    )
)


@given(st.sampled_from(EVERY_FAULT), st.integers(0, 100))
def test_resolving_is_repeatable_and_ends(fault: Fault, seed: int) -> None:
    """A resolved fault is concrete, the same for the same seed, and resolves to itself."""
    once = resolve(fault, VIEW, Random(seed)).fault
    assert is_concrete(once)
    assert once == resolve(fault, VIEW, Random(seed)).fault
    assert once == resolve(once, View(nodes=FIVE), Random(seed + 1)).fault


@given(st.sampled_from(EVERY_FAULT), st.integers(1, 9))
def test_the_inverse_names_what_to_undo(fault: Fault, id_: int) -> None:
    """The inverse has the id, the word for the undoing, and everything the fault touched."""
    concrete = resolve(fault, VIEW, Random(1)).fault
    undo = inverse(concrete, id_)
    words = {
        **dict.fromkeys((Kill, LoseUnsynced, CorruptDisk, TruncateDisk), "restart"),
        Pause: "resume",
        Hold: "release",
        FillDisk: "free",
        RemoveMember: "add-member",
    }
    if isinstance(concrete, CrashClients):
        on: tuple[str, ...] = (CLIENT,)
    elif isinstance(concrete, NodeFault):
        on = concrete.nodes
    else:
        on = tuple(f"{a}>{b}" for a, b in concrete.links)
    assert Undo(id_, words.get(type(fault), "heal"), on) == undo
    assert undo.kind != tag(fault)  # by which a history tells an undoing from its fault


def test_leader_only_cuts_the_leader_from_its_peers_alone() -> None:
    """Both directions between the leader and every peer, and nothing else."""
    fault = resolve(Partition(topology="leader-only"), VIEW, Random(1)).fault
    assert isinstance(fault, Partition)
    expected = {("n2", n) for n in FIVE if n != "n2"} | {(n, "n2") for n in FIVE if n != "n2"}
    assert expected == set(fault.links)


def test_faults_of_links_touch_the_target_and_no_client() -> None:
    """`slow` of one node hits its links to and from every other node; of all, every link."""
    one = resolve(Slow(target="n3"), VIEW, Random(1)).fault
    every = resolve(Lose(), VIEW, Random(1)).fault
    assert isinstance(one, Slow)
    assert isinstance(every, Lose)
    assert (len(one.links), len(every.links)) == (8, 20)
    assert all("n3" in link for link in one.links)
    assert not any(CLIENT in link for link in every.links)


@pytest.mark.parametrize(("direction", "links"), [("out", 4), ("in", 4), ("both", 8)])
def test_links_are_held_one_way_or_both(direction: str, links: int) -> None:
    """`out` is what the target sends, `in` what it is sent; never a link of clients."""
    fault = Hold(target="leaders", direction=direction)  # type: ignore[arg-type]
    held = resolve(fault, VIEW, Random(1)).fault
    assert isinstance(held, Hold)
    assert len(held.links) == links
    assert all(not (direction == "out" and dst == "n2") for _, dst in held.links)
    assert all(not (direction == "in" and src == "n2") for src, _ in held.links)
    assert not any(CLIENT in link for link in held.links)


def test_clients_have_no_names() -> None:
    """A crash of clients is concrete as it is, asks nobody, and says whom it strikes."""
    fault = CrashClients(share=0.25)
    assert is_concrete(fault)
    assert not asks_leaders(fault)
    assert resolve(fault, VIEW, Random(1)).fault is fault
    assert describe(fault) == "crash-clients: 25% of them"


def test_a_stand_in_for_the_leader_is_noted() -> None:
    """The note of the target comes with the fault."""
    (note,) = resolve(Kill(target="leaders"), View(nodes=FIVE), Random(1)).notes
    assert "was drawn instead" in note


@pytest.mark.parametrize(
    ("fault", "asks"),
    [
        (Kill(target="leaders"), True),
        (Partition(topology="leader-only"), True),
        (Partition(topology="split", target="leaders-minority"), True),
        (Partition(topology="halves"), False),
        (Kill(target="leaders", nodes=("n1",)), False),
        (Kill(target="n1"), False),
    ],
)
def test_leaders_are_asked_only_where_they_matter(fault: Fault, *, asks: bool) -> None:
    """Asking takes time while the cluster is broken; concrete faults and shapes need nobody."""
    assert asks == asks_leaders(fault)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Partition(topology="bridgge"), "partition: unknown topology 'bridgge': did you mean"),
        (Partition(topology="isolate-one", target="leaders"), "takes no target, it chooses its"),
        (Partition(topology="halves", target="n1"), "takes no target, it needs none"),
        (Partition(topology="explicit"), "'explicit' needs `links`"),
        (Partition(topology="explicit", links=(("n1", "n9"),)), "unknown node 'n9'"),
        (Partition(topology="explicit", links=(("n1", "n1"),)), "from a host to itself"),
        (Kill(target="majorty"), "kill: unknown target or node 'majorty': did you mean 'majority'"),
        (Kill(nodes=("n6",)), "kill: unknown node 'n6'"),
        (Lose(probability=1.5), "lose: probability is 1.5, expected a number from 0 to 1"),
        (Lose(probability=float("nan")), "probability is nan"),
        (Slow(mean_ms=-1.0), "slow: mean_ms is -1.0"),
        (Duplicate(links=((CLIENT, "n1"),)), "byte stream, which never loses, repeats, reorders"),
        (Corrupt(links=((CLIENT, "n1"),)), "reorders or alters: cut it"),
        (Hold(target="leadrs"), "hold: unknown target or node 'leadrs': did you mean 'leaders'"),
        (SkewClock(), "neither offset_ms nor drift is given"),
        (SkewClock(offset_ms=1e6), "offset_ms is 1000000.0, expected a number from -60000"),
        (SkewClock(drift=-1.0), "drift is -1.0, expected a number from -0.9"),
        (CorruptDisk(records=0), "records is 0, expected a number from 1"),
        (TruncateDisk(bytes=0), "bytes is 0, expected a number from 1"),
        (Upgrade(), "no options are given"),
        (SlowDisk(mean_ms=-5.0), "slow-disk: mean_ms is -5.0"),
        (CrashClients(share=1.5), "crash-clients: share is 1.5, expected a number from 0 to 1"),
        (FillDisk(nodes=("n9",)), "fill-disk: unknown node 'n9'"),
    ],
)
def test_a_wrong_fault_is_explained(fault: Fault, sentence: str) -> None:
    """Each mistake has a sentence with what was got and what would do; resolving refuses it."""
    (found,) = problems(fault, FIVE)
    assert sentence in found
    with pytest.raises(ValueError, match=fault.__struct_config__.tag):  # type: ignore[arg-type]
        resolve(fault, VIEW, Random(1))


def test_every_fault_of_every_package_is_sound() -> None:
    """What we ship has no mistakes, and covers all kinds of faults but upgrades."""
    assert [p for fault in EVERY_FAULT for p in problems(fault, FIVE)] == []
    assert set(FAULTS.values()) - {Upgrade} == {type(fault) for fault in EVERY_FAULT}


def test_a_few_words_say_what_a_fault_is() -> None:
    """For progress lines: the intent, then whom it came to; sides where nothing joins them."""
    split = Partition(topology="split", target="leaders-minority")
    bridge = resolve(Partition(topology="bridge"), View(nodes=FIVE[:3]), Random(1)).fault
    concrete = resolve(split, View(nodes=FIVE[:3], leaders=("n2",)), Random(1)).fault
    assert describe(split) == "partition split leaders-minority"
    assert describe(concrete) == "partition split leaders-minority: n1 n3 | n2"
    assert describe(resolve(Kill(target="leaders"), VIEW, Random(1)).fault) == "kill leaders: n2"
    assert describe(resolve(Slow(), VIEW, Random(1)).fault) == "slow all: 20 links"
    assert describe(bridge).startswith("partition bridge: ")


def test_small_clusters_cannot_play_everything() -> None:
    """Rings, bridges and whoever can be spared need three nodes, links two, the rest one."""
    faults: list[Fault] = [Partition(topology="bridge"), CorruptDisk()]
    faults += [Partition(), Slow(), Hold()]
    faults += [Kill(), LoseUnsynced(), CrashClients(), CorruptDisk(target="n1")]
    assert [nodes_min(fault) for fault in faults] == [3, 3, 2, 2, 2, 1, 1, 1, 1]


def test_unknown_names_offer_the_nearest_or_all() -> None:
    """Near misses are guessed, for the rest every valid name is listed."""
    assert unknown("fault", "kil", FAULTS) == "unknown fault 'kil': did you mean 'kill'?"
    assert "the valid ones are a, b" in unknown("fault", "zzz", ["a", "b"])
