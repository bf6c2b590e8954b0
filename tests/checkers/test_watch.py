"""Watches: a history to reject for each guarantee, and the nearest that is right."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.history import HistoryError, Operation
from checkers.verdict import Kind, Verdict
from checkers.watch import Watches
from tests.checkers.lines import Lines, call, judged, recorded

Told = tuple[int, Any]  # revision, value


def write(value: Any, revision: int | None, outcome: str = "ok") -> Lines:
    told = None if revision is None else {"revision": revision}
    return call(1, "write", value, told, outcome)


def read(value: Any, revision: int | None) -> Lines:
    return call(3, "read", None, {"value": value, "revision": revision})


def watch(begin: int | None, to: int, *events: Told, key: str = "k") -> Lines:
    told = [{"revision": r, "key": key, "value": v, "type": "put"} for r, v in events]
    given = {"from": begin, "for_s": 0.1}
    return call(2, "watch", given, {"from": begin or 0, "to": to, "events": told})


def judge(lines: list[str]) -> Verdict:
    return judged(Watches(), *lines, key="k")


W = [*write(1, 5), *write(2, 7)]

REJECTED: list[tuple[list[str], str]] = [
    ([*W, *watch(0, 7, (5, 1), (7, 2), key="other")], "filter"),
    ([*W, *watch(0, 7, (7, 2), (5, 1))], "ordered"),
    ([*W, *watch(0, 7, (5, 1), (5, 1), (7, 2))], "unique"),
    ([*W, *watch(0, 9, (5, 1), (7, 2), (9, 1))], "unique"),
    ([*W, *watch(5, 7, (5, 1), (7, 2))], "resumable"),
    ([*W, *watch(0, 7, (7, 2))], "complete"),
    ([*W, *watch(0, 7, (5, 1))], "complete"),
    ([*write(1, 5, "info"), *read(1, 5), *watch(0, 6)], "complete"),
    ([*write(1, None), *watch(0, 5, (5, 1)), *watch(0, 6)], "complete"),
    ([*W, *watch(0, 7, (5, 3), (7, 2))], "true"),
    ([*W, *watch(0, 9, (5, 1), (7, 2), (8, 3))], "true"),
    ([*write(1, 5, "fail"), *watch(0, 5, (5, 1))], "true"),
    ([*watch(0, 5, (5, 1)), *write(1, 5)], "true"),
    ([*write(1, 5), *write(2, 5, "info"), *read(2, 5), *watch(0, 5, (5, 1))], "true"),
    ([*write(1, 5), *write(2, 4), *watch(0, 5, (4, 2), (5, 1))], "revision-order"),
    ([*watch(8, 9), *write(1, 5), *watch(0, 9, (5, 1))], "revision-order"),
    ([*W, *read(1, 5), *watch(0, 7, (5, 1), (7, 2))], "stale-read"),
    ([*W, *read(None, None), *watch(0, 7, (5, 1), (7, 2))], "stale-read"),
    ([*write(1, None), *watch(0, 5, (5, 1)), *read(None, 0)], "stale-read"),
]


@pytest.mark.parametrize(("lines", "kind"), REJECTED)
def test_each_guarantee_has_a_history_that_breaks_it(lines: list[str], kind: str) -> None:
    """With the key, the revision and the operations."""
    verdict = judge(lines)

    assert (Kind.INVALID, kind) == (verdict.kind, verdict.evidence.get("kind")), verdict.summary
    assert verdict.evidence["operations"]
    assert isinstance(verdict.evidence["revision"], int)


@pytest.mark.parametrize(
    "lines",
    [
        [*W, *watch(0, 7, (5, 1), (7, 2)), *watch(7, 9), *read(2, 7)],
        [*W, *watch(None, 7, (5, 1), (7, 2))],
        [*W, *watch(5, 7, (7, 2)), *watch(0, 5, (5, 1)), *watch(0, 6, (5, 1))],
        [*write(1, None, "info"), *watch(0, 4), *watch(0, 9, (5, 1))],
        [*write(1, None), *watch(0, 9, (5, 1)), *read(1, 5)],
        [
            "3 invoke read null",
            *W,
            '3 ok read {"value": null, "revision": 0}',
            *watch(6, 7, (7, 2)),
        ],
        [*write(1, 5, "fail"), *write(2, 5), *watch(0, 5, (5, 2))],
        [*watch(99, 99), *write(1, 5), *watch(0, 5, (5, 1))],
        [
            *write(1, 5),
            *watch(0, 5, (5, 1)),
            *call(3, "delete", None, None, "info"),
            *read(None, 0),
        ],
    ],
)
def test_the_nearest_right_history_is_valid(lines: list[str]) -> None:
    """Ranges that end earlier or begin later, unknown outcomes and overlap are not held against
    the system."""
    verdict = judge(lines)

    assert Kind.VALID is verdict.kind, verdict.summary


def of_keys(to: int, *events: tuple[int, str, int]) -> Verdict:
    """Two keys that were written at one revision, and a watch of all keys."""
    told = [{"revision": r, "key": k, "value": v, "type": "put"} for r, k, v in events]
    operations: list[Operation] = []

    def add(process: int, kind: Any, f: str, value: Any, key: str | None) -> None:
        operations.append(Operation(len(operations), 0, process, kind, f, value, key))

    for key in ("a", "b"):
        add(1, "invoke", "write", 1, key)
        add(1, "ok", "write", {"revision": 5}, key)
    add(2, "invoke", "watch", {"from": 0, "for_s": 1}, None)
    add(2, "ok", "watch", {"from": 0, "to": to, "events": told}, None)
    recording = recorded()
    return Watches().check(type(recording)(history=type(recording.history)(operations)))


def test_one_revision_of_several_keys_is_not_cut() -> None:
    """A transaction is told as a whole, or not yet."""
    assert Kind.VALID is of_keys(5, (5, "a", 1), (5, "b", 1)).kind
    cut = of_keys(5, (5, "a", 1))
    assert (Kind.INVALID, "atomic") == (cut.kind, cut.evidence["kind"])


def test_a_deleted_key_is_left_out_of_reads() -> None:
    """Its reads find nothing, and rightly; the deletion itself is an event as any other."""
    gone = {"revision": 6, "key": "k", "value": None, "type": "delete"}
    put = {"revision": 5, "key": "k", "value": 1, "type": "put"}
    told = {"from": 0, "to": 6, "events": [put, gone]}
    both = call(2, "watch", {"from": 0, "for_s": 1}, told)

    assert Kind.VALID is judge([*write(1, 5), *both, *read(None, None)]).kind
    assert "complete" == judge([*write(1, 5), *both, *watch(0, 6, (5, 1))]).evidence["kind"]


def test_no_event_is_no_evidence() -> None:
    """Of a store that nobody was told anything of."""
    assert Kind.UNKNOWN is judge([*watch(0, 3)]).kind
    assert Kind.UNKNOWN is judge([*write(1, 5)]).kind


@pytest.mark.parametrize(
    "lines",
    [
        call(1, "watch", None, []),
        call(1, "watch", {"from": 0}, {"from": 0, "to": "5", "events": []}),
        call(1, "watch", {"from": 0}, {"from": 0, "to": 5, "events": [{"key": "k"}]}),
        call(1, "read", None, 5),
        call(1, "write", 1, {"revision": 1.5}),
    ],
)
def test_what_cannot_be_read_is_refused(lines: Lines) -> None:
    """The client is at fault, and the operation is named."""
    with pytest.raises(HistoryError, match="operation 0"):
        judge(list(lines))


@given(seed=st.integers(0, 2**32), loses=st.booleans())
def test_a_store_with_one_history_is_valid_until_it_loses_an_event(seed: int, loses: bool) -> None:
    """Watches tell of ranges of one sequence of writes; one event left out of one watch is found
    wherever it is known of."""
    random, lines, store = Random(seed), [], []
    open_: dict[int, tuple[str, Any]] = {}
    left_out = False
    for step in range(60):
        process = random.randrange(4)
        if process in open_:
            f, told = open_.pop(process)
            lines.append(call(process, f, None, told)[1])
            continue
        if random.random() < 0.5:
            store.append((2 * len(store) + 2, step))
            open_[process] = ("write", {"revision": store[-1][0]})
            lines.append(call(process, "write", step)[0])
            continue
        to = 2 * len(store) + 1
        begin = random.randrange(to)
        told = [{"revision": r, "key": "k", "value": v} for r, v in store if begin < r <= to]
        if loses and told and not left_out:
            told.pop(random.randrange(len(told)))
            left_out = True
        open_[process] = ("watch", {"from": begin, "to": to, "events": told})
        lines.append(call(process, "watch", {"from": begin, "for_s": 1})[0])
    lines += [call(process, f, None, told)[1] for process, (f, told) in open_.items()]

    verdict = judge(lines)
    expected = "complete" if left_out else None
    assert expected == verdict.evidence.get("kind"), verdict.summary
