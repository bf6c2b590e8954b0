"""P2 in its three strengths, and what all of Paxos is for: one value is chosen in an instance.

Rules
1. A proposal is chosen when a majority of distinct acceptors has accepted it, or when a learner
   says that it was, naming its ballot, and the votes do not refute it. A majority takes the number
   of nodes: where nobody told it, only the learners' word counts.
2. Above a chosen proposal no other value is issued (P2b), accepted (P2a) or chosen (P2). What is
   chosen was accepted, and what is accepted was issued, though the trace may lack the line; so
   where P2 is broken P2a is, and where P2a is broken P2b is, as T16 says.
3. All of it holds of everything that ever happens, so it needs no order in time. The event that is
   named is the issue, acceptance or choice of the higher proposal; it may stand before the lower
   one was chosen.

Sources: Lamport 2001, section 2.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from checkers.laws.breach import Breach, first_of, scope, spell
from checkers.laws.tally import Proposal, Tally
from checkers.trace import Ballot, Instance, Scalar


class _Chosen(msgspec.Struct):
    """`at`: the event that made it so; `proof`: the votes, and the learner's word if need be."""

    ballot: Ballot
    value: Scalar
    at: int
    proof: tuple[int, ...]


Entries = dict[tuple[Ballot, Scalar], int]  # proposals, and where they were issued or accepted
ChosenBy = dict[Instance, list[_Chosen]]


def p2(tally: Tally) -> Breach | None:
    """P2: every proposal that is chosen above a chosen one has its value."""
    chosen = _chosen(tally)
    return _above("p2", "chosen", tally, chosen, _proposals(tally, chosen, lambda _: -1))


def p2a(tally: Tally) -> Breach | None:
    """P2a: every proposal that an acceptor accepts above a chosen one has its value."""
    chosen = _chosen(tally)
    found = _proposals(tally, chosen, lambda proposal: proposal.accepted_at)
    return _above("p2a", "accepted", tally, chosen, found)


def p2b(tally: Tally) -> Breach | None:
    """P2b: every proposal that is issued above a chosen one has its value."""
    chosen = _chosen(tally)
    found = _proposals(tally, chosen, lambda p: p.issued_at if p.issued_at >= 0 else p.seen_at)
    return _above("p2b", "issued", tally, chosen, found)


def _chosen(tally: Tally) -> ChosenBy:
    """The chosen proposals of each instance, the lowest ballot first."""
    found: dict[Instance, dict[tuple[Ballot, Scalar], _Chosen]] = {}
    for (instance, ballot, value), proposal in tally.proposals.items():
        if proposal.chosen_at >= 0:
            proof = tuple(sorted(proposal.votes.values()))
            won = _Chosen(ballot, value, proposal.chosen_at, proof)
            found.setdefault(instance, {})[ballot, value] = won
    for (instance, ballot_said, value), position in tally.learnt.items():
        if ballot_said is None:
            continue
        accepted = tally.proposals.get((instance, ballot_said, value))
        votes = sorted(accepted.votes.values()) if accepted is not None else []
        held = found.setdefault(instance, {})
        if (by_votes := held.get((ballot_said, value))) is not None:
            by_votes.at = min(by_votes.at, position)
        elif tally.cluster.may_have_majority(len(votes)):
            held[ballot_said, value] = _Chosen(ballot_said, value, position, (*votes, position))
    return {i: sorted(held.values(), key=lambda won: won.ballot) for i, held in found.items()}


def _proposals(
    tally: Tally, chosen: ChosenBy, where: Callable[[Proposal], int]
) -> dict[Instance, Entries]:
    """The proposals of each instance in which one was chosen, with the event that `where` finds;
    where it finds none, -1, a chosen one stands there with the event that made it so."""
    found = {i: {(won.ballot, won.value): won.at for won in group} for i, group in chosen.items()}
    for (instance, ballot, value), proposal in tally.proposals.items():
        if instance in found and (position := where(proposal)) >= 0:
            found[instance][ballot, value] = position
    return found


def _above(
    law: str, done: str, tally: Tally, chosen: ChosenBy, entries: dict[Instance, Entries]
) -> Breach | None:
    return first_of(
        Breach(
            law,
            f"{tally.trace[position].node}: another value, {value!r}, was {done} at "
            f"{spell(ballot)} in {scope(instance, None)} ({tally.trace[position].event}), where "
            f"{spell(lower.ballot)} = {lower.value!r} was chosen.",
            position,
            lower.proof,
        )
        for instance, won in chosen.items()
        for (ballot, value), position in entries[instance].items()
        if (lower := _lower(won, ballot, value)) is not None
    )


def _lower(won: Sequence[_Chosen], ballot: Ballot, value: Scalar) -> _Chosen | None:
    """The lowest chosen proposal below the ballot that has another value."""
    for lower in won:
        if lower.ballot >= ballot:
            return None
        if lower.value != value:
            return lower
    return None


def chosen_once(tally: Tally) -> Breach | None:
    """T2: two values are never chosen in an instance, whoever counted the votes, in any life."""
    first: dict[Instance, tuple[int, Scalar, tuple[int, ...]]] = {}
    for position, instance, value, proof in sorted(_sightings(tally), key=lambda s: s[0]):
        earlier, held, its_proof = first.setdefault(instance, (position, value, proof))
        if held != value:
            event, other = tally.trace[position], tally.trace[earlier]
            return Breach(
                "chosen-once",
                f"{value!r} was chosen in {scope(instance, None)} ({event.event} by {event.node}), "
                f"where {held!r} had been chosen ({other.event} by {other.node}).",
                position,
                its_proof,
            )
    return None


def _sightings(tally: Tally) -> Iterator[tuple[int, Instance, Scalar, tuple[int, ...]]]:
    """Where a value showed to be chosen, by a majority of votes or by a learner's word."""
    for (instance, _, value), position in tally.learnt.items():
        yield position, instance, value, (position,)
    for (instance, _, value), proposal in tally.proposals.items():
        if proposal.chosen_at >= 0:
            votes = sorted(v for v in proposal.votes.values() if v <= proposal.chosen_at)
            yield proposal.chosen_at, instance, value, tuple(votes)
