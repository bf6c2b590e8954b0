"""The laws once more, straight from their statements: slow, without any index or short cut.

Each function returns the position of the first event that breaks its law, or None. What it loops
over is every pair of events, every majority, every choice of promises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import combinations, product
from typing import Any

from checkers.trace import TraceEvent


class Run:
    """A trace with its nodes, and the questions that several laws ask of it."""

    def __init__(self, trace: Sequence[TraceEvent], declared: Sequence[str]) -> None:
        self.trace = list(enumerate(trace))
        self.declared = bool(declared)
        seen = {event.node for event in trace}
        self.nodes = sorted(set(declared) or seen)
        self.silent = set(self.nodes) - seen
        self.majority = len(self.nodes) // 2 + 1

    def of(self, *names: str) -> Iterator[tuple[int, TraceEvent]]:
        return ((p, e) for p, e in self.trace if e.event in names)

    @cached_property
    def signs(self) -> list[tuple[int, str, str, Any]]:
        """(position, node, how, proposal) of everything that shows a proposal to exist."""
        found: list[tuple[int, str, str, Any]] = []
        for position, event in self.of("accept", "accepted", "promise"):
            if event.event != "promise":
                key = (event.instance, event.ballot, json(event.value))
                found.append((position, event.node, event.event, key))
            for instance, ballot, value in event.accepted:
                key = (instance, ballot, json(value))
                found.append((position, event.node, "accepted", key))
        return found

    def voters(self, proposal: Any, up_to: int | None = None) -> set[str]:
        return {
            node
            for position, node, how, sign in self.signs
            if how == "accepted" and sign == proposal and (up_to is None or position <= up_to)
        }

    @cached_property
    def by_votes(self) -> dict[Any, int]:
        """The proposals that a majority accepted, each with the vote that made it one."""
        found: dict[Any, int] = {}
        for position, _, how, proposal in self.signs if self.declared else ():
            if how == "accepted" and len(self.voters(proposal, position)) >= self.majority:
                found.setdefault(proposal, position)
        return found

    @cached_property
    def chosen(self) -> dict[Any, int]:
        """The chosen proposals, each with the event that first shows it."""
        found = dict(self.by_votes)
        for position, event in self.of("chosen"):
            word = (event.instance, event.ballot, json(event.value))
            believed = len(self.voters(word)) + len(self.silent) >= self.majority
            if event.ballot is not None and believed:
                found[word] = min(position, found.get(word, position))
        return found


def json(value: Any) -> tuple[bool, Any]:
    return value.__class__ is bool, value


def covers(event: TraceEvent, instance: Any) -> bool:
    """Is this one instance in the scope of a prepare or promise?"""
    if event.instance is not None:
        return event.instance == instance
    return isinstance(instance, int) and instance >= (event.first or 0)


def meet(one: TraceEvent, other: TraceEvent) -> bool:
    if one.instance is None and other.instance is None:
        return True
    if one.instance is None:
        return covers(one, other.instance)
    return covers(other, one.instance) or one.instance == other.instance


def lives(run: Run, node: str, position: int) -> int:
    return sum(e.node == node for p, e in run.of("restart") if p < position)


def p1(run: Run) -> int | None:
    for position, event in run.of("refuse"):
        if event.promised is not None and event.promised < event.ballot:
            return position
        forbidden = any(
            p < position
            and e.node == event.node
            and e.ballot >= event.ballot
            and (not isinstance(event.instance, str) or e.instance in (None, event.instance))
            for p, e in run.of("promise", "accepted")
        )
        if lives(run, event.node, position) == 1 and not forbidden:
            return position
    return None


def promise_kept(run: Run) -> int | None:
    for position, event in run.of("promise", "accepted"):
        for earlier, promise in run.of("promise"):
            if (
                earlier < position
                and promise.node == event.node
                and promise.ballot > event.ballot
                and meet(promise, event)
            ):
                return position
    return None


def accepted_kept(run: Run) -> int | None:
    for position, promise in run.of("promise"):
        votes = [
            (e.instance, e.ballot)
            for p, e in run.of("accepted")
            if p < position and e.node == promise.node and covers(promise, e.instance)
        ]
        for instance in {instance for instance, _ in votes}:
            highest = max(ballot for i, ballot in votes if i == instance)
            told = max((b for i, b, _ in promise.accepted if i == instance), default=(0, ""))
            if highest < promise.ballot and told < highest:
                return position
    return None


def ballot_unique(run: Run) -> int | None:
    signs = run.signs
    for position, event in run.trace:
        for earlier, other in run.trace[:position]:
            if event.ballot != other.ballot or {event.event, other.event} - {"prepare", "accept"}:
                continue
            one_life = lives(run, event.node, position) == lives(run, other.node, earlier)
            both = event.event == other.event == "prepare"
            if meet(event, other) and (event.node != other.node or (both and not one_life)):
                return position
        for p, _, _, (instance, ballot, value) in signs:
            for _, _, _, sign in (s for s in signs if s[0] < p):
                if p == position and sign[:2] == (instance, ballot) and sign[2] != value:
                    return position
    return None


def p2c(run: Run) -> int | None:
    issued: set[Any] = set()
    for position, event in run.of("accept"):
        key = (event.instance, event.ballot, json(event.value))
        learnt = any(
            p < position and (e.node, e.instance, json(e.value)) == (event.node, key[0], key[2])
            for p, e in run.of("chosen")
        )
        if key not in issued and not learnt and not _justified(run, event):
            return position
        issued.add(key)
    return None


def _justified(run: Run, proposal: TraceEvent) -> bool:
    """Is there a majority, and a promise of each of its nodes, that allows the value?"""
    for nodes in combinations(run.nodes, run.majority):
        if run.silent.intersection(nodes):
            told = [[()] if node in run.silent else _told(run, node, proposal) for node in nodes]
            if all(told):
                return True  # the silent one may have reported just this value
            continue
        for choice in product(*(_told(run, node, proposal) for node in nodes)):
            below = [r for r in choice if r is not None and r[0] < proposal.ballot]
            if not below or json(max(below, key=lambda r: r[0])[1]) == json(proposal.value):
                return True
            highest = max(b for b, _ in below)
            if any(b == highest and json(v) == json(proposal.value) for b, v in below):
                return True
    return False


def _told(run: Run, node: str, proposal: TraceEvent) -> list[Any]:
    return [
        next(((b, v) for i, b, v in e.accepted if i == proposal.instance), None)
        for _, e in run.of("promise")
        if (e.node, e.ballot) == (node, proposal.ballot) and covers(e, proposal.instance)
    ]


def quorum(run: Run) -> int | None:
    ballots = {sign[1] for _, _, _, sign in run.signs}
    for position, event in run.of("chosen"):
        at = ballots if event.ballot is None else {event.ballot}
        voters = [run.voters((event.instance, b, json(event.value))) for b in at]
        if max(map(len, voters), default=0) + len(run.silent) < run.majority:
            return position
    return None


def _above(run: Run, entries: dict[Any, int]) -> int | None:
    """The first entry that has another value than a chosen proposal below it."""
    return min(
        (
            position
            for (instance, ballot, value), position in entries.items()
            for its_instance, lower, its_value in run.chosen
            if instance == its_instance and ballot > lower and value != its_value
        ),
        default=None,
    )


def p2(run: Run) -> int | None:
    return _above(run, run.chosen)


def p2a(run: Run) -> int | None:
    return _above(run, {**run.chosen, **_first(run, "accepted")})


def p2b(run: Run) -> int | None:
    shown = {**_first(run, "accepted"), **_first(run, "accept")}
    return _above(run, {**run.chosen, **shown})


def _first(run: Run, kind: str) -> dict[Any, int]:
    found: dict[Any, int] = {}
    for position, _, how, sign in run.signs:
        if how == kind:
            found.setdefault(sign, position)
    return found


def chosen_once(run: Run) -> int | None:
    shown = [(p, i, value) for (i, _, value), p in run.by_votes.items()]
    shown += [(p, e.instance, json(e.value)) for p, e in run.of("chosen")]
    clashes = [p for p, i, value in shown for q, j, v in shown if q <= p and i == j and v != value]
    return min(clashes, default=None)


def log_agreement(run: Run) -> int | None:
    for position, event in run.of("chosen"):
        for earlier, other in run.of("chosen"):
            same = event.instance == other.instance and isinstance(event.instance, int)
            if earlier < position and same and json(event.value) != json(other.value):
                return position
    return None


def state_equality(run: Run) -> int | None:
    for position, event in run.of("state"):
        for earlier, other in run.of("state"):
            if earlier < position and event.index == other.index and event.digest != other.digest:
                return position
    return None


ORACLES: dict[str, Callable[[Run], int | None]] = {
    "p1": p1,
    "promise-kept": promise_kept,
    "accepted-kept": accepted_kept,
    "ballot-unique": ballot_unique,
    "p2c": p2c,
    "quorum": quorum,
    "p2b": p2b,
    "p2a": p2a,
    "p2": p2,
    "chosen-once": chosen_once,
    "log-agreement": log_agreement,
    "state-equality": state_equality,
}
