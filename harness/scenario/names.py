"""Who is meant: the words of a script, and the nodes they come to at a moment.

Rules
1. A word is resolved against the cluster of that moment: `leader` is whoever leads when the step is
   taken. A bound name is no word: it keeps the nodes that it was bound to.
2. Of several that say they lead, `leader` is one that reaches a majority: the one that is cut off
   and does not know it has a name, if the script cares for it.
3. A word that nobody answers to is no mistake and gets no stand-in: the schedule is not reached.
4. Words for one node among several draw it by the seed of the run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from random import Random

import msgspec

from harness.trial import nearest
from nemesis.faults import CLIENT, ClientFault, Fault, Link, LinkFault, NodeFault, struck
from nemesis.targets import TARGETS, View

# What no target of the nemesis says: one node where those say several, and who has no name yet.
WORDS = {
    "any": "one running node",
    "leader": "the node that leads and reaches a majority",
    "follower": "one running node that does not say it leads",
    "other": "one running node that no name is bound to",
    "others": "all nodes that no name is bound to",
}
NOT = "not "
RESERVED = frozenset({*WORDS, *TARGETS, CLIENT, "not"})
_STAND_INS = ("n1", "n2")  # where nobody knows which nodes there are

Names = Mapping[str, Sequence[str]]


class Nobody(Exception):
    """There is no node of this description now. The message says of which, and who there is."""


def asks_leaders(expression: str) -> bool:
    """Must the leaders be known to resolve it?"""
    words = [word.removeprefix(NOT) for word in _split(expression)]
    return any(
        word in ("leader", "follower") or (word in TARGETS and TARGETS[word].asks_leaders)
        for word in words
    )


def nodes_of(expression: str, view: View, names: Names, random: Random) -> tuple[str, ...]:
    """The nodes, in the order of the cluster. Raises Nobody if there are none."""
    found: set[str] = set()
    for word in _split(expression):
        if word.startswith(NOT):
            found |= set(view.nodes) - set(_of_word(word.removeprefix(NOT), view, names, random))
        else:
            found |= set(_of_word(word, view, names, random))
    nodes = tuple(node for node in view.nodes if node in found)
    if not nodes:
        raise Nobody(f"nobody is {expression!r} now ({_seen(view, names)})")
    return nodes


def one_of(expression: str, view: View, names: Names, random: Random) -> str:
    """One of them, drawn. Raises Nobody."""
    nodes = nodes_of(expression, view, names, random)
    return nodes[0] if len(nodes) == 1 else random.choice(nodes)


def leader_of(view: View) -> str | None:
    """Whom rule 2 means."""
    isolated = view.isolated()
    running = [node for node in view.leaders if node in view.running()]
    return next((n for n in running if n not in isolated), next(iter(running), None))


def resolved(fault: Fault, view: View, names: Names, random: Random) -> Fault:
    """The fault with the words of the script replaced by nodes. A target of the nemesis stays: it
    is resolved when the fault is applied. Raises Nobody."""
    if isinstance(fault, ClientFault):
        return fault
    if isinstance(fault, NodeFault):
        nodes = tuple(n for word in fault.nodes for n in nodes_of(word, view, names, random))
        fault = msgspec.structs.replace(fault, nodes=nodes)
    else:
        links = [link for ends in fault.links for link in _links(ends, view, names, random)]
        fault = msgspec.structs.replace(fault, links=tuple(dict.fromkeys(links)))
    if struck(fault) or fault.target in TARGETS:
        return fault
    target = ",".join(nodes_of(fault.target, view, names, random))
    return msgspec.structs.replace(fault, target=target)


def expressions(fault: Fault) -> tuple[str, ...]:
    """The words in a fault."""
    if isinstance(fault, ClientFault):
        return ()
    if isinstance(fault, LinkFault):
        ends = tuple(end for link in fault.links for end in link if end != CLIENT)
        return (*ends, fault.target)
    return (*fault.nodes, fault.target)


def stood_in(fault: Fault, nodes: Sequence[str]) -> Fault:
    """The fault with a node in place of each word, to ask a cluster whether it could do it."""

    def stand_in(word: str, other: str = "") -> str:
        known = word in nodes or word == CLIENT
        return word if known else next(n for n in (*nodes, *_STAND_INS) if n != other)

    if isinstance(fault, ClientFault):
        return fault
    if isinstance(fault, NodeFault):
        struck_nodes = tuple(dict.fromkeys(stand_in(word) for word in fault.nodes))
        fault = msgspec.structs.replace(fault, nodes=struck_nodes)
    else:
        links = [(stand_in(a, b), b) for a, b in fault.links]
        fault = msgspec.structs.replace(fault, links=tuple((a, stand_in(b, a)) for a, b in links))
    known = fault.target in TARGETS or set(_split(fault.target)) <= set(nodes)
    return fault if known else msgspec.structs.replace(fault, target=stand_in(""))


def mistake(expression: str, bound: Collection[str], nodes: Sequence[str]) -> str:
    """What is wrong with an expression as a sentence, or ''. Without `nodes`, whatever looks like
    the name of a node may be one."""
    words = [word.removeprefix(NOT).strip() for word in _split(expression)]
    if not words:
        return "it names nobody. Give a node, a name that was bound before, or a word"
    for word in words:
        if word in bound or word in RESERVED - {CLIENT, "not"} or word in nodes:
            continue
        if not nodes and is_node(word):
            continue
        return f"nobody is called {word!r}. {nearest(word, {*bound, *WORDS, *TARGETS, *nodes})}"
    return ""


def is_node(word: str) -> bool:
    """Is it how the nodes of a trial are called?"""
    return word[:1] == "n" and word[1:].isdecimal()


def _of_word(word: str, view: View, names: Names, random: Random) -> Sequence[str]:
    if word in names:
        return names[word]
    if word in view.nodes:
        return (word,)
    running = view.running()
    taken = {node for nodes in names.values() for node in nodes}
    match word:
        case "any":
            return _one(running, random)
        case "leader":
            leader = leader_of(view)
            return () if leader is None else (leader,)
        case "follower":
            return _one([n for n in running if n not in view.leaders], random)
        case "other":
            return _one([n for n in running if n not in taken], random)
        case "others":
            return [n for n in view.nodes if n not in taken]
    return TARGETS[word].pick(view, random) if word in TARGETS else ()


def _one(nodes: Sequence[str], random: Random) -> Sequence[str]:
    return (random.choice(nodes),) if nodes else ()


def _links(ends: Link, view: View, names: Names, random: Random) -> list[Link]:
    """Every link from one end to the other; an end may be several nodes."""
    sides = [(CLIENT,) if end == CLIENT else nodes_of(end, view, names, random) for end in ends]
    return [(a, b) for a in sides[0] for b in sides[1] if a != b]


def _split(expression: str) -> list[str]:
    return [word.strip() for word in expression.split(",") if word.strip()]


def _seen(view: View, names: Names) -> str:
    told = [f"leading: {' '.join(view.leaders) or 'nobody known'}"]
    told += [f"{node} {state}" for node, state in view.states.items() if state != "running"]
    told += [f"{name}: {' '.join(nodes)}" for name, nodes in names.items()]
    return "; ".join(told)
