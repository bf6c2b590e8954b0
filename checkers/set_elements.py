"""Elements of sets that only grow: lost, stale, duplicated or never added; at once, or in the end.

Rules
1. An element that is in a read must have been added by an operation that did not fail and began
   before the read ended; and it stands in the list once. This holds of every set, however weak.
2. Of a linearizable set every read has what was acknowledged before it began (else: lost), and
   what an earlier read had (else: vanished). Both follow from linearizability; they are found in
   linear time and name the element.
3. Of a set that converges (`eventual`) only final reads must be complete. Of each node (of each
   process where no node is recorded) that is the last read, begun when every add was over and
   every fault undone. It may be incomplete for `settle_s`; a recording that ends earlier is no
   evidence. What it lacks is lost where no node has it, missing where another one does.
4. Adds of unknown outcome may be there or not.
5. Where no acknowledged element was ever looked for, nothing is shown, and that is UNKNOWN; so it
   is where a node was asked for its final read and answered none: what converged without it, has
   not.

How long an element took to show is told, not judged: `stable_ms`, quantiles over acknowledged
elements of the time from the acknowledgement to the start of the last read that lacked it (0: no
read lacked it); `never_read`, how many no read was begun after.

Sources: set-full of Jepsen (stable, lost, stale, never read) and the broadcast and g-set workloads
of Maelstrom, with the mistakes of the former's duplicate test left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from checkers.faults import fault_intervals, healed_at
from checkers.finding import LISTED_MAX, Found, counted, end_of, found, invalid, listed, untold
from checkers.finding import valid as fine
from checkers.history import Call, History, HistoryError, freeze
from checkers.verdict import Recording, Verdict

Element = Any  # frozen


class SetElements(msgspec.Struct, frozen=True, kw_only=True):
    """Judges `add` (an element; the name of the operation may be another) and `read` (a list).

    Evidence of INVALID: `kind` (invented, duplicated, lost, vanished, missing), `key`, `elements`
    (the first 10), `total`, `operations`. Of all others: `elements`, `reads`, `never_read` and
    `stable_ms`. Raises HistoryError where an ok read is not a list.
    """

    add: str = "add"
    eventual: bool = False
    settle_s: float = 5.0

    @property
    def name(self) -> str:
        return "set-elements"

    def check(self, recording: Recording) -> Verdict:
        history = recording.history
        groups = [_Set(key, calls, self.add) for key, calls in history.by_key().items()]
        reads = sum(len(group.reads) for group in groups)
        if not reads:
            return untold(self.name, "No set was ever read.")
        for group in groups:
            wrong = group.invented() or (None if self.eventual else group.stale())
            if wrong is not None:
                return invalid(self.name, wrong)
        numbers = _numbers(groups)
        if not self.eventual:
            if 0 < numbers["elements"] == numbers["never_read"]:
                return untold(self.name, "No read was begun after an acknowledged add.", **numbers)
            adds = counted(numbers["elements"], "acknowledged element")
            return fine(self.name, f"{counted(reads, 'read')} missed none of {adds}.", **numbers)
        return self._in_the_end(history, groups, numbers)

    def _in_the_end(
        self, history: History, groups: Sequence[_Set], numbers: dict[str, Any]
    ) -> Verdict:
        calm = quiescence(history, (self.add,))
        if calm is None:
            return untold(self.name, "The system was never shown to be healed.", **numbers)
        judged = early = 0
        silent: list[str] = []
        for group in groups:
            silent += mute_nodes(group.calls, calm)
            finals = final_reads(group.calls, calm)
            judged += len(finals)
            for read in finals:
                wrong = group.incomplete(read, finals)
                if wrong is None:
                    continue
                if read.invoke.time >= calm[1] + self.settle_s * 1e9:
                    return invalid(self.name, wrong)
                early += 1
        if not judged:
            return untold(self.name, "No node was read after the last add was over.", **numbers)
        if early:
            sentence = (
                f"{counted(early, 'final read')} of {judged} lacked elements, less than "
                f"{self.settle_s:g} s after the last add: the recording ends too soon to tell."
            )
            return untold(self.name, sentence, **numbers)
        if silent:
            return untold(self.name, mute_sentence(silent), **numbers)
        elements = counted(numbers["elements"], "acknowledged element")
        return fine(
            self.name, f"All {counted(judged, 'final read')} had all {elements}.", **numbers
        )


def quiescence(history: History, mutations: Iterable[str]) -> tuple[int, int] | None:
    """(index, time in ns) from which nothing changes any more: the last heal and the last
    completion of a call of `mutations`, whichever is later. None where faults were not undone."""
    wanted = set(mutations)
    healed = healed_at(history)
    if healed is None and any(fault.applied is not None for fault in fault_intervals(history)):
        return None
    index, time_ns = (-1, 0) if healed is None else (healed.index, healed.time)
    for call in history.calls():
        last = call.completion or call.invoke
        if call.f in wanted and last.index > index:
            index, time_ns = last.index, last.time
    return index, time_ns


def final_reads(calls: Iterable[Call], calm: tuple[int, int]) -> list[Call]:
    """The last ok read of each node that was begun after `calm`."""
    last: dict[Any, Call] = {}
    for call in calls:
        if call.f == "read" and call.outcome == "ok" and call.index > calm[0]:
            last[call.invoke.node or call.invoke.process] = call
    return list(last.values())


def mute_nodes(calls: Iterable[Call], calm: tuple[int, int]) -> list[str]:
    """The nodes that were asked to read after `calm` and never answered."""
    asked = [call for call in calls if call.f == "read" and call.index > calm[0]]
    answered = {call.invoke.node for call in asked if call.outcome == "ok"}
    nodes = dict.fromkeys(call.invoke.node for call in asked)
    return [node for node in nodes if node is not None and node not in answered]


def mute_sentence(nodes: Sequence[str]) -> str:
    return f"Nobody knows what {listed(nodes)} has in the end: none of its final reads succeeded."


class _Set:
    """The calls on one key, read: adds by element, reads with their elements."""

    def __init__(self, key: Any, calls: Sequence[Call], add: str) -> None:
        self.key = key
        self.calls = calls
        self.adds: dict[Element, Call] = {}
        self.reads: list[tuple[Call, Sequence[Element]]] = []
        for call in calls:
            if call.f == add:
                element = freeze(call.input)
                # Of several adds of one element, the first that may have happened speaks for all
                # of what may be read; any acknowledged one, for what must be.
                held = self.adds.get(element)
                if held is None or held.outcome == "fail":
                    self.adds[element] = call
            elif call.f == "read" and call.outcome == "ok":
                self.reads.append((call, elements_of(call)))
        self.acknowledged = _by_end(calls, add)

    def invented(self) -> Found | None:
        """Rule 1. Of each element the read that ended first is looked at: the others can only be
        later."""
        vetted: set[Element] = set()
        for read, elements in sorted(self.reads, key=lambda entry: end_of(entry[0])):
            there = set(elements)
            if len(there) != len(elements):
                twice = [element for element, count in Counter(elements).items() if count > 1]
                return self._wrong("duplicated", twice, "read twice in one list", (read,))
            fresh = there - vetted
            if any(self._vet(element, read) for element in fresh):
                # Again in the order of the read, which is the same whatever the hash seed.
                return next(filter(None, (self._vet(element, read) for element in elements)))
            vetted |= fresh
        return None

    def _vet(self, element: Element, read: Call) -> Found | None:
        add = self.adds.get(element)
        if add is None:
            return self._wrong("invented", [element], "read, but never added", (read,))
        if add.outcome == "fail":
            why = "read, though its add definitely failed"
            return self._wrong("invented", [element], why, (add, read))
        if add.index > end_of(read):
            return self._wrong("invented", [element], "read before its add began", (read, add))
        return None

    def stale(self) -> Found | None:
        """Rule 2. `due` has what every read from here on must have; each comparison costs no more
        than the read is long, unless it finds something."""
        due: set[Element] = set()
        origin: dict[Element, Call] = {}
        adds, at_add = self.acknowledged, 0
        done = sorted(self.reads, key=lambda read: end_of(read[0]))
        at_read = 0
        for read, elements in self.reads:
            while at_add < len(adds) and adds[at_add][0] < read.index:
                due.add(adds[at_add][1])
                origin.setdefault(adds[at_add][1], adds[at_add][2])
                at_add += 1
            while at_read < len(done) and end_of(done[at_read][0]) < read.index:
                earlier, seen = done[at_read]
                for element in seen:
                    if element not in due:
                        due.add(element)
                        origin[element] = earlier
                at_read += 1
            absent = due.difference(elements)
            if absent:
                return self._absent(read, absent, origin)
        return None

    def _absent(self, read: Call, absent: set[Element], origin: dict[Element, Call]) -> Found:
        lost = sorted(absent, key=lambda e: (origin[e].index, repr(e)))
        element = lost[0]
        witness = origin[element]
        assert witness.completion is not None
        if witness.f == "read":
            why = f"in the read that ended at {witness.completion.index}, and not in a later one"
            return self._wrong("vanished", [element], why, (witness, read), total=len(absent))
        why = f"acknowledged at {witness.completion.index}, and not in the later read {read.index}"
        return self._wrong("lost", lost, why, (witness, read))

    def incomplete(self, read: Call, finals: Sequence[Call]) -> Found | None:
        """Rule 3, of one final read."""
        has = set(elements_of(read))
        absent = [(e, call) for _, e, call in self.acknowledged if e not in has]
        if not absent:
            return None
        elsewhere: dict[Element, Call] = {}
        for other in finals:
            for element in elements_of(other):
                elsewhere.setdefault(element, other)
        lost = [(e, call) for e, call in absent if e not in elsewhere]
        who = read.invoke.node or f"process {read.invoke.process}"
        if lost:
            why = f"acknowledged, and in the final read of no node (of {who}: {read.index})"
            return self._wrong("lost", [e for e, _ in lost], why, (lost[0][1], read))
        first, add = absent[0]
        other = elsewhere[first]
        where = other.invoke.node or f"process {other.invoke.process}"
        why = f"acknowledged and in the final read of {where}, but not in that of {who}"
        return self._wrong("missing", [e for e, _ in absent], why, (add, other, read))

    def _wrong(
        self,
        kind: str,
        elements: Sequence[Element],
        why: str,
        calls: Sequence[Call],
        total: int = 0,
    ) -> Found:
        of = "" if self.key is None else f"Set {self.key}: "
        return found(
            kind,
            f"{of}{listed(elements)} {why} (operations {listed(c.index for c in calls)}).",
            calls,
            key=self.key,
            elements=[repr(e) for e in elements[:LISTED_MAX]],
            total=total or len(elements),
        )

    def shown_after_ns(self) -> tuple[list[int], int]:
        """Of each acknowledged element the time until no read lacked it; and how many were never
        looked for. Backwards: what a read lacks is settled and leaves, what was acknowledged after
        it matters to no earlier read, so a read costs no more than it is long."""
        taken: list[int] = []
        adds = list(self.acknowledged)
        last = self.reads[-1][0].index if self.reads else -1
        never = sum(end > last for end, _, _ in adds)
        waiting = {element: call for end, element, call in adds if end <= last}
        for read, elements in reversed(self.reads):
            while adds and adds[-1][0] > read.index:
                if waiting.pop(adds.pop()[1], None) is not None:
                    taken.append(0)
            for element in waiting.keys() - set(elements):
                add = waiting.pop(element)
                assert add.completion is not None
                taken.append(read.invoke.time - add.completion.time)
        return taken + [0] * len(waiting), never


def _by_end(calls: Iterable[Call], add: str) -> list[tuple[float, Element, Call]]:
    """The acknowledged adds, as (index of the acknowledgement, element, call), in that order."""
    adds = [
        (end_of(call), freeze(call.input), call)
        for call in calls
        if call.f == add and call.outcome == "ok"
    ]
    return sorted(adds, key=lambda entry: entry[0])


def elements_of(read: Call) -> Sequence[Element]:
    """The frozen elements of an ok read; null is the empty list."""
    listed_there = read.output
    if listed_there is None:
        return ()
    if not isinstance(listed_there, list | tuple):
        assert read.completion is not None
        raise HistoryError(
            read.completion.index,
            f"a read of a set returned {listed_there!r}",
            "It returns the list of elements.",
        )
    if all(type(element) is int or type(element) is str for element in listed_there):
        return listed_there
    return [freeze(element) for element in listed_there]


def _numbers(groups: Iterable[_Set]) -> dict[str, Any]:
    taken: list[int] = []
    elements = reads = never = 0
    for group in groups:
        of_group, unseen = group.shown_after_ns()
        taken += of_group
        never += unseen
        elements += len(group.acknowledged)
        reads += len(group.reads)
    return {
        "elements": elements,
        "reads": reads,
        "never_read": never,
        "stable_ms": quantiles_ms(taken),
    }


def quantiles_ms(taken_ns: Iterable[int]) -> dict[str, float]:
    """The median, the 99th percentile and the greatest, in milliseconds; {} of nothing."""
    ordered = sorted(taken_ns)
    if not ordered:
        return {}
    last = len(ordered) - 1
    return {
        "p50": round(ordered[last // 2] / 1e6, 3),
        "p99": round(ordered[last * 99 // 100] / 1e6, 3),
        "max": round(ordered[-1] / 1e6, 3),
    }
