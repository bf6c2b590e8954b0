"""The safety laws of Paxos, judged over the protocol trace of a run.

Rules
1. A law that is broken names the first event that breaks it and the events that this contradicts.
2. No false alarm: a law is judged on one node's own order, or on what holds at any time, never on
   the clocks of two nodes. What a trace cannot show (a torn tail, a node that emitted nothing, a
   promise that was lost on its way) is always read in favour of the system.
3. A law whose events a trace does not contain is not judged, and the verdict says so.
4. The laws that join several nodes look only at instances that a quick pass could not clear, for
   in most nothing is contested (sieve.py).

Sources: Lamport, "Paxos Made Simple", 2001: its P1, P1a, P2, P2a, P2b, P2c and what they rest on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from checkers.laws.acceptors import accepted_kept, promise_kept
from checkers.laws.breach import Breach
from checkers.laws.choosing import chosen_once, p2, p2a, p2b
from checkers.laws.learners import logs_agree, quorum, states_equal
from checkers.laws.proposers import ballots_unique, justified
from checkers.laws.refusals import first_accepted
from checkers.laws.sieve import suspects
from checkers.laws.tally import Cluster, Positions, Tally, positions
from checkers.trace import TraceEvent, as_json
from checkers.verdict import Kind, Recording, Verdict, merge


class Law(msgspec.Struct, frozen=True):
    """`needs`: events without which a trace says nothing about the law. `of_slots`: nor does one
    in which no slot of a log was learnt."""

    name: str
    statement: str
    needs: tuple[str, ...]
    of_slots: bool = False


# What a node does alone comes first, then what proposers do, then what follows from these: the
# first broken law of a list is the nearest to the cause.
LAWS = (
    Law("p1", "P1: an acceptor refuses only what a promise of its own forbids.", ("refuse",)),
    Law("promise-kept", "P1a: an acceptor emits nothing below a promise it made.", ("promise",)),
    Law(
        "accepted-kept",
        "A promise reports the highest proposal that the acceptor had accepted.",
        ("promise", "accepted"),
    ),
    Law("ballot-unique", "A ballot has one proposer, one life and one value.", ("prepare",)),
    Law(
        "p2c",
        "P2c: a proposal has the value of the highest proposal that a majority reported, if any.",
        ("promise", "accept"),
    ),
    Law(
        "quorum",
        "A learner learns only what was chosen: a majority had accepted it.",
        ("accepted", "chosen"),
    ),
    Law(
        "p2b",
        "P2b: no proposal issued above a chosen one has another value.",
        ("accept", "accepted"),
    ),
    Law("p2a", "P2a: no proposal accepted above a chosen one has another value.", ("accepted",)),
    Law("p2", "P2: no proposal chosen above a chosen one has another value.", ("accepted",)),
    Law("chosen-once", "One value is chosen in an instance.", ("chosen",)),
    Law("log-agreement", "Two learnt logs never differ in a slot.", ("chosen",), of_slots=True),
    Law("state-equality", "Replicas at the same slot are in the same state.", ("state",)),
)

# The laws of one node's own order, and those of what ever happened, by name.
_OWN: dict[str, Callable[[Sequence[TraceEvent], Positions], Breach | None]] = {
    "p1": first_accepted,
    "promise-kept": promise_kept,
    "accepted-kept": accepted_kept,
    "state-equality": states_equal,
}
_JOINT: dict[str, Callable[[Tally], Breach | None]] = {
    "ballot-unique": ballots_unique,
    "p2c": justified,
    "quorum": quorum,
    "p2b": p2b,
    "p2a": p2a,
    "p2": p2,
    "chosen-once": chosen_once,
    "log-agreement": logs_agree,
}


def breaches(
    trace: Sequence[TraceEvent], nodes: Sequence[str] = ()
) -> tuple[dict[str, Breach], tuple[str, ...]]:
    """The broken laws by name, and the names of the laws that were judged, in the order of LAWS.

    `nodes` names every node of the cluster. Without it majorities are those of the nodes that
    the trace shows, and only a learner's word makes a value chosen for P2 and its like.
    """
    at, cluster = positions(trace), Cluster(trace, nodes)
    judged = _judged(trace, at)
    tally = Tally(trace, at, cluster, suspects(trace, at, cluster))
    found: dict[str, Breach] = {}
    for name in judged:
        breach = _OWN[name](trace, at) if name in _OWN else _JOINT[name](tally)
        if breach is not None:
            found[name] = breach
    return found, judged


def _judged(trace: Sequence[TraceEvent], at: Positions) -> tuple[str, ...]:
    slots = any(trace[position].instance.__class__ is int for position in at.get("chosen", ()))
    return tuple(
        law.name for law in LAWS if at.keys() >= set(law.needs) and (slots or not law.of_slots)
    )


class Laws:
    """The laws as a checker: one part a law, INVALID where it is broken.

    Evidence of a part: `event` and `against`, as they stand in the trace, with their positions.
    """

    name = "laws"
    needs_events = frozenset(event for law in LAWS for event in law.needs)

    def check(self, recording: Recording) -> Verdict:
        broken, judged = breaches(recording.trace, recording.nodes)
        parts = [
            _part(law, broken.get(law.name), recording.trace) for law in LAWS if law.name in judged
        ]
        verdict = merge(self.name, parts)
        missing = [law.name for law in LAWS if law.name not in judged]
        summary = verdict.summary
        if verdict.kind is Kind.VALID:
            summary = f"{len(parts)} laws hold over {len(recording.trace)} protocol events."
        elif not parts:
            summary = "The nodes left no protocol trace that a law speaks of."
        evidence: dict[str, Any] = {"judged": list(judged), "not_judged": missing}
        return msgspec.structs.replace(verdict, summary=summary, evidence=evidence)


def _part(law: Law, breach: Breach | None, trace: Sequence[TraceEvent]) -> Verdict:
    if breach is None:
        return Verdict(checker=law.name, kind=Kind.VALID, summary=law.statement)
    return Verdict(
        checker=law.name,
        kind=Kind.INVALID,
        summary=breach.sentence,
        evidence={
            "law": law.statement,
            "event": _shown(breach.position, trace),
            "against": [_shown(position, trace) for position in breach.against],
        },
    )


def _shown(position: int, trace: Sequence[TraceEvent]) -> dict[str, Any]:
    return {"position": position, **as_json(trace[position])}
