"""Elements of queues: taken twice, taken out of nothing, lost.

Rules
1. An element that was dequeued was enqueued by an operation that did not fail and began before the
   dequeue ended, and it is dequeued as often as that at most. This holds in any order of delivery.
2. A queue that says it is empty has lost what was acknowledged before it was asked and was dequeued
   by nobody, ever; but each dequeue of unknown outcome, begun before the answer, may have taken
   one. More elements gone than that are lost.
3. All of it follows from linearizability as a queue of either kind, so INVALID is sound; it takes
   time that grows with the length of the history only, and names the element.

4. Where no element was ever taken, nothing is shown: that is UNKNOWN.

Sources: total-queue of Jepsen, whose `lost` wants a drain at the end; rule 2 makes an answer of
"empty" the drain, wherever it comes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from checkers.finding import LISTED_MAX, Found, counted, end_of, found, invalid, listed, untold
from checkers.finding import valid as fine
from checkers.history import Call, freeze
from checkers.verdict import Recording, Verdict


class QueueElements:
    """Judges `enqueue` (an element) and `dequeue` (the element taken, null: the queue was empty).

    Evidence: `kind` (invented, duplicated, lost), `key`, `elements` (the first 10), `operations`.
    """

    name = "queue-elements"

    def check(self, recording: Recording) -> Verdict:
        taken = empty = 0
        for key, calls in recording.history.by_key().items():
            queue = _Queue(key, calls)
            wrong = queue.invented() or queue.lost()
            if wrong is not None:
                return invalid(self.name, wrong)
            taken += len(queue.taken)
            empty += len(queue.empty)
        if not taken:
            sentence = f"No element was ever dequeued, with {counted(empty, 'answer')} of 'empty'."
            return untold(self.name, sentence)
        return fine(
            self.name,
            f"{counted(taken, 'element')} came once each; {counted(empty, 'answer')} of 'empty' "
            "hid none that was acknowledged.",
        )


class _Queue:
    """The calls on one key, read."""

    def __init__(self, key: Any, calls: Sequence[Call]) -> None:
        self.key = key
        self.puts: dict[Any, list[Call]] = {}
        self.taken: list[tuple[Call, Any]] = []
        self.empty: list[Call] = []
        self.unknown: list[int] = []  # when each dequeue of unknown outcome began
        for call in calls:
            if call.f == "enqueue":
                self.puts.setdefault(freeze(call.input), []).append(call)
            elif call.f == "dequeue" and call.outcome == "info":
                self.unknown.append(call.index)
            elif call.f == "dequeue" and call.outcome == "ok" and call.output is None:
                self.empty.append(call)
            elif call.f == "dequeue" and call.outcome == "ok":
                self.taken.append((call, freeze(call.output)))

    def invented(self) -> Found | None:
        """Rule 1."""
        taken: dict[Any, list[Call]] = {}
        for take, element in self.taken:
            puts = [put for put in self.puts.get(element, ()) if put.outcome != "fail"]
            takes = taken.setdefault(element, [])
            takes.append(take)
            if not puts:
                failed = self.puts.get(element)
                why = "its enqueue definitely failed" if failed else "nobody enqueued it"
                return self._wrong("invented", [element], f"was taken, but {why}", (take,))
            if puts[0].index > end_of(take):
                why = "was taken before its enqueue began"
                return self._wrong("invented", [element], why, (take, puts[0]))
            if len(takes) > len(puts):
                times = "once" if len(puts) == 1 else f"{len(puts)} times"
                why = f"was enqueued {times} and taken {len(takes)} times"
                return self._wrong("duplicated", [element], why, (*puts, *takes))
        return None

    def lost(self) -> Found | None:
        """Rule 2."""
        taken = {element for _, element in self.taken}
        gone = self._gone(taken)
        ends = [end for end, _ in gone]
        for empty in self.empty:
            absent = bisect_left(ends, empty.index)
            excuses = bisect_left(self.unknown, end_of(empty))
            if absent > excuses:
                puts = [put for _, put in gone[:absent]]
                but = f", and only {excuses} dequeues of unknown outcome" if excuses else ""
                why = (
                    f"acknowledged and never taken, yet operation {empty.index} found the queue "
                    f"empty{but}"
                )
                elements = [freeze(put.input) for put in puts]
                return self._wrong("lost", elements, why, (*puts[:LISTED_MAX], empty))
        return None

    def _gone(self, taken: set[Any]) -> list[tuple[float, Call]]:
        """The acknowledged enqueues whose element nobody took, by their ends."""
        gone = [
            (end_of(put), put)
            for element, puts in self.puts.items()
            if element not in taken
            for put in puts
            if put.outcome == "ok"
        ]
        return sorted(gone, key=lambda entry: entry[0])

    def _wrong(self, kind: str, elements: Sequence[Any], why: str, calls: Sequence[Call]) -> Found:
        of = "" if self.key is None else f"Queue {self.key}: "
        return found(
            kind,
            f"{of}{listed(elements)} {why} (operations {listed(c.index for c in calls)}).",
            calls,
            key=self.key,
            elements=[repr(e) for e in elements[:LISTED_MAX]],
        )
