"""A verdict on a terminal: what was found and why, in at most twenty lines.

Rules
1. At most LINES_MAX lines of at most WIDTH columns, whatever the evidence; what is left out is in
   the report, whose path the caller prints next.
2. Control characters of a history never reach the terminal: they could rewrite what it shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from checkers.faults import FaultInterval, fault_intervals
from checkers.finding import counted
from checkers.history import Call
from checkers.notation import draw
from checkers.statistics import Statistics, statistics
from checkers.verdict import Recording, Verdict
from harness.report import words
from harness.report.explanations import Explanation, explanations, leaves

LINES_MAX = 18  # of twenty: the caller adds the path of the report and the command to run it again
WIDTH = 110
PICTURE_MAX = 8  # lines
CALLS_MAX = 8
CHECKS_MAX = 6  # named in their line
_INDENT = "  "


def verdict_lines(verdict: Verdict, recording: Recording, notices: Sequence[str] = ()) -> list[str]:
    """The verdict, the first explanation, then a line each: checks, operations, faults, notices."""
    top = _wrapped(f"{verdict.kind.name} {verdict.summary}", 3)
    last = _last_lines(verdict, recording, notices)
    explained = explanations(verdict, recording)
    room = LINES_MAX - len(top) - len(last)
    middle = _story(explained[0], verdict, room) if explained else []
    return [_printable(line) for line in (*top, *middle, *last)]


def _story(explained: Explanation, verdict: Verdict, room: int) -> list[str]:
    """The picture, if there is one, and as many sentences as there is room for."""
    drawn = picture(explained)
    lines = drawn[: min(PICTURE_MAX, room - 4)] if drawn else []
    # The headline has said the summary already.
    for sentence in [s for s in explained.sentences if s != verdict.summary]:
        left = room - len(lines)
        if left <= 0:
            break
        lines += _wrapped(sentence, min(2, left), _INDENT)
    return lines


def picture(explained: Explanation) -> list[str]:
    """The window with as many calls as there is room for; empty where not even the culprits fit."""
    chosen = most_telling_first(explained)
    for count in range(min(len(chosen), CALLS_MAX), 0, -1):
        lines = _drawn(sorted(chosen[:count], key=lambda call: call.index), explained)
        if len(lines) <= PICTURE_MAX and all(len(line) <= WIDTH for line in lines):
            return lines
    return []


def _drawn(chosen: Sequence[Call], explained: Explanation) -> list[str]:
    calls = [_as_of(call, explained.end_at) for call in chosen]
    note = "<- fits nowhere" if explained.end_at is not None else "<-"
    notes = {c.invoke.process: note for c in calls if c.index in explained.culprits}
    # A key that all share is told by the sentences; the labels are for values.
    keys = len({repr(call.key) for call in calls}) > 1
    page = WIDTH - len(_INDENT) - len(note) - 2
    text = draw(calls, width=page, notes=notes, keys=keys, label_max=24)
    return [_INDENT + line for line in text.splitlines()]


def most_telling_first(explained: Explanation) -> list[Call]:
    """The culprits, then what else tells the story, then the others, the latest first."""

    def rank(call: Call) -> tuple[bool, bool, int]:
        index = call.index
        return index not in explained.culprits, index not in explained.essential, -index

    return sorted(explained.calls, key=rank)


def _as_of(call: Call, end_at: int | None) -> Call:
    """The call as it stood at that event: what completed later had not returned."""
    done = call.completion
    if end_at is None or done is None or done.index <= end_at:
        return call
    return Call(call.invoke, None)


def _last_lines(verdict: Verdict, recording: Recording, notices: Sequence[str]) -> list[str]:
    faults = fault_intervals(recording.history)
    lines = [
        "checks      " + _checks(leaves(verdict)),
        "operations  " + _operations(statistics(recording)),
        "faults      " + _faults(faults),
    ]
    if notices:
        rest = f" (and {counted(len(notices) - 1, 'more notice')})" if len(notices) > 1 else ""
        first = (notices[0].splitlines() or [""])[0]
        lines.append("notice      " + words.clip(first, WIDTH - 14 - len(rest)) + rest)
    return [words.clip(line, WIDTH) for line in lines]


def _checks(parts: Sequence[Verdict]) -> str:
    """'INVALID agreement; VALID coverage, p2c and 3 more', the worst first."""
    names: dict[str, list[str]] = {}
    for leaf in parts:
        names.setdefault(leaf.kind.name, []).append(words.clip(leaf.checker, 30))
    most = CHECKS_MAX // len(names)
    return "; ".join(
        f"{kind} {', '.join(named[:most])}"
        + (f" and {len(named) - most} more" if len(named) > most else "")
        for kind, named in names.items()
    )


def _operations(stats: Statistics) -> str:
    totals = {o: sum(c[o] for c in stats.counts.values()) for o in ("ok", "fail", "info")}
    counted = ", ".join(f"{count:,} {outcome}" for outcome, count in totals.items())
    share = stats.availability.share
    available = "" if share is None else f"; {share:.1%} available"
    latency = stats.latency.get("outcome:ok")
    took = ""
    if latency is not None and stats.duration_s >= words.MEASURED_S:
        took = f"; p50 {latency.p50_ms:.1f} ms, p99 {latency.p99_ms:.1f} ms"
    return counted + available + took


def _faults(faults: Sequence[FaultInterval]) -> str:
    if not faults:
        return "none"
    kinds = Counter(fault.kind for fault in faults)
    counted = ", ".join(f"{count} {words.clip(kind, 20)}" for kind, count in kinds.items())
    idle = Counter(fault.kind for fault in faults if fault.probed and not fault.in_effect)
    if not all(fault.probed for fault in faults):
        return counted
    if not idle:
        return f"{counted}; all seen in effect"
    missing = ", ".join(f"{count} {words.clip(kind, 20)}" for kind, count in idle.items())
    return f"{counted}; not seen in effect: {missing}"


def _wrapped(text: str, lines_max: int, indent: str = "") -> list[str]:
    """The text in lines of WIDTH, later ones indented; cut where it takes more than `lines_max`."""
    lines: list[str] = []
    line = indent
    for word in " ".join(text.split()).split(" "):
        cut = words.clip(word, WIDTH - len(indent) - 6)
        if len(line) + len(cut) + 1 > WIDTH and line.strip():
            lines.append(line)
            line = indent + "  "
        line += cut if not line.strip() else " " + cut
    lines.append(line)
    if len(lines) > lines_max:
        lines = lines[:lines_max]
        lines[-1] = lines[-1][: WIDTH - 2] + " …"
    return lines


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else "�" for c in line)
