"""Committed offsets of logs: neither invented, lost nor gone back.

Rules
1. A listed offset was committed by an operation that did not fail and began before the list ended.
2. A listed offset is not one that was surely overtaken. An offset is in force once its commit
   was acknowledged, or once a list that has ended showed it; a lower one whose every commit had
   ended before any commit of the one in force began can be no one's answer any more, whether the
   last commit counts or the highest. Where commits overlap either may, and neither is held against
   the system.
3. A log of which an offset is in force is listed.

Sources: the commit and list operations of Maelstrom's kafka workload.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from checkers.finding import Found, end_of, found
from checkers.history import Call, HistoryError


class _Offset:
    """The commits of one offset of one log: when the first began and the last was over."""

    def __init__(self, call: Call) -> None:
        self.first = self.last = call

    def also(self, call: Call) -> None:
        if end_of(call) > end_of(self.last):
            self.last = call


def wrong_commit(calls: Iterable[Call]) -> Found | None:
    """The first thing that is wrong, None if nothing is. Raises HistoryError for a value of a shape
    that is not documented."""
    commits: dict[str, dict[int, _Offset]] = {}
    moments: list[tuple[float, Call, dict[str, int]]] = []
    lists: list[tuple[Call, dict[str, int]]] = []
    for call in calls:
        if call.f == "commit_offsets" and call.outcome != "fail":
            offsets = _offsets(call, call.input)
            for log, offset in offsets.items():
                known = commits.setdefault(log, {})
                known.setdefault(offset, _Offset(call)).also(call)
            moments.append((end_of(call), call, offsets))
        elif call.f == "list_committed_offsets" and call.outcome == "ok":
            lists.append((call, _offsets(call, call.output)))
            moments.append((end_of(call), call, lists[-1][1]))
    moments.sort(key=lambda moment: moment[0])
    force = _InForce(commits)
    at = 0
    for call, told in lists:
        while at < len(moments) and moments[at][0] < call.index:
            force.take(moments[at][1], moments[at][2])
            at += 1
        wrong = _wrong_list(call, told, commits, force)
        if wrong is not None:
            return wrong
    return None


class _InForce:
    """Of each log the offset in force whose first commit began last, and who showed it."""

    def __init__(self, commits: dict[str, dict[int, _Offset]]) -> None:
        self._commits = commits
        self.latest: dict[str, tuple[int, Call]] = {}

    def take(self, call: Call, offsets: dict[str, int]) -> None:
        for log, offset in offsets.items():
            commit = self._commits.get(log, {}).get(offset)
            if commit is None:
                continue
            held = self.latest.get(log)
            if held is None or commit.first.index > self._commits[log][held[0]].first.index:
                self.latest[log] = (offset, call)


def _wrong_list(
    call: Call, told: dict[str, int], commits: dict[str, dict[int, _Offset]], force: _InForce
) -> Found | None:
    for log, offset in told.items():
        commit = commits.get(log, {}).get(offset)
        said = f"operation {call.index} listed offset {offset} as committed"
        if commit is None or commit.first.index > end_of(call):
            return _found("never-committed", log, f"{said}, which nobody had committed", (call,))
        held = force.latest.get(log)
        if held is None or held[0] <= offset:
            continue
        overtaking = commits[log][held[0]]
        if end_of(commit.last) < overtaking.first.index:
            why = (
                f"{said}, though {held[0]} was committed later, by operation "
                f"{overtaking.first.index}, and in force by operation {held[1].index}"
            )
            return _found("gone-back", log, why, (commit.last, overtaking.first, held[1], call))
    for log in _asked(call):
        held = force.latest.get(log)
        if held is not None and log not in told:
            why = f"operation {call.index} listed no committed offset, though {held[0]} was"
            why += f" in force by operation {held[1].index}"
            return _found("lost-commit", log, why, (held[1], call))
    return None


def _asked(call: Call) -> Sequence[str]:
    asked = call.input if isinstance(call.input, list | tuple) else ()
    return [log for log in asked if isinstance(log, str)]


def _found(kind: str, log: str, why: str, calls: Sequence[Call]) -> Found:
    return found(kind, f"Log {log}: {why}.", calls, log=log)


def _offsets(call: Call, value: Any) -> dict[str, int]:
    """Null stands for no offsets, and for none of a log."""
    if value is None:
        return {}
    if isinstance(value, dict) and all(type(o) is int or o is None for o in value.values()):
        return {log: offset for log, offset in value.items() if offset is not None}
    raise HistoryError(
        call.index,
        f"{call.f!r} has the value {value!r}",
        "Expected {log: offset, ...}, with integers.",
    )
