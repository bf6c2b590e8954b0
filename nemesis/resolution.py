"""From an intent to a concrete fault: who and which links, decided when the fault is applied.

Rules
1. A fault that already names its links or nodes is kept as it is: that is what makes an executed
   schedule replayable.
2. The same fault, view and random state give the same concrete fault.
3. Faults of links other than partitions act between nodes, on every link that touches the target.
   Clients' links are left alone: delay towards clients hides anomalies, and no stream between a
   client and a node duplicates or reorders what it carries, so a system must not be blamed for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec

from nemesis import targets, topologies
from nemesis.faults import (
    CLIENT,
    Betray,
    ClientFault,
    Corrupt,
    CorruptDisk,
    CrashClients,
    Duplicate,
    FailDisk,
    Fault,
    FillDisk,
    Hold,
    Kill,
    Link,
    LinkFault,
    Lose,
    LoseUnsynced,
    MemberFault,
    NodeFault,
    Partition,
    Pause,
    RemoveMember,
    Reorder,
    SkewClock,
    Slow,
    SlowDisk,
    Throttle,
    TruncateDisk,
    Upgrade,
    struck,
    tag,
)
from nemesis.names import unknown
from nemesis.targets import Choice, View

FAULTS: dict[str, type[Fault]] = {
    t.__struct_config__.tag: t  # type: ignore[misc]
    for t in (
        *(Partition, Slow, Lose, Duplicate, Reorder, Throttle, Hold, Corrupt),
        *(Kill, Pause, LoseUnsynced, CorruptDisk, FillDisk, SlowDisk, SkewClock),
        *(CrashClients, Betray, TruncateDisk, FailDisk, RemoveMember, Upgrade),
    )
}

# Of a byte stream between a client and a node these would be the transport's fault.
_FRAME_FAULT = Lose | Duplicate | Reorder | Corrupt


class Resolved(msgspec.Struct, frozen=True):
    """A concrete fault, with what did not go as asked, as sentences."""

    fault: Fault
    notes: tuple[str, ...] = ()


def resolve(fault: Fault, view: View, rng: Random) -> Resolved:
    """Fill in the nodes or links of `fault` from what the cluster is now.

    Raises ValueError on an unknown topology, target, node or link.
    """
    troubles = problems(fault, view.nodes)
    if troubles:
        raise ValueError("; ".join(troubles))
    if isinstance(fault, ClientFault) or is_concrete(fault):
        return Resolved(fault)
    choice = _choose(fault, view, rng)
    notes = (choice.note,) if choice.note else ()
    if isinstance(fault, NodeFault):
        return Resolved(msgspec.structs.replace(fault, nodes=choice.nodes), notes)
    if isinstance(fault, Partition):
        links = topologies.links_of(fault.topology, view.nodes, choice.nodes, rng)
    else:
        links = topologies.ordered(_touching(fault, choice.nodes, view.nodes), view.nodes)
    return Resolved(msgspec.structs.replace(fault, links=links), notes)


def is_concrete(fault: Fault) -> bool:
    return bool(struck(fault))


def target_of(fault: Fault) -> str | None:
    """The target that decides whom the fault hits; None if it needs none."""
    if isinstance(fault, ClientFault):
        return None
    if not isinstance(fault, Partition):
        return fault.target
    topology = topologies.find(fault.topology)
    return fault.target if topology.targeted else topology.target


def asks_leaders(fault: Fault) -> bool:
    """Must the leaders be known to resolve this fault?"""
    target = None if is_concrete(fault) else target_of(fault)
    return target is not None and targets.asks_leaders(target)


def nodes_min(fault: Fault) -> int:
    """The least number of nodes with which the fault means anything."""
    target = target_of(fault)
    least = 1 if target is None else targets.nodes_min(target)
    if isinstance(fault, Partition):
        return max(least, topologies.find(fault.topology).nodes_min)
    if isinstance(fault, MemberFault):
        return max(least, 3)  # who is left must be a majority of whom there was
    return max(least, 2) if isinstance(fault, LinkFault) else least


def problems(fault: Fault, nodes: Sequence[str] = ()) -> list[str]:
    """Everything that is wrong with a fault, as sentences. Nodes and links are checked against
    `nodes` where these are given."""
    found = [*_wrong_numbers(fault), *_wrong_shape(fault, nodes)]
    if isinstance(fault, NodeFault):
        found += [unknown("node", n, nodes) for n in fault.nodes if nodes and n not in nodes]
    elif isinstance(fault, LinkFault):
        found += [p for link in fault.links for p in _wrong_link(link, fault, nodes)]
    return [f"{tag(fault)}: {p}" for p in found]


def describe(fault: Fault) -> str:
    """A few words for a progress line: 'kill leaders: n2', 'partition bridge: 8 links'."""
    if isinstance(fault, ClientFault):
        return f"{tag(fault)}: {fault.share:.0%} of them"
    whom = [fault.target]
    if isinstance(fault, Partition):
        topology = topologies.TOPOLOGIES.get(fault.topology)
        whom = [fault.topology, *([fault.target] if topology and topology.targeted else [])]
    intent = " ".join([tag(fault), *whom])
    if not is_concrete(fault):
        return intent
    if isinstance(fault, NodeFault):
        return f"{intent}: {' '.join(fault.nodes)}"
    sides = _sides(fault.links) if isinstance(fault, Partition) else []
    if len(sides) > 1:
        return f"{intent}: {' | '.join(' '.join(side) for side in sides)}"
    return f"{intent}: {len(fault.links)} links"


def _choose(fault: Fault, view: View, rng: Random) -> Choice:
    target = target_of(fault)
    return Choice(()) if target is None else targets.choose(target, view, rng)


def _touching(fault: LinkFault, chosen: Sequence[str], nodes: Sequence[str]) -> list[Link]:
    """The links between nodes that have an end, or the end that the fault asks for, in `chosen`."""
    match fault.direction if isinstance(fault, Hold) else "both":
        case "out":
            return topologies.towards(chosen, nodes)
        case "in":
            return topologies.towards(nodes, chosen)
    return topologies.between(chosen, nodes)


def _sides(links: Sequence[Link]) -> list[list[str]]:
    """The groups that no open link joins, of the hosts that `links` mentions."""
    cut = set(links)
    left = list(dict.fromkeys(host for link in links for host in link))
    sides: list[list[str]] = []
    while left:
        side = [left.pop(0)]
        for host in side:  # grows while it is walked: everyone whom the side reaches joins it
            near = [h for h in left if not {(host, h), (h, host)} <= cut]
            side += near
            left = [h for h in left if h not in near]
        sides.append(side)
    return sides


def _wrong_shape(fault: Fault, nodes: Sequence[str]) -> list[str]:
    found = []
    if isinstance(fault, Partition):
        topology = topologies.TOPOLOGIES.get(fault.topology)
        if topology is None:
            return [unknown("topology", fault.topology, topologies.TOPOLOGIES)]
        if fault.topology == "explicit" and not fault.links:
            found.append("the topology 'explicit' needs `links`, a list of [from, to]")
        if not topology.targeted and fault.target not in ("one", topology.target):
            whom = f"chooses its own ({topology.target})" if topology.target else "needs none"
            found.append(
                f"the topology {fault.topology!r} takes no target, it {whom}; got "
                f"{fault.target!r}: leave it out, or use the topology 'isolate' or 'split'"
            )
    if isinstance(fault, SkewClock) and fault.offset_ms == 0 and fault.drift == 0:
        found.append("neither offset_ms nor drift is given: this would leave the clocks right")
    if isinstance(fault, Upgrade) and not fault.options:
        found.append("no options are given: the nodes would run on as they are (kill restarts)")
    if isinstance(fault, ClientFault):
        return found
    wrong = targets.problem(fault.target, nodes)
    return [*found, wrong] if wrong else found


def _wrong_numbers(fault: Fault) -> list[str]:
    limits: dict[str, tuple[float, float]] = {
        "probability": (0.0, 1.0),
        "mean_ms": (0.0, 60_000.0),
        "jitter_ms": (0.0, 60_000.0),
        "window_ms": (0.0, 60_000.0),
        "bytes_per_s": (1.0, 1e12),
        "records": (1, 1_000_000),
        "bytes": (1, 1e12),
        "offset_ms": (-60_000.0, 60_000.0),
        "drift": (-0.9, 10.0),  # slower than a tenth is a pause
        "share": (0.0, 1.0),
    }
    found = []
    for name, (least, most) in limits.items():
        value: Any = getattr(fault, name, None)
        if value is not None and not least <= value <= most:
            found.append(f"{name} is {value}, expected a number from {least:g} to {most:g}")
    return found


def _wrong_link(link: Link, fault: LinkFault, nodes: Sequence[str]) -> list[str]:
    if link[0] == link[1]:
        return [f"the link {link[0]}>{link[1]} leads from a host to itself"]
    found = [
        unknown("node", host, [*nodes, CLIENT])
        for host in link
        if nodes and host not in nodes and host != CLIENT
    ]
    if CLIENT in link and isinstance(fault, _FRAME_FAULT):
        found.append(
            f"the link {link[0]}>{link[1]} joins clients and a node by a byte stream, which never "
            "loses, repeats, reorders or alters: cut it (partition), or make it slow"
        )
    return found
