"""Topologies: which directed links a partition cuts, as pure functions of the nodes.

Rules
1. A topology is a function of the nodes in some order and of the chosen ones among them; whoever
   calls it shuffles the order, so the function itself has no randomness and can be drawn. Only
   `ragged` and `frayed` have no shape: each link has luck of its own, the picture is an example.
2. A link (a, b) in the result means that b no longer hears a. Symmetric cuts name both directions.
3. Links between clients and nodes are cut only by the topologies that say so: a leader that is cut
   off from its peers is still reached by its clients, which is what makes it dangerous.
4. In `majorities-ring` every node hears exactly a majority (itself included), and no two hear the
   same. For n = 3, 7, 11, ... (n = 3 modulo 4) some links are open one way only: each node would
   need an odd number of two-way partners among an odd number of nodes, which no graph has. For all
   other n from 4 on, every link is cut or open in both directions.

Sources: Jepsen's grudges for the shapes; the ring is rebuilt here as a circulant graph, so that it
is exact for every n from 3 on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random

import msgspec

from nemesis.faults import CLIENT, Link
from nemesis.names import unknown
from nemesis.targets import majority

Nodes = Sequence[str]


class Topology(msgspec.Struct, frozen=True, kw_only=True):
    """A shape of partition. `target`: the target it always takes; None: that of the fault, if
    `targeted`, else it needs nobody chosen. `drawn`: the target in the picture of the manual.
    `shapeless`: not what `cut` says, but any of all links, or of those that a split would cut."""

    summary: str
    cut: Callable[[Nodes, Nodes], Iterable[Link]]
    target: str | None = None
    targeted: bool = False
    shuffled: bool = True
    nodes_min: int = 2
    drawn: str = "one"
    shapeless: bool = False


def links_of(name: str, nodes: Nodes, chosen: Nodes, rng: Random) -> tuple[Link, ...]:
    """The links that topology `name` cuts, in the order of the nodes, clients last.

    Raises ValueError on an unknown name (the nearest are offered).
    """
    topology = find(name)
    if topology.shapeless:
        links = _split(nodes, chosen) if topology.targeted else []
        links = links or list(all_links(nodes))  # where all are chosen, nothing else would be cut
        return ordered(_some(links, rng), nodes)
    order = rng.sample(nodes, len(nodes)) if topology.shuffled else list(nodes)
    return ordered(topology.cut(order, chosen), nodes)


def find(name: str) -> Topology:
    """Raises ValueError on an unknown name (the nearest are offered)."""
    if name not in TOPOLOGIES:
        raise ValueError(unknown("topology", name, TOPOLOGIES))
    return TOPOLOGIES[name]


def ordered(links: Iterable[Link], nodes: Nodes) -> tuple[Link, ...]:
    """Each link once, by sender and then receiver in the order of the nodes, clients last."""
    place = {node: i for i, node in enumerate([*nodes, CLIENT])}
    return tuple(sorted(set(links), key=lambda link: (place[link[0]], place[link[1]])))


def between(some: Nodes, others: Nodes) -> list[Link]:
    """Every link between two groups, both ways; a node has no link to itself."""
    return [*towards(some, others), *towards(others, some)]


def towards(senders: Nodes, receivers: Nodes) -> list[Link]:
    """Every link from a sender to a receiver; the other way stays as it is."""
    return [(a, b) for a in senders for b in receivers if a != b]


def all_links(nodes: Nodes) -> tuple[Link, ...]:
    """Every link between nodes, clients excluded."""
    return tuple(towards(nodes, nodes))


def _rest(nodes: Nodes, chosen: Nodes) -> list[str]:
    return [n for n in nodes if n not in chosen]


def _halves(order: Nodes, _: Nodes) -> list[Link]:
    middle = len(order) // 2
    return between(order[:middle], order[middle:])


def _isolate(order: Nodes, chosen: Nodes) -> list[Link]:
    return between(chosen, order)


def _split(order: Nodes, chosen: Nodes) -> list[Link]:
    return between(chosen, _rest(order, chosen))


def _bridge(order: Nodes, _: Nodes) -> list[Link]:
    middle = len(order) // 2
    return between(order[:middle], order[middle + 1 :])


def _one_way(order: Nodes, _: Nodes) -> list[Link]:
    middle = len(order) // 2
    return towards(order[:middle], order[middle:])


def _unheard(order: Nodes, chosen: Nodes) -> list[Link]:
    return towards(chosen, _rest(order, chosen))


def _deaf(order: Nodes, chosen: Nodes) -> list[Link]:
    return towards(order, chosen)


def _mute(order: Nodes, chosen: Nodes) -> list[Link]:
    return towards(chosen, order)


def _clients(_: Nodes, chosen: Nodes) -> list[Link]:
    return between([CLIENT], chosen)


def _answers_lost(_: Nodes, chosen: Nodes) -> list[Link]:
    return towards(chosen, [CLIENT])


def _ragged(order: Nodes, _: Nodes) -> list[Link]:
    return [(a, b) for i, a in enumerate(order) for j, b in enumerate(order) if (i - j) % 3 == 1]


def _frayed(order: Nodes, chosen: Nodes) -> list[Link]:
    return towards(_rest(order, chosen), chosen)


def _some(links: Sequence[Link], rng: Random) -> list[Link]:
    """Of these links each node misses some. How many is drawn first, so that all numbers are alike:
    by a coin for each link a node would hardly ever hear one peer only while another hears all."""
    cut: list[Link] = []
    while links and not 0 < len(cut) < len(links):
        cut = []
        for receiver in dict.fromkeys(b for _, b in links):
            into = [link for link in links if link[1] == receiver]
            cut += rng.sample(into, rng.randint(0, len(into)))
    return cut


def _majorities_ring(order: Nodes, _: Nodes) -> list[Link]:
    n = len(order)
    heard = ring_offsets(n)
    return [
        (order[(at + offset) % n], order[at])
        for at in range(n)
        for offset in range(1, n)
        if offset not in heard
    ]


def ring_offsets(n: int) -> frozenset[int]:
    """Whom a node of the ring hears: those so many places after it, 0 (itself) included.

    A window of the nearest on both sides; if a majority is even, one more is needed: the node
    opposite where n is even (then both hear each other), the next predecessor where n is odd.
    """
    others = majority(n) - 1
    reach, odd = divmod(others, 2)
    window = {offset % n for offset in range(-reach, reach + 1)}
    if odd:
        window.add(n // 2 if n % 2 == 0 else n - reach - 1)
    return frozenset(window)


TOPOLOGIES: dict[str, Topology] = {
    "halves": Topology(
        summary="The first n // 2 nodes against the rest. Of an even number neither side has a "
        "majority.",
        cut=_halves,
        shuffled=False,
    ),
    "random-halves": Topology(summary="Halves of a shuffled order.", cut=_halves),
    "isolate-one": Topology(
        summary="One random node alone.",
        cut=_isolate,
        target="one",
    ),
    "leader-only": Topology(
        summary="Each leader alone (a random non-empty subset, if several say they lead); its "
        "clients still reach it.",
        cut=_isolate,
        target="leaders",
    ),
    "minority-third": Topology(
        summary="(n - 1) // 3 random nodes, at least one, together against the rest.",
        cut=_split,
        target="minority-third",
        drawn="minority-third",
    ),
    "isolate": Topology(
        summary="Each node of the target alone, the others together (drawn for a minority).",
        cut=_isolate,
        targeted=True,
        drawn="minority",
    ),
    "split": Topology(
        summary="The target together against the rest (drawn for a minority).",
        cut=_split,
        targeted=True,
        drawn="minority",
    ),
    "majorities-ring": Topology(
        summary="Every node hears a majority, no two the same one. With three nodes each hears "
        "only its predecessor: one-way links.",
        cut=_majorities_ring,
        nodes_min=3,
    ),
    "bridge": Topology(
        summary="Two sides that meet only in one node, which reaches everyone.",
        cut=_bridge,
        nodes_min=3,
    ),
    "one-way": Topology(
        summary="One random half is not heard by the other half, but hears it.",
        cut=_one_way,
    ),
    "unheard": Topology(
        summary="The target hears the rest and is not heard by it; its nodes hear one another "
        "(drawn for a minority).",
        cut=_unheard,
        targeted=True,
        drawn="minority",
    ),
    "deaf": Topology(
        summary="The target hears no other node, and is heard.", cut=_deaf, targeted=True
    ),
    "mute": Topology(
        summary="The target is heard by no other node, and hears.", cut=_mute, targeted=True
    ),
    "ragged": Topology(
        summary="Each node misses some of the others, any number: views differ.",
        cut=_ragged,
        shapeless=True,
    ),
    "frayed": Topology(
        summary="Some of the links between the target and the rest: what is left of a split that "
        "heals link by link (drawn for a minority).",
        cut=_frayed,
        targeted=True,
        drawn="minority",
        shapeless=True,
    ),
    "clients": Topology(
        summary="Clients and the target do not reach each other; the nodes do.",
        cut=_clients,
        targeted=True,
        nodes_min=1,
    ),
    "answers-lost": Topology(
        summary="The target gets requests, and its answers reach no client.",
        cut=_answers_lost,
        targeted=True,
        nodes_min=1,
    ),
    "explicit": Topology(
        summary="Exactly the links that the fault lists.", cut=lambda _, __: (), nodes_min=1
    ),
}
