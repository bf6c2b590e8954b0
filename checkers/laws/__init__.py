"""The safety laws of Paxos, judged over the protocol trace of a run.

Rules
1. A law that is broken names the first event that breaks it and the events that this contradicts.
2. No false alarm: a law is judged on one node's own order, or on what holds at any time, never on
   the clocks of two nodes. What a trace cannot show (a torn tail, a node that emitted nothing, a
   promise that was lost on its way) is always read in favour of the system.
3. A law whose events a trace does not contain is not judged, and the verdict says so.

Sources: Lamport, "Paxos Made Simple", 2001; the laws are its P1a, P2b, P2c and what they rest on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from checkers.laws.acceptors import AcceptedKept, PromiseKept
from checkers.laws.breach import Breach
from checkers.laws.learners import one_value, quorum, value_stays
from checkers.laws.proposers import ballots_unique, justified
from checkers.laws.tally import Tally
from checkers.trace import TraceEvent, as_json
from checkers.verdict import Kind, Recording, Verdict, merge


class Law(msgspec.Struct, frozen=True):
    """`needs`: events without which a trace says nothing about the law."""

    name: str
    statement: str
    needs: tuple[str, ...]


LAWS = (
    Law("promise-kept", "An acceptor emits nothing below a promise it made.", ("promise",)),
    Law(
        "accepted-kept",
        "A promise reports the highest proposal that the acceptor had accepted.",
        ("promise", "accepted"),
    ),
    Law("ballot-unique", "A ballot has one proposer, one life and one value.", ("prepare",)),
    Law(
        "p2c",
        "A proposal has the value of the highest proposal that a majority reported, if any.",
        ("promise", "accept"),
    ),
    Law("quorum", "What is learnt was accepted by a majority.", ("accepted", "chosen")),
    Law("p2b", "No proposal above a chosen one has another value.", ("accepted",)),
    Law("agreement", "One value is learnt in an instance.", ("chosen",)),
)

_TIMELESS: dict[str, Callable[[Tally, Sequence[TraceEvent]], Breach | None]] = {
    "ballot-unique": ballots_unique,
    "p2c": justified,
    "quorum": quorum,
    "p2b": value_stays,
    "agreement": one_value,
}


def breaches(
    trace: Sequence[TraceEvent], nodes: Sequence[str] = ()
) -> tuple[dict[str, Breach], tuple[str, ...]]:
    """The broken laws by name, and the names of the laws that were judged.

    `nodes` names every node of the cluster. Without it majorities are those of the nodes that
    the trace shows, and only a learner's word makes a value chosen for P2b.
    """
    tally, promise_kept, accepted_kept = Tally(nodes), PromiseKept(), AcceptedKept()
    see = tally.see
    for position, event in enumerate(trace):
        see(position, event)
        if event.event == "accepted" or event.event == "promise":
            promise_kept.see(position, event)
            accepted_kept.see(position, event)
    judged = tuple(law.name for law in LAWS if tally.kinds.issuperset(law.needs))
    found = [promise_kept.breach, accepted_kept.breach]
    found += [_TIMELESS[name](tally, trace) for name in judged if name in _TIMELESS]
    by_name = {breach.law: breach for breach in found if breach is not None}
    return {law.name: by_name[law.name] for law in LAWS if law.name in by_name}, judged


class Laws:
    """The laws as a checker: one part a law, INVALID where it is broken.

    Evidence of a part: `event` and `against`, as they stand in the trace, with their positions.
    """

    name = "laws"
    needs_trace = True

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
