"""What a trace adds up to: promises, proposals issued, votes and learnt values, by ballot.

Rules
1. A tally has no time. The laws that join several nodes hold of everything that ever happened, so
   no order between nodes, which only their clocks could tell, is used.
2. A node counts once, however often it says a thing.
3. A report in a promise is as good a sign of acceptance as the acceptance itself: the node may
   have been killed after the proposal was durable and before it was traced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from checkers.history import freeze
from checkers.trace import Ballot, Instance, Scalar, TraceEvent


class Proposal(msgspec.Struct, gc=False):
    """A proposal of one value at one ballot: who issued it, who accepted it.

    `votes` is a bit mask over the tally's nodes. Positions are those of the first sign of the
    proposal, of its issue and of its first acceptance; -1 where the trace has none.
    """

    seen_at: int
    issued_at: int = -1
    issuer: str | None = None
    accepted_at: int = -1
    votes: int = 0


Key = tuple[Instance, Ballot, Scalar]


class Tally:
    """One pass over a trace. `nodes` are all nodes of the cluster, empty where unknown."""

    def __init__(self, nodes: Sequence[str] = ()) -> None:
        self.declared = tuple(nodes)
        self.bits: dict[str, int] = {}  # node: its bit in a mask of votes
        self.proposals: dict[Key, Proposal] = {}
        self.chosen: dict[tuple[Instance, Ballot | None, Scalar], int] = {}
        self.promises: dict[tuple[Instance | None, Ballot], list[tuple[int, TraceEvent]]] = {}
        # Prepared ballots: node, life, position of the first.
        self.prepared: dict[tuple[Instance | None, Ballot], tuple[str, int, int]] = {}
        # (what, position, earlier position): "shared" or "reused" ballots
        self.clashes: list[tuple[str, int, int]] = []
        self.kinds: set[str] = set()
        self.contested: set[Instance] = set()  # instances in which two values were proposed
        self._values: dict[Instance, Scalar] = {}
        self._lives: dict[str, int] = {}

    def see(self, position: int, event: TraceEvent) -> None:
        self.kinds.add(event.event)
        if event.node not in self.bits:
            self.bits[event.node] = 1 << len(self.bits)
        if event.event == "accepted":
            proposal = self._proposal(event.instance, event.ballot, event.value, position)
            proposal.votes |= self.bits[event.node]
            if proposal.accepted_at < 0:
                proposal.accepted_at = position
        elif event.event == "accept":
            self._issued(position, event)
        elif event.event == "chosen":
            assert event.instance is not None
            key = (event.instance, event.ballot, frozen(event.value))
            self.chosen.setdefault(key, position)
        elif event.event == "promise":
            self._promised(position, event)
        elif event.event == "prepare":
            self._prepared(position, event)
        elif event.event == "restart":
            self._lives[event.node] = self._lives.get(event.node, 0) + 1

    def _proposal(
        self, instance: Instance | None, ballot: Ballot | None, value: Scalar, position: int
    ) -> Proposal:
        assert instance is not None
        assert ballot is not None
        value = frozen(value)
        key = (instance, ballot, value)
        proposal = self.proposals.get(key)
        if proposal is None:
            proposal = self.proposals[key] = Proposal(position)
            if self._values.setdefault(instance, value) != value:
                self.contested.add(instance)
        return proposal

    def _issued(self, position: int, event: TraceEvent) -> None:
        proposal = self._proposal(event.instance, event.ballot, event.value, position)
        if proposal.issuer is None:
            proposal.issuer, proposal.issued_at = event.node, position
        elif proposal.issuer != event.node:
            self.clashes.append(("shared", position, proposal.issued_at))

    def _promised(self, position: int, event: TraceEvent) -> None:
        assert event.ballot is not None
        key = (event.instance, event.ballot)
        self.promises.setdefault(key, []).append((position, event))
        for instance, ballot, value in event.accepted:
            self._proposal(instance, ballot, value, position).votes |= self.bits[event.node]

    def _prepared(self, position: int, event: TraceEvent) -> None:
        assert event.ballot is not None
        life = self._lives.get(event.node, 0)
        key = (event.instance, event.ballot)
        node, earlier_life, earlier = self.prepared.setdefault(key, (event.node, life, position))
        if node != event.node:
            self.clashes.append(("shared", position, earlier))
        elif life != earlier_life:
            self.clashes.append(("reused", position, earlier))

    @property
    def size(self) -> int:
        """The number of nodes: as declared, or as far as the trace shows."""
        return len(self.declared) or len(self.bits)

    @property
    def majority(self) -> int:
        return self.size // 2 + 1

    @property
    def silent(self) -> int:
        """Nodes without a single event: they may have promised and accepted anything."""
        return sum(node not in self.bits for node in self.declared)

    def may_have_majority(self, votes: int) -> bool:
        """Could these voters, with the silent nodes, be a majority?"""
        return votes.bit_count() + self.silent >= self.majority

    def has_majority(self, votes: int) -> bool:
        """Are these voters a majority, whatever the trace does not show?"""
        return bool(self.declared) and votes.bit_count() >= self.majority

    def voters(self, votes: int) -> list[str]:
        return [node for node, bit in self.bits.items() if votes & bit]

    def contests(self) -> Iterator[tuple[Instance, list[tuple[Ballot, Scalar, Proposal]]]]:
        """The proposals of each contested instance, by ballot."""
        groups: dict[Instance, list[tuple[Ballot, Scalar, Proposal]]] = {}
        for (instance, ballot, value), proposal in self.proposals.items():
            if instance in self.contested:
                groups.setdefault(instance, []).append((ballot, value, proposal))
        for instance, group in groups.items():
            yield instance, sorted(group, key=lambda entry: (entry[0], entry[2].seen_at))


def frozen(value: Scalar) -> Scalar:
    """The value as a key: true is not 1."""
    return value if value.__class__ is str else freeze(value)
