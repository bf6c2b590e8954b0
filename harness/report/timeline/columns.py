"""Operations as columns of numbers: what a page can carry by the hundred thousand.

Rules
1. A call is a row of the columns below, in the order of invocations; whatever is text stands once
   in a table of texts, and the column has its number.
2. Times are whole steps of `step_ns` from `origin_ns`: 32 bits hold them, and a step is never more
   than a four-billionth of the run. A call that never returned has the duration NEVER.
3. At most DRAWN_MAX calls: those nearest to what matters, and of the rest an even sample.
4. A history in which no time passes is drawn by the order of its events.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Hashable, Sequence
from heapq import heappop, heappush
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from checkers.history import Call
from harness.report import words

DRAWN_MAX = 150_000
WHOLE_MAX = 30_000  # of those, kept together around what matters
NEVER = 2**32 - 1
OUTCOMES = ("ok", "fail", "info")
TEXT_MAX = 40  # characters of one value
_STEPS_MAX = 2**32 - 2


class Span(msgspec.Struct, frozen=True):
    """From when to when something is drawn, and in what steps."""

    origin_ns: int
    end_ns: int
    step_ns: int
    by_order: bool  # rule 4

    def seconds(self, time_ns: int) -> float:
        return (time_ns - self.origin_ns) / 1e9


class Columns(msgspec.Struct, frozen=True):
    """`texts`: the tables, by column. `rows`: how many lanes the calls lie in. `total`: how many
    calls there are, `count`: how many of them are here."""

    arrays: dict[str, NDArray[Any]]
    texts: dict[str, list[str]]
    rows: int
    count: int
    total: int


NO_TIME_NS = 10  # an event: nobody measures so finely; these are positions that stand for times


def span(calls: Sequence[Call], times_ns: Sequence[int]) -> Span:
    """Of calls and of everything else that has a time."""
    begins = [calls[0].invoke.time] if calls else []
    ends = [(call.completion or call.invoke).time for call in calls]
    origin = min(0, min(begins + list(times_ns), default=0))
    first = min(begins + list(times_ns), default=0)
    end = max(ends + list(times_ns), default=0)
    last = max((call.completion or call.invoke).index for call in calls) if calls else 0
    if calls and end - first <= NO_TIME_NS * last:
        return Span(0, last + 1, 1, by_order=True)
    # A history that somebody cut out of a long run begins where it begins.
    origin = first if first > (end - first) else origin
    return Span(origin, end, 1 + (end - origin) // _STEPS_MAX, by_order=False)


def chosen(calls: Sequence[Call], marked: Sequence[Call]) -> Sequence[Call]:
    """At most DRAWN_MAX of the calls, in their order; rule 3."""
    if len(calls) <= DRAWN_MAX:
        return calls
    indices = [call.index for call in calls]
    at = int(np.searchsorted(indices, marked[0].index)) if marked else 0
    low = max(0, min(at - WHOLE_MAX // 2, len(calls) - WHOLE_MAX))
    kept = np.zeros(len(calls), dtype=bool)
    kept[low : low + WHOLE_MAX] = True
    kept[np.linspace(0, len(calls) - 1, DRAWN_MAX - WHOLE_MAX).astype(int)] = True
    return [calls[i] for i in np.flatnonzero(kept).tolist()]


def columns(calls: Sequence[Call], drawn: Sequence[Call], workers: int, over: Span) -> Columns:
    """`drawn`: those of the calls that become rows. `workers`: a process number is its worker's
    plus a multiple of it; 0 where that is unknown."""
    lanes, rows = _lanes(calls, workers)
    keys, nodes, texts, names = _Table(), _Table(), _Table(), _Table()
    time = _index_of if over.by_order else _time_of
    starts = np.array([time(c.invoke) for c in drawn], dtype=np.int64)
    ends = np.array([-1 if c.completion is None else time(c.completion) for c in drawn], np.int64)
    start = (starts - over.origin_ns) // over.step_ns
    taken = np.where(ends < 0, NEVER, (ends - starts) // over.step_ns)
    arrays: dict[str, Any] = {
        "start": start.astype("<u4"),
        "taken": taken.astype("<u4"),
        "index": np.array([c.index for c in drawn], "<u4"),
        "done": np.array([-1 if c.completion is None else c.completion.index for c in drawn]),
        "process": np.array([c.invoke.process for c in drawn], "<u4"),
        "row": np.array([lanes[c.invoke.process] for c in drawn], "<u4"),
        "outcome": np.array([OUTCOMES.index(c.outcome) for c in drawn], "<u4"),
        "f": np.array([names.number(c.f, _name) for c in drawn], "<u4"),
        "node": np.array([nodes.number(c.invoke.node or "", _name) for c in drawn], "<u4"),
        "key": np.array([keys.number(_hashable(c.key), _key) for c in drawn], "<u4"),
        "text": np.array([texts.number(words.what(c, TEXT_MAX), str) for c in drawn], "<u4"),
    }
    arrays["done"] = arrays["done"].astype("<i8").astype("<u4")  # NEVER where there is none
    tables = {"f": names.texts, "node": nodes.texts, "key": keys.texts, "text": texts.texts}
    return Columns(arrays, tables, rows, len(drawn), len(calls))


def payload(drawn: Columns, rest: dict[str, Any]) -> str:
    """All of it as base64 of deflated bytes: the length of a head, the head as JSON, the columns.
    `rest` joins the head."""
    head = msgspec.json.encode(
        {
            **rest,
            "columns": list(drawn.arrays),
            "count": drawn.count,
            "total": drawn.total,
            "rows": drawn.rows,
            "texts": drawn.texts,
        }
    )
    head += b" " * (-len(head) % 4)
    parts = [len(head).to_bytes(4, "little"), head]
    # Differences of neighbours are small where the numbers are not, and small numbers deflate well.
    for name, array in drawn.arrays.items():
        steps = np.diff(array, prepend=array.dtype.type(0)) if name in STEPPED else array
        parts.append(steps.astype("<u4").tobytes())
    return base64.b64encode(zlib.compress(b"".join(parts), 6)).decode()


STEPPED = ("start", "index", "done")


class _Table:
    """Texts, each once; a number is a text's place."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[Hashable, int] = {}

    def number(self, value: Hashable, told: Callable[[Any], str]) -> int:
        found = self._numbers.get(value)
        if found is None:
            found = self._numbers[value] = len(self.texts)
            self.texts.append(told(value))
        return found


