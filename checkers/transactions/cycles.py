"""Short cycles among transactions, of the worst kind that there is.

Rules
1. A cycle is named for the dependencies in it: G0 ww only, G1c ww and wr, G-single one rw,
   G-nonadjacent several rw of which no two follow one another, G2-item any; with "-realtime" where
   it needs real time. In this order they are looked for, those without real time first.
2. Cycles are looked for in the strongly connected components only, the smallest first, and the one
   told is the shortest found: a person has to follow it.
3. Time is bounded: after WORK_MAX steps the cycle is any that the component has. That there is one
   is certain by then; only its name may be weaker than it could be (`Search.exhausted`).

Sources: Adya 1999, section 4 (G0, G1c, G-single, G2-item); Cerone and Gotsman 2018 (snapshot
isolation allows only cycles with two adjacent anti-dependencies).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import msgspec

from checkers.transactions.graph import (
    LINK,
    RT,
    RW,
    WR,
    WW,
    Graph,
    components,
    kind,
    knots,
    target,
)

WORK_MAX = 3_000_000
STARTS_MAX = 60


class _Work:
    """Steps that may still be made; without a limit None."""

    def __init__(self, left: float) -> None:
        self.left = left

    def step(self) -> bool:
        self.left -= 1
        return self.left > 0


Adjacency = list[list[tuple[int, int]]]  # by node: (target, kind)


class Dependency(msgspec.Struct, frozen=True):
    """`source` and `to` are places of transactions; `kind` is WW, WR, RW or RT."""

    source: int
    kind: int
    to: int


Cycle = tuple[Dependency, ...]


def name_of(cycle: Cycle) -> str:
    """Rule 1."""
    kinds = [dependency.kind for dependency in cycle]
    rw = kinds.count(RW)
    if rw == 0:
        name = "G1c" if WR in kinds else "G0"
    elif rw == 1:
        name = "G-single"
    else:
        adjacent = any(a == b == RW for a, b in zip(kinds, kinds[1:] + kinds[:1], strict=True))
        name = "G2-item" if adjacent else "G-nonadjacent"
    return f"{name}-realtime" if RT in kinds else name


class Search:
    """Of one graph. `exhausted`: was a name given that may be too weak?"""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._work = _Work(WORK_MAX)
        self.exhausted = False

    def worst(self) -> Iterator[Cycle]:
        """A cycle of each component that has some."""
        for knot in knots(self._graph):
            yield _worst(self._graph, knot, self._work)
            self.exhausted = self._work.left <= 0


def _worst(graph: Graph, knot: Sequence[int], work: _Work) -> Cycle:
    places = {node: at for at, node in enumerate(sorted(knot))}
    nodes = sorted(knot)
    every: Adjacency = [
        [(places[target(e)], kind(e)) for e in graph.edges[node] if target(e) in places]
        for node in nodes
    ]
    real = [node < graph.transactions for node in nodes]
    for real_time in (False, True):
        allowed = {LINK, RT} if real_time else {LINK}
        for rw_max, kinds in ((0, {WW}), (0, {WW, WR}), (1, {WW, WR}), (2, {WW, WR, RW})):
            within = _only(every, kinds | allowed)
            if rw_max == 0:
                found = _plain(within, real, work)
            elif rw_max == 1:
                found = _single(every, within, work)
            else:
                found = _nonadjacent(within, work) or _plain(within, real, work)
            if found is not None:
                return _named(found, nodes, graph.transactions)
    any_cycle = _plain(every, real, _Work(float("inf")), starts_max=1)
    assert any_cycle is not None, "a component of several nodes has a cycle"
    return _named(any_cycle, nodes, graph.transactions)


def _only(every: Adjacency, kinds: set[int]) -> Adjacency:
    return [[edge for edge in edges if edge[1] in kinds] for edges in every]


Path = list[tuple[int, int]]  # (node, kind of the edge that leaves it), in order


def _plain(
    within: Adjacency, real: Sequence[bool], work: _Work, starts_max: int = STARTS_MAX
) -> Path | None:
    """The shortest cycle through any of the first nodes of the smallest component."""
    if work.left <= 0:
        return None
    inner = components([[to for to, _ in edges] for edges in within])
    if not inner:
        return None
    smallest: list[int] = min(inner, key=len)
    members = set(smallest)
    starts = sorted(node for node in members if real[node])[:starts_max]
    paths = (_path(within, start, start, members, work) for start in starts)
    return min(filter(None, paths), key=_length, default=None)


def _single(every: Adjacency, within: Adjacency, work: _Work) -> Path | None:
    """One rw, and back without any."""
    best: Path | None = None
    for source, edges in enumerate(every):
        for to, of in edges:
            if of != RW or work.left <= 0:
                continue
            back = [] if to == source else _path(within, to, source, None, work)
            if back is not None and (best is None or _length(back) + 1 < _length(best)):
                best = [(source, RW), *back]
    return best


def _nonadjacent(within: Adjacency, work: _Work) -> Path | None:
    """In the product with "did we come by rw": from there only other edges lead on."""
    product: Adjacency = []
    for edges in within:
        product.append([(2 * to + (of == RW), of) for to, of in edges])
        # A link keeps what it was entered by.
        product.append([(2 * to + (of == LINK), of) for to, of in edges if of != RW])
    found = _plain(product, [True] * len(product), work)
    return None if found is None else [(node // 2, of) for node, of in found]


def _path(
    within: Adjacency, start: int, goal: int, members: set[int] | None, work: _Work
) -> Path | None:
    """The shortest way from `start` to `goal` by at least one edge; links cost nothing. None where
    there is none, and where the work ran out before one was found."""
    cost = {start: 0}
    came: dict[int, tuple[int, int]] = {}
    queue = deque([(0, start)])
    best: tuple[float, int, int] = (float("inf"), -1, -1)  # cost, the node before the goal, kind
    while queue:
        so_far, node = queue.popleft()
        if so_far >= best[0] or not work.step():
            break
        if so_far > cost[node]:
            continue
        for to, of in within[node]:
            if members is not None and to not in members:
                continue
            ahead = so_far + (of != LINK)
            if to == goal:
                best = min(best, (ahead, node, of))
            elif ahead < cost.get(to, ahead + 1):
                cost[to], came[to] = ahead, (node, of)
                if of == LINK:
                    queue.appendleft((ahead, to))
                else:
                    queue.append((ahead, to))
    return None if best[1] < 0 else _traced(came, start, best[1:])


def _traced(came: dict[int, tuple[int, int]], start: int, last: tuple[int, int]) -> Path:
    path = [last]
    while path[-1][0] != start:
        path.append(came[path[-1][0]])
    return path[::-1]


def _length(path: Path) -> int:
    return sum(of != LINK for _, of in path)


def _named(path: Path, nodes: Sequence[int], transactions: int) -> Cycle:
    """The cycle in transactions: each edge out of one, with the transaction at the end of it."""
    steps = [(nodes[at], of) for at, of in path]
    first = next(at for at, (node, _) in enumerate(steps) if node < transactions)
    steps = steps[first:] + steps[:first]
    leaving = [(node, of) for node, of in steps if node < transactions]
    following = leaving[1:] + leaving[:1]
    cycle = tuple(
        Dependency(node, of, to) for (node, of), (to, _) in zip(leaving, following, strict=True)
    )
    least = min(range(len(cycle)), key=lambda at: cycle[at].source)
    return cycle[least:] + cycle[:least]
