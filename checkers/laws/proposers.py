"""The laws of proposers: no number is used twice (T15), and P2c for every proposal issued (T17).

Rules
1. Ballots are unique: one proposer a ballot, one life a ballot, one value a ballot and instance.
2. P2c is judged as a possibility: a proposal stands if *some* majority of the promises for its
   ballot justifies its value. A promise that was emitted and never received is so never held
   against a proposer, and a message that was duplicated counts once.
3. A proposer that had learnt the chosen value of an instance may issue that value: it is what any
   majority would have told it.

Sources: Lamport 2001, section 2.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from checkers.laws.breach import Breach, scope, spell
from checkers.laws.tally import Key, Proposal, Tally, frozen
from checkers.trace import Ballot, Instance, Scalar, TraceEvent

Alternative = tuple[Ballot, Scalar] | None  # what one promise reports of one instance


def ballots_unique(tally: Tally, trace: Sequence[TraceEvent]) -> Breach | None:
    """T15: two nodes never use one ballot, a node never starts one twice or for two values."""
    found = [_clash(trace, *clash) for clash in tally.clashes]
    for instance, group in tally.contests():
        for (b1, v1, earlier), (b2, v2, later) in pairwise(group):
            if b1 == b2:
                sentence = (
                    f"Ballot {spell(b1)} carries two values in {scope(instance, None)}: {v1!r} and "
                    f"{v2!r} ({trace[later.seen_at].event} by {trace[later.seen_at].node})."
                )
                against = (earlier.seen_at,)
                found.append(Breach("ballot-unique", sentence, later.seen_at, against))
    for (instance, ballot, _), proposal in tally.proposals.items():
        owner = _preparer(tally, trace, instance, ballot)
        if owner is not None and proposal.issuer is not None and owner[0] != proposal.issuer:
            found.append(_clash(trace, "shared", proposal.issued_at, owner[1]))
    return min(found, key=lambda breach: breach.position, default=None)


def _preparer(
    tally: Tally, trace: Sequence[TraceEvent], instance: Instance, ballot: Ballot
) -> tuple[str, int] | None:
    """Who prepared the ballot for the instance, and where; None if nobody did."""
    prepared = tally.prepared.get((instance, ballot))
    if prepared is None and not isinstance(instance, str):
        prepared = tally.prepared.get((None, ballot))
        if prepared is not None and (trace[prepared[2]].first or 0) > instance:
            prepared = None
    return None if prepared is None else (prepared[0], prepared[2])


def _clash(trace: Sequence[TraceEvent], what: str, position: int, earlier: int) -> Breach:
    if position < earlier:
        position, earlier = earlier, position
    event, other = trace[position], trace[earlier]
    if what == "shared":
        sentence = (
            f"{event.node} used ballot {spell(event.ballot)} ({event.event}), which {other.node} "
            f"used too ({other.event})."
        )
    else:
        sentence = (
            f"{event.node} prepared ballot {spell(event.ballot)} for "
            f"{scope(event.instance, event.first)} again in a later life."
        )
    return Breach("ballot-unique", sentence, position, (earlier,))


class _Ground:
    """The promises for one ballot: what each node may have told the proposer."""

    def __init__(self, promises: Sequence[tuple[int, TraceEvent]], ballot: Ballot) -> None:
        self.ballot = ballot
        self.promises = [
            (event, {i: (b, frozen(v)) for i, b, v in event.accepted}) for _, event in promises
        ]
        self.reported = {i for _, reports in self.promises for i in reports}
        lowest: dict[str, int] = {}
        for _, event in promises:
            if event.instance is None:
                first = event.first or 0
                lowest[event.node] = min(first, lowest.get(event.node, first))
        self._firsts = sorted(lowest.values())

    def plain(self, instance: Instance, majority: int) -> bool:
        """Did a majority promise, none of whom reports anything of the instance?"""
        return (
            instance not in self.reported
            and not isinstance(instance, str)
            and len(self._firsts) >= majority
            and self._firsts[majority - 1] <= instance
        )

    def alternatives(self, instance: Instance) -> dict[str, list[Alternative]]:
        told: dict[str, list[Alternative]] = {}
        for event, reports in self.promises:
            if event.instance is None and (
                isinstance(instance, str) or (event.first or 0) > instance
            ):
                continue
            report = reports.get(instance)
            # A report at or above the ballot hides what lay below it, which may be nothing.
            hidden = report is not None and report[0] >= self.ballot
            told.setdefault(event.node, []).append(None if hidden else report)
        return told


def justified(tally: Tally, trace: Sequence[TraceEvent]) -> Breach | None:
    """P2c: the value of each proposal is that of the highest proposal reported by a majority that
    promised its ballot, or nobody in that majority reported any."""
    grounds: dict[tuple[Instance | None, Ballot], _Ground] = {}
    doubtful: list[tuple[int, Key, Proposal]] = []
    for key, proposal in tally.proposals.items():
        instance, ballot, value = key
        if proposal.issuer is None:
            continue
        own = (instance, ballot) if (instance, ballot) in tally.promises else (None, ballot)
        ground = grounds.get(own)
        if ground is None:
            promises = list(tally.promises.get(own, ()))
            if own[0] is not None:
                promises += tally.promises.get((None, ballot), ())
            ground = grounds[own] = _Ground(promises, ballot)
        if ground.plain(instance, tally.majority):
            continue
        if not _possible(ground.alternatives(instance), value, tally):
            doubtful.append((proposal.issued_at, key, proposal))
    known = _learnt(trace, {(p.issuer, k[0], k[2]) for _, k, p in doubtful}) if doubtful else {}
    for position, key, proposal in sorted(doubtful, key=lambda entry: entry[0]):
        learnt = known.get((proposal.issuer, key[0], key[2]))
        if learnt is None or learnt > position:
            return _unjustified(position, key, tally, trace)
    return None


def _possible(told: dict[str, list[Alternative]], value: Scalar, tally: Tally) -> bool:
    """Is there a majority, one alternative a node, whose highest report has the value?"""
    needed = tally.majority - tally.silent
    if tally.silent and len(told) >= needed:
        return True  # a silent node may have reported the value with the highest ballot
    if sum(None in options for options in told.values()) >= needed:
        return True
    for highest in {o for options in told.values() for o in options if o is not None}:
        if highest[1] != value:
            continue
        below = sum(
            any(o is None or o[0] < highest[0] or o == highest for o in options)
            for options in told.values()
        )
        if below >= needed:
            return True
    return False


Learnt = tuple[str | None, Instance, Scalar]  # by whom, where, what


def _learnt(trace: Sequence[TraceEvent], wanted: set[Learnt]) -> dict[Learnt, int]:
    """Where each of the wanted was first learnt: read again only where P2c is in doubt, for a log
    learns every slot and a correct one hardly asks."""
    learnt: dict[Learnt, int] = {}
    for position, event in enumerate(trace):
        if event.event == "chosen" and event.instance is not None:
            key = (event.node, event.instance, frozen(event.value))
            if key in wanted:
                learnt.setdefault(key, position)
    return learnt


def _unjustified(position: int, key: Key, tally: Tally, trace: Sequence[TraceEvent]) -> Breach:
    instance, ballot, value = key
    covering = [
        (at, event)
        for scope_key in ((instance, ballot), (None, ballot))
        for at, event in tally.promises.get(scope_key, ())
        if event.instance is not None
        or (not isinstance(instance, str) and (event.first or 0) <= instance)
    ]
    nodes = sorted({event.node for _, event in covering})
    issued = f"{trace[position].node} issued {spell(ballot)} = {value!r} in {scope(instance, None)}"
    if len(nodes) + tally.silent < tally.majority:
        found = ", ".join(nodes) or "nobody"
        return Breach(
            "p2c",
            f"{issued}, and only {found} promised that ballot: {tally.majority} of {tally.size} "
            f"are needed.",
            position,
            tuple(at for at, _ in covering),
        )
    reports = [
        (b, v, at, event.node)
        for at, event in covering
        for i, b, v in event.accepted
        if i == instance and b < ballot
    ]
    highest = max(reports, key=lambda report: report[0])
    return Breach(
        "p2c",
        f"{issued}, and no majority of the promises allows it: {highest[3]} had reported "
        f"{spell(highest[0])} = {highest[1]!r}.",
        position,
        (highest[2],),
    )