def _lanes(calls: Sequence[Call], workers: int) -> tuple[dict[Any, int], int]:
    """The lane of each process. One that has retired gives its lane to the next that begins: who
    took over from whom, no foreign history says."""
    last = {call.invoke.process: (call.completion or call.invoke).index for call in calls}
    if workers:
        return {process: _number(process) % workers for process in last}, workers
    lanes: dict[Any, int] = {}
    free: list[int] = []
    busy: list[tuple[int, int]] = []  # the index of a process's last event, its lane
    for call in calls:
        process = call.invoke.process
        if process in lanes:
            continue
        while busy and busy[0][0] < call.index:
            heappush(free, heappop(busy)[1])
        lanes[process] = heappop(free) if free else len(busy)
        heappush(busy, (last[process], lanes[process]))
    return lanes, max(lanes.values(), default=-1) + 1


def _number(process: int | str) -> int:
    assert isinstance(process, int), "calls are of clients"
    return process


def _time_of(operation: Any) -> int:
    time: int = operation.time
    return time


def _index_of(operation: Any) -> int:
    index: int = operation.index
    return index


def _hashable(key: Any) -> Hashable:
    if key is None or isinstance(key, str | int):
        return key
    return words.named_key(key)


def _name(text: str) -> str:
    return words.clip(text, TEXT_MAX)


def _key(key: Any) -> str:
    return "" if key is None else words.named_key(key)
