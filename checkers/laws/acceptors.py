"""The laws of one acceptor: it keeps its promises (P1a) and never forgets what it accepted.

Rules
1. Each law is judged within the events of one node, in that node's own order, through all its
   lives. No clock and no other node has a say.
2. Accepting is no promise: Lamport's acceptor that accepted 5 unasked may still promise 3. A
   promise holds for its scope only, and an equal ballot breaks nothing (a repeated request).
3. A promise must report an accepted proposal only where its scope reaches: `first` is raised by
   an acceptor that has cut its log, since what lies below is chosen and in its snapshot.
4. A report *higher* than anything recorded is no breach: an acceptance that was durable when the
   node was killed, but not yet traced, was never answered either.

Sources: Lamport 2001, section 2.2 (P1a, the two phases); 1998, section 2.3 (permanent storage).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence

from checkers.laws.breach import Breach, scope, spell, spell_promise
from checkers.laws.tally import Positions
from checkers.trace import Ballot, Instance, TraceEvent


class Promises:
    """The promises of one node: for any instance, the highest and where it was made."""

    __slots__ = ("_by_instance", "_firsts", "_made", "_top")

    def __init__(self) -> None:
        self._by_instance: dict[Instance, tuple[Ballot, int]] = {}
        # Promises for all slots from `first` up, as a staircase: both firsts and ballots ascend,
        # for a promise with a lower ballot and a higher first than another says nothing new.
        self._firsts: list[int] = []
        self._made: list[tuple[Ballot, int]] = []
        self._top: tuple[Ballot, int] | None = None  # the highest made for a single slot

    def at(self, instance: Instance) -> tuple[Ballot, int] | None:
        """The highest promise that covers the instance: (ballot, position)."""
        single = self._by_instance.get(instance)
        if not self._firsts or isinstance(instance, str):
            return single
        step = bisect_right(self._firsts, instance)
        if step == 0:
            return single
        wide = self._made[step - 1]
        return wide if single is None or wide[0] >= single[0] else single

    def from_slot(self, first: int) -> tuple[Ballot, int] | None:
        """The highest promise that covers any slot from `first` up."""
        wide = self._made[-1] if self._made else None  # every promise for "all from f" reaches up
        top = self._top
        if top is None or (wide is not None and wide[0] >= top[0]):
            return wide
        single = [
            made
            for slot, made in self._by_instance.items()
            if not isinstance(slot, str) and slot >= first
        ]
        return max([*single, *([wide] if wide else [])], default=None)

    def make(self, instance: Instance | None, first: int, ballot: Ballot, position: int) -> None:
        if instance is None:
            step = bisect_right(self._firsts, first)
            if step and self._made[step - 1][0] >= ballot:
                return
            step = step - 1 if step and self._firsts[step - 1] == first else step
            end = step
            while end < len(self._made) and self._made[end][0] <= ballot:
                end += 1
            self._firsts[step:end] = [first]
            self._made[step:end] = [(ballot, position)]
            return
        earlier = self._by_instance.get(instance)
        if earlier is None or earlier[0] < ballot:
            self._by_instance[instance] = (ballot, position)
            if not isinstance(instance, str) and (self._top is None or self._top[0] < ballot):
                self._top = (ballot, position)


def promise_kept(trace: Sequence[TraceEvent], at: Positions) -> Breach | None:
    """P1a: after a promise b the node emits nothing lower than b in its scope, in any life."""
    nodes: defaultdict[str, Promises] = defaultdict(Promises)
    highest: dict[str, Ballot] = {}  # a node's highest promise, whatever its scope
    for votes, promised in _turns(at):
        for position in votes:
            event = trace[position]
            held = highest.get(event.node)
            if held is not None and held > event.ballot:  # type: ignore[operator] # has a ballot
                assert event.instance is not None
                made = nodes[event.node].at(event.instance)
                if made is not None and made[0] > event.ballot:  # type: ignore[operator]
                    return _promise_broken(trace, position, made)
        if promised is None:
            return None
        event = trace[promised]
        ballot, first = event.ballot, event.first or 0
        assert ballot is not None, "read_trace refuses a promise without a ballot"
        promises = nodes[event.node]
        instance = event.instance
        made = promises.from_slot(first) if instance is None else promises.at(instance)
        if made is not None and made[0] > ballot:
            return _promise_broken(trace, promised, made)
        promises.make(instance, first, ballot, promised)
        held = highest.get(event.node)
        if held is None or held < ballot:
            highest[event.node] = ballot
    return None


def _turns(at: Positions) -> Iterator[tuple[Sequence[int], int | None]]:
    """What was accepted before each promise, since the one before it; the rest with None."""
    votes, begin = at.get("accepted", ()), 0
    for promised in at.get("promise", ()):
        if begin == len(votes) or votes[begin] > promised:
            yield (), promised  # most often so where each instance has a phase 1 of its own
            continue
        end = bisect_left(votes, promised, begin)
        yield votes[begin:end], promised
        begin = end
    yield votes[begin:], None


def _promise_broken(trace: Sequence[TraceEvent], position: int, made: tuple[Ballot, int]) -> Breach:
    event = trace[position]
    did = (
        spell_promise(event)
        if event.event == "promise"
        else f"accepted {spell(event.ballot)} in {scope(event.instance, None)}"
    )
    sentence = f"{event.node} {did} after it had promised {spell(made[0])}."
    return Breach("promise-kept", sentence, position, (made[1],))


def accepted_kept(trace: Sequence[TraceEvent], at: Positions) -> Breach | None:
    """T23: a promise reports the highest proposal that the node accepted below its ballot."""
    nodes: defaultdict[str, _Kept] = defaultdict(_Kept)
    for votes, promised in _turns(at):
        if promised is None:
            return None
        for position in votes:
            event = trace[position]
            kept, instance = nodes[event.node], event.instance
            earlier = kept.setdefault(instance, position)
            if earlier == position:
                if not isinstance(instance, str) and instance > kept.last:  # type: ignore[operator]
                    kept.last = instance  # type: ignore[assignment] # accepted has an instance
            elif trace[earlier].ballot < event.ballot:  # type: ignore[operator] # both have one
                kept[instance] = position
        event = trace[promised]
        kept = nodes[event.node]
        if event.instance is None or event.instance in kept:
            breach = _unreported(trace, promised, kept)
            if breach is not None:
                return breach
    return None


class _Kept(dict[Instance | None, int]):
    """Where a node accepted its highest proposal, by instance. `last`: the highest slot."""

    def __init__(self) -> None:
        super().__init__()
        self.last = -1

    def in_scope(self, event: TraceEvent) -> Sequence[Instance]:
        if event.instance is not None:
            return (event.instance,)
        first = event.first or 0
        if self.last - first < len(self):
            return range(first, self.last + 1)
        return sorted(i for i in self if isinstance(i, int) and i >= first)


def _unreported(trace: Sequence[TraceEvent], position: int, kept: _Kept) -> Breach | None:
    event = trace[position]
    assert event.ballot is not None
    reported = {instance: (ballot, value) for instance, ballot, value in event.accepted}
    for instance in kept.in_scope(event):
        at = kept.get(instance)
        if at is None:
            continue
        held = trace[at].ballot
        assert held is not None
        report = reported.get(instance)
        # An acceptance at or above the promised ballot hides what lay below it: not judged.
        if (report is not None and report[0] >= held) or held >= event.ballot:
            continue
        # Some acceptors report all that they have accepted, in any order: the highest counts.
        reports = [(ballot, value) for i, ballot, value in event.accepted if i == instance]
        report = max(reports, key=lambda entry: entry[0], default=None)
        if report is not None and report[0] >= held:
            continue
        told = "nothing" if report is None else f"{spell(report[0])} = {report[1]!r}"
        return Breach(
            "accepted-kept",
            f"{event.node} {spell_promise(event)} and reported {told} in {scope(instance, None)}, "
            f"where it had accepted {spell(held)} = {trace[at].value!r}.",
            position,
            (at,),
        )
    return None
