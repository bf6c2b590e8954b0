"""From calls to a picture of them.

Rules
1. Time is compressed to the order that matters: a call precedes another only if it completed before
   the other was invoked, so a run of invocations without a completion between them shares a column,
   and so does a run of completions.
2. Columns are as far left as labels and order allow.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from checkers.history import COMPARE_FAILED, Call
from checkers.notation.grammar import (
    CODE,
    LITERALS,
    RETURN_NOTHING,
    SHORT_CALL,
    WORD,
)

FOLD_MIN = 20  # columns; a narrower page gets lines that are too long for it


class _Interval(msgspec.Struct):
    """A call in a picture. `start` and `end` are slots; `end` is None where it never returns."""

    call: Call
    label: str
    mark: str
    start: int = 0
    end: int | None = None


def draw(
    calls: Iterable[Call],
    *,
    width: int | None = 100,
    notes: Mapping[int | str, str] | None = None,
    keys: bool = True,
    label_max: int | None = None,
) -> str:
    """The calls as a picture, without a line feed at the end; empty for no calls.

    `width`: columns of the page, notes apart; None for any. `notes`: by process, for the right of
    its line. `keys`: whether to name them. `label_max`: characters of a call before it is cut; a
    picture with cut calls does not parse.
    """
    intervals = _intervals(sorted(calls, key=lambda call: call.index), keys, label_max)
    if not intervals:
        return ""
    columns = _columns(intervals)
    rows: dict[int | str, str] = {}
    for interval in intervals:
        process = interval.call.invoke.process
        rows[process] = rows.get(process, "").ljust(columns[interval.start])
        rows[process] += _drawn(interval, columns)
    indent = max(len(f"p{process}") for process in rows) + 2
    page = None if width is None else width - indent
    blocks = _fold(rows, _harm(intervals, columns), page)
    for process, note in (notes or {}).items():
        if process in rows:
            last = blocks[-1]
            last[process] = last[process].ljust(max(map(len, last.values()))) + "  " + note
    return "\n\n".join(
        "\n".join(f"{f'p{p}':<{indent}}{body}".rstrip() for p, body in block.items())
        for block in blocks
    )


def label(call: Call, *, keys: bool = True) -> str:
    """A call as the notation writes it: `w1`, `r1`, `c1>2@k`."""
    f, given, returned = call.f, call.input, call.outcome == "ok"
    key = f"@{_key_text(call.key)}" if keys and call.key is not None else ""
    if f == "read" and given is None:
        return "r" + (_text(call.output) if returned else "") + key
    if f == "cas" and isinstance(given, list) and len(given) == 2:
        return f"c{_text(given[0])}>{_text(given[1])}{key}"
    told = returned and call.output is not None and f not in RETURN_NOTHING
    output = f"={_text(call.output)}" if told else ""
    if f in ("write", "append", "propose"):
        return f"{f[0]}{_text(given)}{output}{key}"
    is_word = WORD.fullmatch(f) and not SHORT_CALL.match(f + "-")
    name = f if is_word else _text(f)
    return name + ("" if given is None else f" {_text(given)}") + output + key


def _text(value: Any) -> str:
    if value is None:
        return "nil"
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=list)
    return text if text.isprintable() else json.dumps(value, separators=(",", ":"), default=list)


def _key_text(key: Any) -> str:
    if isinstance(key, str) and WORD.fullmatch(key) and key not in LITERALS:
        return key
    return _text(key)


def _intervals(calls: list[Call], keys: bool, label_max: int | None) -> list[_Interval]:
    """The calls with their slots: maximal runs of events of one kind, invocations or completions.

    Which of two invocations (or completions) came first orders no calls, so a run is one slot.
    """
    last_of = {call.invoke.process: call for call in calls}
    intervals: list[_Interval] = []
    events: list[tuple[int, _Interval]] = []
    for call in calls:
        text = label(call, keys=keys)
        if label_max is not None and len(text) > label_max:
            text = text[: label_max - 1] + "…"
        # An unknown outcome has no place in the order; only a line that goes on must show one.
        goes_on = call.outcome == "info" and call is not last_of[call.invoke.process]
        interval = _Interval(call, text, "?" if goes_on else _mark(call))
        intervals.append(interval)
        events.append((call.index, interval))
        if call.completion is not None and interval.mark != "...":
            events.append((call.completion.index, interval))
    slot = 0  # even: invocations, odd: completions
    for at, interval in sorted(events, key=lambda event: event[0]):
        is_completion = at != interval.call.index
        slot += slot % 2 != is_completion
        if is_completion:
            interval.end = slot
        else:
            interval.start = slot
    return intervals


def _mark(call: Call) -> str:
    if call.outcome == "info":
        return "..."
    if call.outcome == "ok":
        return "|"
    error = call.completion.error if call.completion is not None else None
    if error is None:
        return "!"
    if error.code == COMPARE_FAILED:
        return "!="
    return "!" + (error.code if CODE.fullmatch(error.code) else _text(error.code))


def _columns(intervals: list[_Interval]) -> list[int]:
    """The column of each slot: as far left as labels and order allow, then that of the dots."""
    slots = 1 + max(max(i.start, i.end or 0) for i in intervals)
    columns = [0] * (slots + 1)
    ending: dict[int, list[tuple[int, int]]] = {}  # slot -> (slot before, columns between)
    last_of: dict[int | str, _Interval] = {}
    for interval in intervals:
        length = len(interval.label) + 3
        ending.setdefault(slots if interval.end is None else interval.end, []).append(
            (interval.start, length)
        )
        before = last_of.get(interval.call.invoke.process)
        if before is not None and before.end is not None:
            ending.setdefault(interval.start, []).append((before.end, len(before.mark) + 1))
        last_of[interval.call.invoke.process] = interval
    for slot in range(1, slots + 1):
        columns[slot] = columns[slot - 1] + 2
        for other, between in ending.get(slot, ()):
            columns[slot] = max(columns[slot], columns[other] + between)
    return columns


def _drawn(interval: _Interval, columns: list[int]) -> str:
    if interval.end is None:
        length = columns[-1] - columns[interval.start] - 2
        return "|-" + interval.label.ljust(length, "-") + " ..."
    length = columns[interval.end] - columns[interval.start] - 1
    return "|" + interval.label.center(length, "-") + interval.mark


def _fold(
    rows: dict[int | str, str], harm: Counter[int], width: int | None
) -> list[dict[int | str, str]]:
    """The rows in blocks of at most `width` columns, each but the last with its sign of folding."""
    blocks: list[dict[int | str, str]] = []
    widest = None if width is None else max(width, FOLD_MIN)
    done, total = 0, max(map(len, rows.values()))
    while widest is not None and total - done > widest:
        to = min(range(done + widest // 2, done + widest), key=lambda at: (harm[at], -at))
        blocks.append({p: body[done:to].ljust(to - done) + "~" for p, body in rows.items()})
        done = to
    return [*blocks, {process: body[done:] for process, body in rows.items()}]


def _harm(intervals: list[_Interval], columns: list[int]) -> Counter[int]:
    """How many calls, with their nearest dashes and marks, a cut before each column divides."""
    harm: Counter[int] = Counter()
    for interval in intervals:
        start = columns[interval.start]
        at = start + _drawn(interval, columns).index(interval.label)
        harm.update(range(at - 1, at + len(interval.label) + 2))
        mark = columns[-1] if interval.end is None else columns[interval.end] + 1
        harm.update(range(mark, mark + len(interval.mark)))
    return harm
