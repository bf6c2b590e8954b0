"""Targets: who is hit, as a name, and the nodes it comes to when the fault is applied.

Rules
1. A target is resolved against what the cluster is now, not what it was when the plan was made:
   the leader that is cut off is the one that leads at that moment.
2. A target comes to at least one node. A fault that hits nobody would be a fault in name only, so
   `minority-third` of three nodes, which is none, comes to one.
3. Nodes that run are preferred: to kill the dead proves nothing.
4. Where a target finds nobody (no leader answers), one random node takes its place, and a note
   says so.
5. `expendable` never comes to more nodes in a run than a correct system can lose for good: a
   majority of nodes keeps its storage, which is what Paxos assumes.

Sources: the sizes are Jepsen's (`minority` is one less than a majority, which is exactly half of
an even number; `leaders` is a random non-empty subset of those that say they lead).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

import msgspec

from nemesis.faults import Link
from nemesis.names import unknown


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the cluster when a fault is resolved.

    `states` are those of capabilities.ProcessState; a node that is absent from it counts as
    running. `cut` holds the links that partitions in force cut now. `damaged` are the nodes whose
    disks were corrupted on purpose since the run began: they may be lost for good.
    """

    nodes: tuple[str, ...]
    leaders: tuple[str, ...] = ()
    states: Mapping[str, str] = {}
    cut: frozenset[Link] = frozenset()
    damaged: frozenset[str] = frozenset()

    def running(self) -> tuple[str, ...]:
        return tuple(n for n in self.nodes if self.states.get(n, "running") == "running")

    def isolated(self) -> tuple[str, ...]:
        """The nodes that exchange messages, both ways, with less than a majority, self included."""
        return tuple(n for n in self.nodes if self._partners(n) + 1 < majority(len(self.nodes)))

    def _partners(self, node: str) -> int:
        others = (o for o in self.nodes if o != node)
        return sum((node, o) not in self.cut and (o, node) not in self.cut for o in others)


class Choice(msgspec.Struct, frozen=True):
    """The nodes a target came to, in the cluster's order; `note` is empty if all went as asked."""

    nodes: tuple[str, ...]
    note: str = ""


class Target(msgspec.Struct, frozen=True):
    """`pick` returns the nodes, or none if there is nobody of this description now. With fewer
    nodes than `nodes_min` the target means nothing."""

    summary: str
    pick: Callable[[View, Random], Sequence[str]]
    asks_leaders: bool = False
    nodes_min: int = 1


def majority(n: int) -> int:
    """The least number of n nodes of which any two sets have a node in common."""
    return n // 2 + 1


def choose(target: str, view: View, rng: Random) -> Choice:
    """The nodes that `target` (a name of TARGETS, or node names between commas) comes to now.

    Raises ValueError on an unknown name.
    """
    trouble = problem(target, view.nodes)
    if trouble:
        raise ValueError(trouble)
    if target not in TARGETS:
        return Choice(_ordered(_named(target), view.nodes))
    nodes = TARGETS[target].pick(view, rng)
    if nodes:
        return Choice(_ordered(nodes, view.nodes))
    stand_in = rng.choice(_pool(view))
    return Choice((stand_in,), f"no node is {_SINGULAR[target]} now: {stand_in} was drawn instead")


def problem(target: str, nodes: Sequence[str]) -> str:
    """What is wrong with a target, as a sentence, or ''. Without `nodes`, node names are not
    checked, since they are not known yet: then whatever is no target may be a node."""
    if target in TARGETS:
        return ""
    named = _named(target)
    if not named:
        return "an empty target: name one of " + ", ".join(TARGETS) + ", or nodes between commas"
    strangers = [n for n in named if nodes and n not in nodes]
    if not strangers:
        return ""
    return unknown("target or node", strangers[0], [*TARGETS, *nodes])


def asks_leaders(target: str) -> bool:
    """Must the leaders be known to resolve this target?"""
    return target in TARGETS and TARGETS[target].asks_leaders


def nodes_min(target: str) -> int:
    """The least number of nodes with which the target means anything; 1 for named nodes."""
    return TARGETS[target].nodes_min if target in TARGETS else 1


def size(target: str, n: int) -> int:
    """How many of n nodes a target comes to where that is fixed; 1 otherwise (for pictures)."""
    sizes = {"minority": _minority(n), "majority": majority(n), "all": n}
    return sizes.get(target, _third(n) if target == "minority-third" else 1)


