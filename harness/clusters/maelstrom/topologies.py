"""Who is whose neighbour: what a broadcast node is told after its init.

Source: the topologies of Maelstrom's broadcast workload.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isqrt

from harness.clusters.maelstrom.settings import Topology

Neighbours = dict[str, list[str]]

TREE_BRANCHES = 4


def neighbours(topology: Topology, nodes: Sequence[str]) -> Neighbours:
    """By node, each with at least one entry (an empty list for a node alone)."""
    return _TOPOLOGIES[topology](nodes)


def _total(nodes: Sequence[str]) -> Neighbours:
    return {node: [other for other in nodes if other != node] for node in nodes}


def _line(nodes: Sequence[str]) -> Neighbours:
    return _joined(nodes, [(i, i + 1) for i in range(len(nodes) - 1)])


def _grid(nodes: Sequence[str]) -> Neighbours:
    """Rows of equal length, as near to a square as it goes; the last may be shorter."""
    width = isqrt(max(0, len(nodes) - 1)) + 1
    beside = [(i, i + 1) for i in range(len(nodes) - 1) if (i + 1) % width]
    below = [(i, i + width) for i in range(len(nodes) - width)]
    return _joined(nodes, beside + below)


def _tree(nodes: Sequence[str]) -> Neighbours:
    return _joined(nodes, [((i - 1) // TREE_BRANCHES, i) for i in range(1, len(nodes))])


def _joined(nodes: Sequence[str], edges: Sequence[tuple[int, int]]) -> Neighbours:
    found: Neighbours = {node: [] for node in nodes}
    for a, b in edges:
        found[nodes[a]].append(nodes[b])
        found[nodes[b]].append(nodes[a])
    return found


_TOPOLOGIES: Mapping[Topology, Callable[[Sequence[str]], Neighbours]] = {
    "grid": _grid,
    "line": _line,
    "total": _total,
    "tree": _tree,
}
