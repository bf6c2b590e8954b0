"""The instances in which a law can be broken at all: a quick pass that few instances survive.

In most instances one value is proposed, by one node that a majority promised, and a majority
accepts it before anybody learns it. No law that joins several nodes can be broken there, and they
are judged only where it is not so.

Rules
1. The sieve may keep an instance in which nothing is broken. It never drops one in which something
   is: each test below is wider than the laws that it stands for.
2. Two values contest an instance wherever they stand: issued, accepted, reported or learnt.
   Values that Python calls equal and JSON does not, as 1 and true, are two.
3. What needs reports to be explained, as a vote that was durable and never traced, is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from checkers.laws.tally import Cluster, Positions
from checkers.trace import Ballot, Instance, Scalar, TraceEvent


def suspects(trace: Sequence[TraceEvent], at: Positions, cluster: Cluster) -> set[Instance | None]:
    """The instances that the laws of several nodes have to look at."""
    sieve = _Sieve(trace, at, cluster)
    sieve.accepted()
    sieve.promised()
    sieve.issued()
    sieve.learnt()  # last: it asks for the votes
    return sieve.kept


class _Bits(dict[str, int]):
    """A node's bit in a mask of nodes."""

    def __missing__(self, node: str) -> int:
        bit = self[node] = 1 << len(self)
        return bit


class _Sieve:
    def __init__(self, trace: Sequence[TraceEvent], at: Positions, cluster: Cluster) -> None:
        self._trace, self._at, self._cluster = trace, at, cluster
        self.kept: set[Instance | None] = set()
        self._bits = _Bits()
        self._values: dict[
            Instance | None, Scalar
        ] = {}  # the first value that was seen in an instance
        # Who accepted anything at a ballot in an instance, as a mask.
        self._votes: defaultdict[Ballot | None, dict[Instance | None, int]] = defaultdict(dict)
        # Who promised a ballot for one instance, as a mask; from which slot on, for all slots.
        self._promised: dict[tuple[Instance | None, Ballot | None], int] = {}
        self._firsts: defaultdict[Ballot | None, dict[str, int]] = defaultdict(dict)

    def accepted(self) -> None:
        trace, bits, values, kept = self._trace, self._bits, self._values, self.kept
        ballot, votes = None, self._votes[None]
        for position in self._at.get("accepted", ()):
            event = trace[position]
            if event.ballot is not ballot:
                ballot = event.ballot
                votes = self._votes[ballot]
            instance, value = event.instance, event.value
            votes[instance] = votes.get(instance, 0) | bits[event.node]
            held = values.setdefault(instance, value)
            if held is not value and _differ(held, value):
                kept.add(instance)

    def promised(self) -> None:
        values, kept = self._values, self.kept
        for position in self._at.get("promise", ()):
            event = self._trace[position]
            if event.instance is None:
                firsts, first = self._firsts[event.ballot], event.first or 0
                firsts[event.node] = min(first, firsts.get(event.node, first))
            else:
                scope = (event.instance, event.ballot)
                self._promised[scope] = self._promised.get(scope, 0) | self._bits[event.node]
            for instance, _, value in event.accepted:
                held = values.setdefault(instance, value)
                if held is not value and _differ(held, value):
                    kept.add(instance)

    def issued(self) -> None:
        """P2c where all values are equal is a majority of promises; a ballot needs one user."""
        values, kept = self._values, self.kept
        users = self._users()
        ballot, reach, user = None, self._reach(None), None
        for position in self._at.get("accept", ()):
            event = self._trace[position]
            if event.ballot is not ballot:
                ballot = event.ballot
                reach, user = self._reach(ballot), users.get(ballot)
            instance, value = event.instance, event.value
            assert instance is not None
            held = values.setdefault(instance, value)
            near = isinstance(instance, str) or instance < reach
            if (
                user is None
                or (held is not value and _differ(held, value))
                or (near and not self._promised_by_enough(instance, ballot))
            ):
                kept.add(instance)

    def _users(self) -> dict[Ballot | None, str | None]:
        """The node that prepares or issues at a ballot; None if several do."""
        users: dict[Ballot | None, str | None] = {}
        for name in ("prepare", "accept"):
            for position in self._at.get(name, ()):
                event = self._trace[position]
                if users.setdefault(event.ballot, event.node) != event.node:
                    users[event.ballot] = None
        return users

    def _reach(self, ballot: Ballot | None) -> float:
        """The slot from which on a majority promised the ballot for all slots."""
        firsts = sorted(self._firsts[ballot].values())
        needed = self._cluster.majority - self._cluster.silent
        if needed <= 0:
            return float("-inf")
        return firsts[needed - 1] if len(firsts) >= needed else float("inf")

    def _promised_by_enough(self, instance: Instance, ballot: Ballot | None) -> bool:
        mask = self._promised.get((instance, ballot), 0)
        if not isinstance(instance, str):
            for node, first in self._firsts[ballot].items():
                mask |= self._bits[node] if first <= instance else 0
        return self._cluster.may_have_majority(mask.bit_count())

    def learnt(self) -> None:
        trace, values, kept = self._trace, self._values, self.kept
        ballot, votes = None, self._votes[None]
        enough: set[int] = set()  # masks that are known to be, or perhaps to be, majorities
        known: set[Instance | None] = set()
        for position in self._at.get("chosen", ()):
            event = trace[position]
            instance, value = event.instance, event.value
            held = values.setdefault(instance, value)
            if held is not value and _differ(held, value):
                kept.add(instance)
                continue
            if event.ballot is None:
                if instance not in known:
                    known.add(instance)
                    if not self._accepted_somewhere(instance):
                        kept.add(instance)
                continue
            if event.ballot is not ballot:
                ballot = event.ballot
                votes = self._votes[ballot]
            mask = votes.get(instance, 0)
            if mask not in enough:
                if self._cluster.may_have_majority(mask.bit_count()):
                    enough.add(mask)
                else:
                    kept.add(instance)

    def _accepted_somewhere(self, instance: Instance | None) -> bool:
        return any(
            self._cluster.may_have_majority(votes.get(instance, 0).bit_count())
            for votes in self._votes.values()
        )


def _differ(one: Scalar, other: Scalar) -> bool:
    return one != other or one.__class__ is not other.__class__
