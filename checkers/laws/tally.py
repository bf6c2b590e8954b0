"""What a trace adds up to: where each kind of event stands, and the proposals with their votes.

Rules
1. A tally has no time. The laws that join several nodes hold of everything that ever happened, so
   no order between nodes, which only their clocks could tell, is used. Positions say which event
   is named first, and decide nothing.
2. A node counts once, however often it says a thing.
3. A report in a promise is as good a sign of acceptance as the acceptance itself: the node may
   have been killed after the proposal was durable and before it was traced.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import attrgetter

import msgspec

from checkers.history import freeze
from checkers.trace import Ballot, Instance, Scalar, TraceEvent

Positions = Mapping[str, list[int]]  # where the events of each name stand, in order
Key = tuple[Instance, Ballot, Scalar]


def positions(trace: Sequence[TraceEvent]) -> Positions:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for position, event in enumerate(trace):
        found[event.event].append(position)
    return found


class Cluster:
    """The nodes that take part: `declared` names them all, and is empty where they are unknown."""

    def __init__(self, trace: Sequence[TraceEvent], declared: Sequence[str]) -> None:
        self.declared = tuple(declared)
        quiet = set(self.declared)
        for event in trace if quiet else ():
            quiet.discard(event.node)
            if not quiet:
                break
        # Nodes without a single event: they may have promised and accepted anything.
        self.silent = len(quiet)
        self.size = len(self.declared) or len(set(map(attrgetter("node"), trace)))
        self.majority = self.size // 2 + 1

    def may_have_majority(self, voters: int) -> bool:
        """Could so many, with the silent nodes, be a majority?"""
        return voters + self.silent >= self.majority

    def has_majority(self, voters: int) -> bool:
        """Are so many a majority, whatever the trace does not show?"""
        return bool(self.declared) and voters >= self.majority


class Proposal(msgspec.Struct, gc=False):
    """A proposal of one value at one ballot.

    `votes`: who accepted it, with the position of the first sign of it. The positions are those
    of the first sign of the proposal, of its issue (by `issuer`) and of the vote that made a
    majority; -1 where the trace has none.
    """

    seen_at: int
    issued_at: int = -1
    issuer: str | None = None
    chosen_at: int = -1
    votes: dict[str, int] = {}

    @property
    def accepted_at(self) -> int:
        return min(self.votes.values(), default=-1)


class Tally:
    """The events of some instances, added up. `prepares` and `promises` are those of all."""

    def __init__(
        self,
        trace: Sequence[TraceEvent],
        at: Positions,
        cluster: Cluster,
        instances: Collection[Instance | None],
    ) -> None:
        self.trace, self.at, self.cluster = trace, at, cluster
        self.proposals: dict[Key, Proposal] = {}
        # The proposals of a value in an instance, at all ballots.
        self.ballots: dict[tuple[Instance, Scalar], list[Proposal]] = {}
        # Who issued anything at a ballot in an instance, and where first.
        self.issued: dict[tuple[Instance, Ballot], dict[str, int]] = {}
        self.learnt: dict[tuple[Instance, Ballot | None, Scalar], int] = {}
        self.promises: dict[tuple[Instance | None, Ballot], list[int]] = {}
        self.reports: dict[int, dict[Instance, tuple[Ballot, Scalar]]] = {}  # by the promise
        self._instances = instances
        for position in self._of_interest() if instances else ():
            self._see(position, trace[position])

    def _of_interest(self) -> list[int]:
        trace, instances = self.trace, self._instances
        found = [p for p in self.at.get("promise", ()) if self._speaks_of(trace[p])]
        for name in ("accept", "accepted", "chosen"):
            found += [p for p in self.at.get(name, ()) if trace[p].instance in instances]
        return sorted(found)

    def _speaks_of(self, promise: TraceEvent) -> bool:
        """Does the promise cover one of our instances, or report of one?"""
        if promise.instance is None or promise.instance in self._instances:
            return True
        return any(instance in self._instances for instance, _, _ in promise.accepted)

    def _see(self, position: int, event: TraceEvent) -> None:
        instance, ballot = event.instance, event.ballot
        if event.event == "chosen":
            assert instance is not None
            self.learnt.setdefault((instance, ballot, frozen(event.value)), position)
            return
        assert ballot is not None, "read_trace refuses these events without a ballot"
        if event.event == "promise":
            self._promised(position, event, (instance, ballot))
            return
        assert instance is not None
        key = (instance, ballot, frozen(event.value))
        if event.event == "accepted":
            self._vote(event.node, key, position)
            return
        proposal = self._proposal(key, position)
        if proposal.issuer is None:
            proposal.issuer, proposal.issued_at = event.node, position
        self.issued.setdefault((instance, ballot), {}).setdefault(event.node, position)

    def _promised(
        self, position: int, event: TraceEvent, key: tuple[Instance | None, Ballot]
    ) -> None:
        self.promises.setdefault(key, []).append(position)
        highest: dict[Instance, tuple[Ballot, Scalar]] = {}
        for instance, ballot, value in event.accepted:
            if instance in self._instances:
                report = (ballot, frozen(value))
                self._vote(event.node, (instance, *report), position)
                if instance not in highest or highest[instance][0] < ballot:
                    highest[instance] = report
        self.reports[position] = highest

    def _proposal(self, key: Key, position: int) -> Proposal:
        proposal = self.proposals.get(key)
        if proposal is None:
            proposal = self.proposals[key] = Proposal(position)
            self.ballots.setdefault((key[0], key[2]), []).append(proposal)
        return proposal

    def _vote(self, node: str, key: Key, position: int) -> None:
        proposal = self._proposal(key, position)
        proposal.votes.setdefault(node, position)
        if proposal.chosen_at < 0 and self.cluster.has_majority(len(proposal.votes)):
            proposal.chosen_at = position

    def covering(self, instance: Instance, ballot: Ballot) -> Iterable[int]:
        """Where the ballot was promised for the instance."""
        yield from self.promises.get((instance, ballot), ())
        if not isinstance(instance, str):
            for position in self.promises.get((None, ballot), ()):
                if (self.trace[position].first or 0) <= instance:
                    yield position


def frozen(value: Scalar) -> Scalar:
    """The value as a key: true is not 1."""
    return value if value.__class__ is str else freeze(value)