def _minority(n: int) -> int:
    return max(1, majority(n) - 1)


def _third(n: int) -> int:
    return max(1, (n - 1) // 3)


def _named(target: str) -> list[str]:
    return [name.strip() for name in target.split(",") if name.strip()]


def _ordered(chosen: Sequence[str], nodes: Sequence[str]) -> tuple[str, ...]:
    return tuple(n for n in nodes if n in chosen)


def _pool(view: View) -> tuple[str, ...]:
    return view.running() or view.nodes


def _sample(view: View, rng: Random, count: int) -> Sequence[str]:
    pool = _pool(view)
    return rng.sample(pool, min(count, len(pool)))


def _leaders(view: View) -> tuple[str, ...]:
    return _ordered(view.leaders, view.running())


def _subset(among: Sequence[str], rng: Random) -> Sequence[str]:
    return rng.sample(among, rng.randint(1, len(among))) if among else ()


def _with_leader(view: View, rng: Random, count: int) -> Sequence[str]:
    leaders = _leaders(view)
    first = rng.choice(leaders or _pool(view))
    others = [n for n in _pool(view) if n != first]
    return [first, *rng.sample(others, min(count - 1, len(others)))]


def _expendable(view: View, rng: Random) -> Sequence[str]:
    whole = [n for n in view.running() if n not in view.damaged]
    if whole and len(view.damaged) < len(view.nodes) - majority(len(view.nodes)):
        return [rng.choice(whole)]
    damaged = [n for n in view.nodes if n in view.damaged]
    running = [n for n in damaged if n in view.running()]
    return [rng.choice(running or damaged)] if damaged else ()


def _connected(view: View) -> tuple[str, ...]:
    isolated = view.isolated()
    return tuple(n for n in view.running() if n not in isolated)


TARGETS: dict[str, Target] = {
    "one": Target("one random node", lambda v, r: _sample(v, r, 1)),
    "some": Target("a random non-empty subset", lambda v, r: _subset(_pool(v), r)),
    "minority": Target(
        "one node less than a majority, at random (half of an even number)",
        lambda v, r: _sample(v, r, _minority(len(v.nodes))),
    ),
    "minority-third": Target(
        "(n - 1) // 3 random nodes, at least one",
        lambda v, r: _sample(v, r, _third(len(v.nodes))),
    ),
    "majority": Target(
        "the smallest majority, at random", lambda v, r: _sample(v, r, majority(len(v.nodes)))
    ),
    "all": Target("every node", lambda v, _: v.nodes),
    "leaders": Target(
        "a random non-empty subset of the nodes that say they lead",
        lambda v, r: _subset(_leaders(v), r),
        asks_leaders=True,
    ),
    "connected-leaders": Target(
        "the leaders that reach a majority, not those that are cut off and do not know it",
        lambda v, _: _ordered(_leaders(v), _connected(v)),
        asks_leaders=True,
    ),
    "followers": Target(
        "every running node that does not say it leads",
        lambda v, _: [n for n in v.running() if n not in v.leaders],
        asks_leaders=True,
    ),
    "leaders-minority": Target(
        "a leader, and random others up to a minority",
        lambda v, r: _with_leader(v, r, _minority(len(v.nodes))),
        asks_leaders=True,
    ),
    "leaders-majority": Target(
        "a leader, and random others up to a majority",
        lambda v, r: _with_leader(v, r, majority(len(v.nodes))),
        asks_leaders=True,
    ),
    "isolated": Target(
        "every running node that partitions in force keep from a majority",
        lambda v, _: _ordered(v.isolated(), v.running()),
    ),
    "connected": Target(
        "every running node that still reaches a majority", lambda v, _: _connected(v)
    ),
    "expendable": Target(
        "one random node with a whole disk, as long as the others are a majority of whole disks "
        "over the whole run; then one whose disk was corrupted before",
        _expendable,
        nodes_min=3,
    ),
}

_SINGULAR = dict.fromkeys(TARGETS, "there") | {
    "leaders": "a leader",
    "connected-leaders": "a leader that reaches a majority",
    "followers": "a follower",
    "isolated": "isolated",
    "connected": "connected to a majority",
    "expendable": "expendable",
}
