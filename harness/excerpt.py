"""Out of a history file that is too large to be held: what evidence names, and what to draw of it.

Rules
1. Only a file that was read as a history before is asked; a line that is none ends it here.
2. An excerpt is a history: a call is in it whole, or not at all.
3. To draw, everything about the calls that evidence names comes first, complete; of the rest every
   n-th call, so that the run is seen from end to end. Numbers are of all calls, drawn or not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from checkers.call_columns import CallColumns
from checkers.faults import fault_intervals
from checkers.history import History, Operation
from checkers.statistics import Statistics, measured

FAULTS_MAX = 100_000  # operations of the nemesis, which are kept: what was in force then
AROUND_MAX = 30_000  # operations before the last that evidence names, and as many behind it
SPREAD_MAX = 70_000  # calls from all over the history


class Overview(msgspec.Struct, frozen=True):
    """`drawn`: what is shown. `statistics`: of all. `start_ns`, `end_ns`: between them nothing is
    left out; None where evidence names nothing. `every`: of the others each n-th is shown."""

    drawn: History
    statistics: Statistics
    start_ns: int | None
    end_ns: int | None
    every: int


class _Failed(msgspec.Struct):
    code: str


class _Head(msgspec.Struct):
    index: int
    time: int
    process: int | str
    type: str
    f: str
    error: _Failed | None = None


_HEAD = msgspec.json.Decoder(_Head)
_LINE = msgspec.json.Decoder(Operation)
_Seen = Callable[[_Head], None]
_Wanted = Callable[[_Head], bool]


def excerpt_of(file: Path, named: Collection[int]) -> History:
    """The calls whose invocations are named by index, and what the nemesis did, as a history.

    Raises OSError.
    """
    wanted = frozenset(named)
    return _read(file, lambda head: head.index in wanted, until=max(wanted, default=-1))


def overview_of(file: Path, named: Collection[int], calls: int) -> Overview:
    """What to draw of a history of so many calls, and the statistics of all of it.

    Raises OSError.
    """
    wanted = frozenset(named)
    focus = max(wanted, default=None)
    first, last = (0, -1) if focus is None else (focus - AROUND_MAX, focus + AROUND_MAX)
    every = max(1, -(-calls // SPREAD_MAX))
    columns = CallColumns()
    span: list[int] = []  # times of what lies about the focus
    end_ns = 0

    def seen(head: _Head) -> None:
        nonlocal end_ns
        end_ns = head.time
        if first <= head.index <= last:
            span[1:] = [head.time]
        if isinstance(head.process, str):
            return
        if head.type == "invoke":
            columns.invoked(head.process, head.f, head.time)
        else:
            code = None if head.error is None else head.error.code
            columns.completed(head.process, head.type, head.time, code)

    def is_wanted(head: _Head) -> bool:
        about = first <= head.index <= last or head.index in wanted
        return about or len(columns) % every == 1 % every

    drawn = _read(file, is_wanted, seen=seen)
    return Overview(
        drawn=drawn,
        statistics=measured(columns, fault_intervals(drawn), end_ns),
        start_ns=span[0] if span else None,
        end_ns=span[-1] if span else None,
        every=every,
    )


def _read(
    file: Path, is_wanted: _Wanted, *, seen: _Seen | None = None, until: int | None = None
) -> History:
    """The calls whose invocations are wanted. `seen` is told of every line, before it is asked for;
    behind the index `until` nothing begins that is wanted."""
    operations: list[Operation] = []
    open_calls: set[int | str] = set()
    faults = 0
    with file.open("rb") as lines:
        for line in lines:
            try:
                head = _HEAD.decode(line)
            except msgspec.DecodeError:
                if line.isspace():
                    continue
                break
            if until is not None and head.index > until and not open_calls:
                break
            if seen is not None:
                seen(head)
            if isinstance(head.process, str):
                faults += 1
                if faults <= FAULTS_MAX:
                    operations.append(_LINE.decode(line))
            elif head.type == "invoke":
                if is_wanted(head):
                    open_calls.add(head.process)
                    operations.append(_LINE.decode(line))
            elif head.process in open_calls:
                open_calls.discard(head.process)
                operations.append(_LINE.decode(line))
    return History(operations)
