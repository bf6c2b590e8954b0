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

from bisect import bisect_right

from checkers.laws.breach import Breach, scope, spell, spell_promise
from checkers.trace import Ballot, Instance, Scalar, TraceEvent


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


class PromiseKept:
    """P1a: after a promise b the node emits nothing lower than b in its scope, in any life."""

    name = "promise-kept"
    reads = ("promise", "accepted")

    def __init__(self) -> None:
        self._nodes: dict[str, Promises] = {}
        self.breach: Breach | None = None

    def see(self, position: int, event: TraceEvent) -> None:
        ballot = event.ballot
        assert ballot is not None, "read_trace refuses a promise or accepted without a ballot"
        promises = self._nodes.get(event.node)
        if promises is None:
            promises = self._nodes[event.node] = Promises()
        instance, first = event.instance, event.first or 0
        held = promises.from_slot(first) if instance is None else promises.at(instance)
        if held is not None and ballot < held[0]:
            self._broken(position, event, held)
        elif event.event == "promise":
            promises.make(instance, first, ballot, position)

    def _broken(self, position: int, event: TraceEvent, held: tuple[Ballot, int]) -> None:
        if self.breach is not None:
            return
        did = (
            spell_promise(event)
            if event.event == "promise"
            else f"accepted {spell(event.ballot)} in {scope(event.instance, None)}"
        )
        self.breach = Breach(
            self.name,
            f"{event.node} {did} after it had promised {spell(held[0])}.",
            position,
            (held[1],),
        )


class AcceptedKept:
    """T23: a promise reports the highest proposal that the node accepted below its ballot."""

    name = "accepted-kept"
    reads = ("promise", "accepted")

    def __init__(self) -> None:
        self._nodes: dict[str, dict[Instance, tuple[Ballot, Scalar, int]]] = {}
        self._highest_slot: dict[str, int] = {}
        self.breach: Breach | None = None

    def see(self, position: int, event: TraceEvent) -> None:
        kept = self._nodes.get(event.node)
        if kept is None:
            kept = self._nodes[event.node] = {}
        if event.event == "promise":
            if self.breach is None:
                self._judge(position, event, kept)
            return
        ballot, instance = event.ballot, event.instance
        assert ballot is not None
        assert instance is not None
        earlier = kept.get(instance)
        if earlier is None or earlier[0] < ballot:
            kept[instance] = (ballot, event.value, position)
            if not isinstance(instance, str):
                highest = self._highest_slot.get(event.node, instance)
                self._highest_slot[event.node] = max(highest, instance)

    def _judge(
        self, position: int, event: TraceEvent, kept: dict[Instance, tuple[Ballot, Scalar, int]]
    ) -> None:
        assert event.ballot is not None
        reported = {instance: (ballot, value) for instance, ballot, value in event.accepted}
        for instance in self._in_scope(event, kept):
            earlier = kept.get(instance)
            # An acceptance at or above the promised ballot hides what lay below it: not judged.
            if earlier is None or earlier[0] >= event.ballot:
                continue
            report = reported.get(instance)
            if report is not None and report[0] > earlier[0]:
                continue
            if report is None or report[0] < earlier[0]:
                told = "nothing" if report is None else f"{spell(report[0])} = {report[1]!r}"
                self.breach = Breach(
                    self.name,
                    f"{event.node} {spell_promise(event)} and reported {told} in "
                    f"{scope(instance, None)}, where it had accepted {spell(earlier[0])} = "
                    f"{earlier[1]!r}.",
                    position,
                    (earlier[2],),
                )
                return

    def _in_scope(
        self, event: TraceEvent, kept: dict[Instance, tuple[Ballot, Scalar, int]]
    ) -> list[Instance]:
        if event.instance is not None:
            return [event.instance]
        first = event.first or 0
        slots = range(first, self._highest_slot.get(event.node, first - 1) + 1)
        if len(slots) <= len(kept):
            return list(slots)
        return sorted(i for i in kept if not isinstance(i, str) and i >= first)
