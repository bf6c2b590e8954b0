"""Elements of an append-only log: none lost, invented, doubled or out of order.

Rules
1. Everything here follows from linearizability of append and read, so INVALID is sound; it is found
   in linear time and names the element, where a search names a window.
2. Elements are unique: one that was appended twice by clients is not judged for doubling or order.
3. An append whose outcome is unknown may appear or not; one that failed may not appear.

Sources: the checks are those of a set that keeps its order; compare Jepsen's set and total-queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from checkers.history import Call, HistoryError, freeze
from checkers.verdict import Kind, Recording, Verdict


class Elements:
    """Judges `append` (an element) and `read` (the whole list) on each key.

    Evidence: `kind` (lost, invented, doubled, reordered, diverged), `key`, `element`, `operations`.
    Raises HistoryError where an ok read is not a list.
    """

    name = "elements"

    def check(self, recording: Recording) -> Verdict:
        reads = 0
        for key, calls in recording.history.by_key().items():
            log = _Log(key, calls)
            reads += len(log.reads)
            found = log.judge()
            if found is not None:
                return Verdict(
                    checker=self.name,
                    kind=Kind.INVALID,
                    summary=found.pop("sentence"),
                    evidence=found,
                )
        if not reads:
            return Verdict(
                checker=self.name,
                kind=Kind.UNKNOWN,
                cause="coverage",
                summary="No log was ever read.",
            )
        return Verdict(
            checker=self.name,
            kind=Kind.VALID,
            summary=f"{reads} reads show every acknowledged element once, in one order.",
        )


class _Log:
    """The calls on one key, read: appends by element, reads as frozen lists."""

    def __init__(self, key: Any, calls: Sequence[Call]) -> None:
        self.key = key
        self.appends: dict[Any, Call] = {}
        self.repeated: set[Any] = set()
        self.reads: list[tuple[Call, tuple[Any, ...]]] = []
        for call in calls:
            if call.f == "append":
                element = freeze(call.input)
                # Of several appends of one element, one that may have happened speaks for all.
                held = self.appends.get(element)
                if held is not None:
                    self.repeated.add(element)
                if held is None or held.outcome == "fail":
                    self.appends[element] = call
            elif call.f == "read" and call.outcome == "ok":
                self.reads.append((call, _elements(call)))

    def judge(self) -> dict[str, Any] | None:
        """The first thing wrong, None if nothing is."""
        longest: tuple[Call, tuple[Any, ...]] | None = None
        for read, elements in self.reads:
            wrong = self._content(read, elements) or self._missing(read, elements)
            if wrong is not None:
                return wrong
            if longest is None:
                longest = read, elements
                continue
            shared = min(len(elements), len(longest[1]))
            if elements[:shared] != longest[1][:shared]:
                at = next(i for i in range(shared) if elements[i] != longest[1][i])
                return self._found(
                    "diverged",
                    elements[at],
                    f"two reads disagree at place {at}: {elements[at]!r} in operation "
                    f"{read.index}, {longest[1][at]!r} in operation {longest[0].index}",
                    (longest[0], read),
                )
            if len(elements) > len(longest[1]):
                longest = read, elements
        return None if longest is None else self._order(*longest)

    def _content(self, read: Call, elements: tuple[Any, ...]) -> dict[str, Any] | None:
        assert read.completion is not None
        seen: set[Any] = set()
        for element in elements:
            append = self.appends.get(element)
            if append is None or append.outcome == "fail":
                why = "nobody appended it" if append is None else "its append definitely failed"
                calls = (read,) if append is None else (append, read)
                return self._found("invented", element, f"{element!r} was read, but {why}", calls)
            if element in self.repeated:
                continue
            if append.index > read.completion.index:
                why = f"{element!r} was read before it was appended"
                return self._found("invented", element, why, (read, append))
            if element in seen:
                why = f"{element!r} was appended once and read twice in one list"
                return self._found("doubled", element, why, (append, read))
            seen.add(element)
        return None

    def _missing(self, read: Call, elements: tuple[Any, ...]) -> dict[str, Any] | None:
        present = set(elements)
        for element, append in self.appends.items():
            if append.outcome != "ok" or element in present:
                continue
            assert append.completion is not None
            if append.completion.index < read.index:
                why = (
                    f"{element!r} was acknowledged in operation {append.completion.index} and is "
                    f"missing from the later read, operation {read.index}"
                )
                return self._found("lost", element, why, (append, read))
        return None

    def _order(self, read: Call, elements: tuple[Any, ...]) -> dict[str, Any] | None:
        """An element must not stand behind one whose append began after its own had ended."""
        latest: Call | None = None  # of the elements so far, the append invoked last
        for element in elements:
            append = self.appends[element]
            if element in self.repeated:
                continue
            ended = (
                append.completion.index if append.outcome == "ok" and append.completion else None
            )
            if latest is not None and ended is not None and ended < latest.index:
                why = (
                    f"{element!r} stands behind {freeze(latest.input)!r}, whose append began after "
                    f"that of {element!r} had ended"
                )
                return self._found("reordered", element, why, (append, latest, read))
            if latest is None or append.index > latest.index:
                latest = append
        return None

    def _found(self, kind: str, element: Any, why: str, calls: Sequence[Call]) -> dict[str, Any]:
        return {
            "sentence": f"Log {self.key!r}: {why}.",
            "kind": kind,
            "key": repr(self.key),
            "element": repr(element),
            "operations": [call.index for call in calls],
        }


def _elements(read: Call) -> tuple[Any, ...]:
    if read.output is None:
        return ()
    if not isinstance(read.output, list | tuple):
        raise HistoryError(
            read.index,
            f"a read of a log returned {read.output!r}",
            "It returns the list of elements.",
        )
    return tuple(freeze(element) for element in read.output)
