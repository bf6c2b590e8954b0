"""The laws of choosing and learning: quorums, P2b, and one value an instance.

Rules
1. Learnt is chosen: a majority of distinct acceptors accepted the value, at the learner's ballot
   where it names one, at any one ballot where it learnt from another.
2. P2b: once a majority has accepted (n, v), every higher proposal has v. It holds of everything
   that ever happens, so it needs no order in time; it needs the number of nodes.
3. What one node learnt of an instance is what every node learns, itself in later lives included.

Sources: Lamport 2001, sections 2.2 and 2.3.
"""

from __future__ import annotations

from collections.abc import Sequence

from checkers.laws.breach import Breach, scope, spell
from checkers.laws.tally import Tally, frozen
from checkers.trace import Ballot, Instance, Scalar, TraceEvent


def quorum(tally: Tally, trace: Sequence[TraceEvent]) -> Breach | None:
    """T13: what a node learnt, a majority of distinct acceptors had accepted."""
    elsewhere: dict[tuple[Instance, Scalar], int] | None = None
    for (instance, ballot, value), position in tally.chosen.items():
        votes = 0
        if ballot is None:
            if elsewhere is None:
                elsewhere = _best_votes(tally)
            votes = elsewhere.get((instance, value), 0)
        elif (proposal := tally.proposals.get((instance, ballot, value))) is not None:
            votes = proposal.votes
        if tally.may_have_majority(votes):
            continue
        at = "any one ballot" if ballot is None else f"ballot {spell(ballot)}"
        voters = tally.voters(votes)
        return Breach(
            "quorum",
            f"{trace[position].node} learnt {value!r} in {scope(instance, None)}, but at {at} only "
            f"{', '.join(voters) or 'nobody'} accepted it: {tally.majority} of {tally.size} are "
            f"needed.",
            position,
            _votes_in(trace, instance, ballot, value),
        )
    return None


def _best_votes(tally: Tally) -> dict[tuple[Instance, Scalar], int]:
    best: dict[tuple[Instance, Scalar], int] = {}
    for (instance, _, value), proposal in tally.proposals.items():
        held = best.get((instance, value), 0)
        if proposal.votes.bit_count() > held.bit_count():
            best[instance, value] = proposal.votes
    return best


def _votes_in(
    trace: Sequence[TraceEvent], instance: Instance, ballot: Ballot | None, value: Scalar
) -> tuple[int, ...]:
    """Where the proposal was accepted, the first time by each node; ten at most."""
    first: dict[str, int] = {}
    for position, event in enumerate(trace):
        if (
            event.event == "accepted"
            and event.instance == instance
            and frozen(event.value) == value
            and (ballot is None or event.ballot == ballot)
        ):
            first.setdefault(event.node, position)
    return tuple(first.values())[:10]


def value_stays(tally: Tally, trace: Sequence[TraceEvent]) -> Breach | None:
    """P2b: no proposal above a chosen one has another value."""
    learnt: dict[Instance, list[tuple[Ballot, Scalar]]] = {}
    for instance, ballot, value in tally.chosen:
        if ballot is not None and instance in tally.contested:
            learnt.setdefault(instance, []).append((ballot, value))
    found: list[tuple[int, Instance, Ballot, Ballot, Scalar]] = []
    for instance, group in tally.contests():
        won = [(b, v) for b, v, proposal in group if tally.has_majority(proposal.votes)]
        won += learnt.get(instance, [])
        if not won:
            continue
        lowest, value = min(won, key=lambda entry: entry[0])
        found += [
            (proposal.seen_at, instance, ballot, lowest, value)
            for ballot, other, proposal in group
            if ballot > lowest and other != value
        ]
    if not found:
        return None
    position, instance, ballot, lowest, value = min(found, key=lambda entry: entry[0])
    event = trace[position]
    return Breach(
        "p2b",
        f"{event.node} has another value at {spell(ballot)} in {scope(instance, None)} "
        f"({event.event}), where {spell(lowest)} = {value!r} was chosen.",
        position,
        _votes_in(trace, instance, lowest, value),
    )


def one_value(tally: Tally, trace: Sequence[TraceEvent]) -> Breach | None:
    """T2, agreement: all nodes learn one value in an instance, and none learns it anew."""
    first: dict[Instance, tuple[Scalar, int]] = {}
    for (instance, _, value), position in tally.chosen.items():
        held, earlier = first.setdefault(instance, (value, position))
        if held != value:
            return Breach(
                "agreement",
                f"{trace[position].node} learnt {value!r} in {scope(instance, None)}, where "
                f"{trace[earlier].node} had learnt {held!r}.",
                position,
                (earlier,),
            )
    return None
