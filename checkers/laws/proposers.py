"""The laws of proposers: no number is used twice (T15), and P2c for every proposal issued (T17).

Rules
1. Ballots are unique: one proposer a ballot, one life a ballot, one value a ballot and instance.
   One number may serve in two instances, if their scopes do not meet.
2. P2c is judged as a possibility: a proposal stands if *some* majority of the promises for its
   ballot justifies its value. A promise that was emitted and never received is so never held
   against a proposer, and a message that was duplicated counts once.
3. A proposer that had learnt the chosen value of an instance may issue that value: it is what any
   majority would have told it.

Sources: Lamport 2001, section 2.2.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from checkers.laws.breach import Breach, first_of, scope, spell
from checkers.laws.tally import Key, Tally, frozen
from checkers.trace import Ballot, Instance, Scalar, TraceEvent

Alternative = tuple[Ballot, Scalar] | None  # what one promise reports of one instance
Uses = list[tuple[int, int]]  # positions of prepares, each with its node's life
Prepares = dict[tuple[Ballot | None, Instance | None], Uses]


def ballots_unique(tally: Tally) -> Breach | None:
    """T15: two nodes never use one ballot, a node never starts one twice or for two values."""
    prepares = _prepares(tally)
    clashes = [*_prepared_twice(tally.trace, prepares), *_issued_by_others(tally, prepares)]
    return first_of([*(_clash(tally.trace, *clash) for clash in clashes), *_two_values(tally)])


def _prepares(tally: Tally) -> Prepares:
    """The prepares of each ballot and instance, those repeated within a life left out."""
    found: Prepares = {}
    lives: defaultdict[str, int] = defaultdict(int)
    known: set[tuple[str, int, Ballot | None, Instance | None, int | None]] = set()
    at = tally.at
    for position in sorted([*at.get("restart", ()), *at.get("prepare", ())]):
        event = tally.trace[position]
        if event.event == "restart":
            lives[event.node] += 1
            continue
        life = lives[event.node]
        use = (event.node, life, event.ballot, event.instance, event.first)
        if use not in known:
            known.add(use)
            found.setdefault((event.ballot, event.instance), []).append((position, life))
    return found


def _prepared_twice(trace: Sequence[TraceEvent], prepares: Prepares) -> Iterator[tuple[int, int]]:
    """Pairs of prepares of one ballot that meet in scope, by two nodes or in two lives."""
    for (ballot, instance), own in prepares.items():
        uses = own
        if isinstance(instance, int):
            uses = sorted([*own, *prepares.get((ballot, None), ())])
        for n, (later, life) in enumerate(uses):
            for earlier, its_life in uses[:n]:
                one, other = trace[earlier], trace[later]
                again = one.node != other.node or life != its_life
                if again and (_covers(one, other.instance) or _covers(other, one.instance)):
                    yield later, earlier


def _covers(prepare: TraceEvent, instance: Instance | None) -> bool:
    """Does the prepare speak of this instance (None: of all slots from some slot on)?"""
    if prepare.instance is not None:
        return prepare.instance == instance
    return instance is None or (not isinstance(instance, str) and (prepare.first or 0) <= instance)


def _issued_by_others(tally: Tally, prepares: Prepares) -> Iterator[tuple[int, int]]:
    """Pairs of an issue and a prepare, or another issue, by another node at the same ballot."""
    for (instance, ballot), issuers in tally.issued.items():
        positions = sorted(issuers.values())
        if len(positions) > 1:
            yield positions[1], positions[0]
        for prepared, _ in (
            *prepares.get((ballot, instance), ()),
            *prepares.get((ballot, None), ()),
        ):
            event = tally.trace[prepared]
            for node, issued in issuers.items():
                if node != event.node and _covers(event, instance):
                    yield max(issued, prepared), min(issued, prepared)


def _clash(trace: Sequence[TraceEvent], position: int, earlier: int) -> Breach:
    event, other = trace[position], trace[earlier]
    if event.node != other.node:
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


def _two_values(tally: Tally) -> Iterator[Breach]:
    held: dict[tuple[Instance, Ballot], tuple[Scalar, int]] = {}
    for (instance, ballot, value), proposal in tally.proposals.items():
        # In the order of their first signs, so the second that is met is the first to clash.
        other, earlier = held.setdefault((instance, ballot), (value, proposal.seen_at))
        if other != value:
            event = tally.trace[proposal.seen_at]
            sentence = (
                f"Ballot {spell(ballot)} carries two values in {scope(instance, None)}: {other!r} "
                f"and {value!r} ({event.event} by {event.node})."
            )
            yield Breach("ballot-unique", sentence, proposal.seen_at, (earlier,))


def justified(tally: Tally) -> Breach | None:
    """P2c: the value of each proposal is that of the highest proposal reported by a majority that
    promised its ballot, or nobody in that majority reported any."""
    doubtful = [
        (proposal.issued_at, key, proposal)
        for key, proposal in tally.proposals.items()
        if proposal.issuer is not None and not _possible(_told(tally, key), key[2], tally)
    ]
    known = _learnt(tally, {(p.issuer, k[0], k[2]) for _, k, p in doubtful})
    for position, key, proposal in sorted(doubtful, key=lambda entry: entry[0]):
        learnt = known.get((proposal.issuer, key[0], key[2]))
        if learnt is None or learnt > position:
            return _unjustified(position, key, tally)
    return None


def _told(tally: Tally, key: Key) -> dict[str, list[Alternative]]:
    """What each node may have told the proposer of the instance: one alternative a promise."""
    instance, ballot, _ = key
    told: dict[str, list[Alternative]] = {}
    for position in tally.covering(instance, ballot):
        report = tally.reports[position].get(instance)
        # A report at or above the ballot hides what lay below it, which may be nothing.
        hidden = report is not None and report[0] >= ballot
        told.setdefault(tally.trace[position].node, []).append(None if hidden else report)
    return told


def _possible(told: dict[str, list[Alternative]], value: Scalar, tally: Tally) -> bool:
    """Is there a majority, one alternative a node, whose highest report has the value?"""
    needed = tally.cluster.majority - tally.cluster.silent
    if tally.cluster.silent and len(told) >= needed:
        return True  # a silent node may have reported the value with the highest ballot
    if sum(None in options for options in told.values()) >= needed:
        return True
    for highest in {o for options in told.values() for o in options if o is not None}:
        if highest[1] != value:
            continue
        below = sum(
            any(o is None or o[0] <= highest[0] for o in options) for options in told.values()
        )
        if below >= needed:
            return True
    return False


Learnt = tuple[str | None, Instance, Scalar]  # by whom, where, what


def _learnt(tally: Tally, wanted: set[Learnt]) -> dict[Learnt, int]:
    """Where each of the wanted was first learnt."""
    learnt: dict[Learnt, int] = {}
    for position in tally.at.get("chosen", ()) if wanted else ():
        event = tally.trace[position]
        assert event.instance is not None
        key = (event.node, event.instance, frozen(event.value))
        if key in wanted:
            learnt.setdefault(key, position)
    return learnt


def _unjustified(position: int, key: Key, tally: Tally) -> Breach:
    instance, ballot, value = key
    trace, cluster = tally.trace, tally.cluster
    covering = sorted(tally.covering(instance, ballot))
    nodes = sorted({trace[at].node for at in covering})
    issued = f"{trace[position].node} issued {spell(ballot)} = {value!r} in {scope(instance, None)}"
    if not cluster.may_have_majority(len(nodes)):
        found = ", ".join(nodes) or "nobody"
        return Breach(
            "p2c",
            f"{issued}, and only {found} promised that ballot: {cluster.majority} of "
            f"{cluster.size} are needed.",
            position,
            tuple(covering),
        )
    reports = [
        (*report, at)
        for at in covering
        if (report := tally.reports[at].get(instance)) is not None and report[0] < ballot
    ]
    highest, its_value, at = max(reports, key=lambda report: report[0])
    return Breach(
        "p2c",
        f"{issued}, and no majority of the promises allows it: {trace[at].node} had reported "
        f"{spell(highest)} = {its_value!r}.",
        position,
        (at,),
    )
