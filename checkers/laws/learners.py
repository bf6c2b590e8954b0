"""The laws of learners and replicas: what is learnt was chosen, logs agree, and so do states.

Rules
1. Learnt is chosen: a majority of distinct acceptors accepted the value, at the learner's ballot
   where it names one, at any one ballot where it learnt from another.
2. What one node learnt in a slot is what every node learns there, itself in later lives included.
   That a restart forgets nothing cannot be judged: what a snapshot covers is never learnt anew.
3. Replicas that applied the same slots are in the same state, in whatever life and by whatever
   way, applied one by one or taken over with a snapshot.

Sources: Lamport 2001, section 2.3 and section 3 (implementing a state machine).
"""

from __future__ import annotations

from collections.abc import Sequence

from checkers.laws.breach import Breach, scope, spell
from checkers.laws.tally import Positions, Tally
from checkers.trace import Instance, Scalar, TraceEvent


def quorum(tally: Tally) -> Breach | None:
    """T13: what a node learnt, a majority of distinct acceptors had accepted."""
    cluster = tally.cluster
    for (instance, ballot, value), position in tally.learnt.items():
        if ballot is None:
            proposals = tally.ballots.get((instance, value), [])
        else:
            proposal = tally.proposals.get((instance, ballot, value))
            proposals = [proposal] if proposal is not None else []
        if cluster.may_have_majority(max((len(p.votes) for p in proposals), default=0)):
            continue
        at = "any one ballot" if ballot is None else f"ballot {spell(ballot)}"
        names = sorted({node for proposal in proposals for node in proposal.votes})
        votes = {vote for proposal in proposals for vote in proposal.votes.values()}
        return Breach(
            "quorum",
            f"{tally.trace[position].node} learnt {value!r} in {scope(instance, None)}, but at "
            f"{at} only {', '.join(names) or 'nobody'} accepted it: {cluster.majority} of "
            f"{cluster.size} are needed.",
            position,
            tuple(sorted(votes)),
        )
    return None


def logs_agree(tally: Tally) -> Breach | None:
    """T1, T2: two learnt logs never differ in a slot, be they of two nodes or of two lives."""
    first: dict[Instance, tuple[Scalar, int]] = {}
    for (slot, _, value), position in tally.learnt.items():
        if isinstance(slot, str):
            continue
        held, earlier = first.setdefault(slot, (value, position))
        if held != value:
            node, other = tally.trace[position].node, tally.trace[earlier].node
            whose = "it had learnt" if node == other else f"{other} had learnt"
            return Breach(
                "log-agreement",
                f"{node} learnt {value!r} in slot {slot}, where {whose} {held!r}.",
                position,
                (earlier,),
            )
    return None


def states_equal(trace: Sequence[TraceEvent], at: Positions) -> Breach | None:
    """T1: replicas that have applied the same slots are in the same state."""
    first: dict[int | None, int] = {}
    for position in at.get("state", ()):
        event = trace[position]
        earlier = first.setdefault(event.index, position)
        if trace[earlier].digest != event.digest:
            return Breach(
                "state-equality",
                f"{event.node} was in state {event.digest!r} at slot {event.index}, where "
                f"{trace[earlier].node} was in state {trace[earlier].digest!r}.",
                position,
                (earlier,),
            )
    return None
