"""The graph of what depends on what, and its strongly connected components.

Rules
1. ww: one appended next behind the other. wr: one read what the other appended last. rw: one read a
   list without what the other appended next. rt: one had returned when the other was invoked.
2. Real time needs no edge for every pair: completions form a chain, each call hangs behind the link
   before its invocation. So does what nobody saw: it comes behind every read of the longest
   version, and its writers stand on two chains, one in each direction, since a reader that is a
   writer itself is before all the others and not before itself.
3. An edge out of a link has no kind of its own: a path has the kind of the edge by which it came.
   A cycle of the graph is so a cycle of transactions, with as many dependencies as edges that are
   not of kind LINK.

Sources: Adya 1999, section 3.1; Elle's time-ordered graph; Tarjan 1972, with a stack of its own,
since Python's is too small for a history.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from checkers.finding import end_of
from checkers.transactions.reading import Transaction
from checkers.transactions.versions import Order, Versions

WW, WR, RW, RT, LINK = range(5)
NAMES = {WW: "ww", WR: "wr", RW: "rw", RT: "rt"}
_BITS = 3  # of an edge that say its kind; the others say where it leads


class Graph:
    """`edges[node]`: numbers that `target` and `kind` take apart. The nodes below `transactions`
    are the transactions by their places, the others are links."""

    def __init__(self, transactions: int) -> None:
        self.transactions = transactions
        self.edges: list[list[int]] = [[] for _ in range(transactions)]

    def link(self) -> int:
        self.edges.append([])
        return len(self.edges) - 1

    def add(self, source: int, to: int, kind: int) -> None:
        if source != to:
            self.edges[source].append(to << _BITS | kind)


def target(edge: int) -> int:
    return edge >> _BITS


def kind(edge: int) -> int:
    return edge & (1 << _BITS) - 1


def graph_of(
    transactions: Sequence[Transaction], versions: Versions, kinds: Iterable[int]
) -> Graph:
    """Of the kinds that are asked for, which must not be LINK."""
    graph, wanted = Graph(len(transactions)), frozenset(kinds)
    unseen = {key: _Unseen(graph, order, wanted) for key, order in versions.items()}
    for txn in transactions:
        for read in txn.reads:
            order = versions[read.key]
            if WR in wanted and read.external and len(read.values) <= len(order.values):
                _add(graph, order.writers[read.external - 1], txn.place, WR)
            if RW not in wanted:
                continue
            if len(read.values) < len(order.writers):
                _add(graph, txn.place, order.writers[len(read.values)], RW)
            else:
                unseen[read.key].behind(txn.place)
    if RT in wanted:
        _real_time(graph, transactions)
    return graph


def _add(graph: Graph, source: int, to: int, kind: int) -> None:
    if source >= 0 and to >= 0:
        graph.add(source, to, kind)


class _Unseen:
    """The writers whose appends to one list nobody saw, behind all that was seen. `_down[i]` leads
    to all of them from i on, `_up[i]` to all up to i."""

    def __init__(self, graph: Graph, order: Order, wanted: frozenset[int]) -> None:
        self._graph = graph
        writers = order.writers
        if WW in wanted:
            for one, next_one in pairwise(writers):
                _add(graph, one, next_one, WW)
        unseen = order.unseen
        self._at = {place: at for at, place in enumerate(unseen)}
        self._down = self._chain(list(reversed(unseen)))[::-1]
        self._up = self._chain(unseen)
        if WW in wanted and unseen and writers and writers[-1] not in self._at:
            _add(graph, writers[-1], self._down[0], WW)

    def _chain(self, places: Sequence[int]) -> list[int]:
        links: list[int] = []
        for place in places:
            link = self._graph.link()
            self._graph.add(link, place, LINK)
            if links:
                self._graph.add(link, links[-1], LINK)
            links.append(link)
        return links

    def behind(self, place: int) -> None:
        """They all come behind `place`, which read the longest version; not behind itself."""
        if not self._at:
            return
        at = self._at.get(place)
        if at is None:
            self._graph.add(place, self._down[0], RW)
            return
        if at:
            self._graph.add(place, self._up[at - 1], RW)
        if at + 1 < len(self._down):
            self._graph.add(place, self._down[at + 1], RW)


def _real_time(graph: Graph, transactions: Sequence[Transaction]) -> None:
    """A link holds the completions since the last invocation, and leads to the next link."""
    moments = [(float(txn.index), 0, txn.place) for txn in transactions if txn.outcome != "fail"]
    moments += [(end_of(t.call), 1, t.place) for t in transactions if t.outcome == "ok"]
    moments.sort()
    last, held = -1, []
    for _, ended, place in moments:
        if ended:
            held.append(place)
            continue
        if held:
            link = graph.link()
            for earlier in held:
                graph.add(earlier, link, RT)
            if last >= 0:
                graph.add(last, link, LINK)
            last, held = link, []
        if last >= 0:
            graph.add(last, place, LINK)


def components(successors: Sequence[Sequence[int]], bits: int = 0) -> list[list[int]]:
    """The strongly connected components of more than one node; a successor is a number whose lowest
    `bits` do not count."""
    count = len(successors)
    order = [0] * count  # when a node was first met, from 1 on; 0: not yet
    low = [0] * count
    on_stack = bytearray(count)
    stack: list[int] = []
    found: list[list[int]] = []
    clock = 0
    for root in range(count):
        if order[root]:
            continue
        clock += 1
        order[root] = low[root] = clock
        stack.append(root)
        on_stack[root] = 1
        work = [(root, iter(successors[root]))]
        while work:
            node, rest = work[-1]
            for edge in rest:
                to = edge >> bits
                if not order[to]:
                    clock += 1
                    order[to] = low[to] = clock
                    stack.append(to)
                    on_stack[to] = 1
                    work.append((to, iter(successors[to])))
                    break
                if on_stack[to] and order[to] < low[node]:
                    low[node] = order[to]
            else:
                work.pop()
                if work and low[node] < low[work[-1][0]]:
                    low[work[-1][0]] = low[node]
                if low[node] == order[node]:
                    _close(node, stack, on_stack, found)
    return found


def _close(node: int, stack: list[int], on_stack: bytearray, found: list[list[int]]) -> None:
    component: list[int] = []
    while True:
        member = stack.pop()
        on_stack[member] = 0
        component.append(member)
        if member == node:
            break
    if len(component) > 1:
        found.append(component)


def knots(graph: Graph) -> list[list[int]]:
    """The components of the graph in which there are cycles, the smallest first."""
    return sorted(components(graph.edges, _BITS), key=len)
