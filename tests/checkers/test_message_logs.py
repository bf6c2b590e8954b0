"""Logs of messages: each way to go wrong, and the nearest history that is right."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.history import HistoryError
from checkers.message_logs import MessageLogs
from checkers.verdict import Kind
from tests.checkers.lines import Lines, call, judged

CHECKER = MessageLogs()


def send(value: int, offset: int, process: int = 1) -> Lines:
    return call(process, "send", ["k", value], ["k", [offset, value]])


def lost_send(value: int, outcome: str = "info") -> Lines:
    return call(1, "send", ["k", value], None, outcome)


def poll(*messages: tuple[int, int], begin: int | None = 0, process: int = 2) -> Lines:
    asked = None if begin is None else {"k": begin}
    return call(process, "poll", asked, {"k": [list(message) for message in messages]})


def commit(offset: int, outcome: str = "ok") -> Lines:
    return call(1, "commit_offsets", {"k": offset}, None, outcome)


def listing(offset: int | None) -> Lines:
    told = {} if offset is None else {"k": offset}
    return call(2, "list_committed_offsets", ["k"], told)


SEEN = [*send(10, 0), *poll((0, 10))]
DURING = ['1 invoke commit_offsets {"k": 5}', '4 invoke commit_offsets {"k": 3}']

REJECTED: list[tuple[list[str], str]] = [
    ([*send(10, 0), *send(11, 0), *poll((0, 10))], "diverged"),
    ([*send(10, 0), *poll((0, 12))], "invented"),
    ([*send(10, 0), *lost_send(11), *poll((0, 11))], "diverged"),
    ([*send(10, 0), *send(11, 1), *poll((0, 10), (1, 11), (2, 10))], "duplicated"),
    ([*lost_send(10, "fail"), *poll((0, 10))], "invented"),
    ([*poll((0, 10)), *send(10, 0)], "invented"),
    ([*send(10, 5), *send(11, 4), *poll((4, 11), (5, 10))], "reordered"),
    ([*lost_send(10), *poll((5, 10)), *send(11, 4), *poll((4, 11), (5, 10))], "reordered"),
    ([*send(10, 0), *send(11, 1), *poll((1, 11), (0, 10))], "disordered"),
    ([*SEEN, *poll((0, 10), begin=1)], "disordered"),
    ([*send(10, 0), *poll((0, 10), begin=None), *poll((0, 10), begin=None)], "disordered"),
    ([*send(10, 0), *send(11, 1), *poll((1, 11))], "lost"),
    ([*send(10, 0), *send(11, 1), *poll((0, 10), (1, 11)), *poll((1, 11))], "skipped"),
    ([*lost_send(10), *lost_send(11), *poll((3, 10)), *poll((5, 11))], "skipped"),
    (['9 invoke send ["k", 10]', *send(11, 1), *poll((1, 11)), '9 ok send ["k", [0, 10]]'], "lost"),
    ([*SEEN, *listing(3)], "never-committed"),
    ([*SEEN, *commit(3, "fail"), *listing(3)], "never-committed"),
    ([*SEEN, *listing(3), *commit(3)], "never-committed"),
    ([*SEEN, *commit(3), *listing(None)], "lost-commit"),
    ([*SEEN, *commit(3), *commit(5), *listing(3)], "gone-back"),
    ([*SEEN, *commit(3), *commit(5, "info"), *listing(5), *listing(3)], "gone-back"),
]


@pytest.mark.parametrize(("lines", "kind"), REJECTED)
def test_each_way_to_go_wrong_is_named(lines: list[str], kind: str) -> None:
    """With the log and the operations."""
    verdict = judged(CHECKER, *lines)

    assert (Kind.INVALID, kind) == (verdict.kind, verdict.evidence.get("kind")), verdict.summary
    assert "k" == verdict.evidence["log"]
    assert verdict.evidence["operations"]


@pytest.mark.parametrize(
    "lines",
    [
        [*send(10, 0), *send(11, 7), *poll((0, 10), (7, 11)), *poll((7, 11), begin=7)],
        [*send(10, 0), *send(11, 1), *poll((0, 10)), *poll(), *poll((1, 11), begin=1)],
        [*send(10, 0), *send(11, 1), *poll((1, 11), begin=1)],
        [*send(10, 0), *lost_send(11), *poll((0, 10)), *poll((0, 10), (1, 11))],
        [*send(10, 0), *poll((0, 10), begin=None), *poll((0, 10), begin=None, process=3)],
        [
            '9 invoke send ["k", 10]',
            *send(11, 0),
            '9 ok send ["k", [1, 10]]',
            *poll((0, 11), (1, 10)),
        ],
        [*SEEN, *commit(3), *commit(5), *listing(5)],
        [*SEEN, *commit(3), *commit(5, "info"), *listing(3), *listing(5)],
        [*SEEN, *DURING, "1 ok commit_offsets null", "4 ok commit_offsets null", *listing(3)],
        [*SEEN, *commit(5), *commit(3), *listing(3), *listing(5)],
        [*SEEN, *listing(None), *commit(3)],
    ],
)
def test_the_nearest_right_history_is_valid(lines: list[str]) -> None:
    """Gaps, short polls, overlap and unknown outcomes are not held against the system; whether the
    last commit counts or the highest is its own affair."""
    verdict = judged(CHECKER, *lines)

    assert Kind.VALID is verdict.kind, verdict.summary


def test_what_no_poll_has_reached_is_told() -> None:
    """A node may be slow; where nothing was polled, nothing is known."""
    assert 1 == judged(CHECKER, *send(10, 0), *send(11, 1), *poll((0, 10))).evidence["unseen"]
    assert Kind.UNKNOWN is judged(CHECKER, *send(10, 0), *poll()).kind
    assert Kind.UNKNOWN is judged(CHECKER, *send(10, 0)).kind


@pytest.mark.parametrize(
    "lines",
    [
        call(1, "send", ["k", 1], 5),
        call(1, "send", "k", ["k", [0, 1]]),
        call(1, "poll", None, [1]),
        call(1, "poll", None, {"k": [["0", 1]]}),
        call(1, "commit_offsets", {"k": "3"}),
        call(1, "list_committed_offsets", ["k"], ["k"]),
    ],
)
def test_what_cannot_be_read_is_refused(lines: Lines) -> None:
    """The client is at fault, and the operation is named."""
    with pytest.raises(HistoryError, match="operation 0"):
        judged(CHECKER, *lines)


def test_a_log_whose_name_is_a_number_is_polled_by_its_text() -> None:
    """The names in a poll's answer are texts, as those of every JSON object."""
    sent = call(1, "send", [1, 10], [1, [0, 10]])
    assert Kind.VALID is judged(CHECKER, *sent, *call(2, "poll", {"1": 0}, {"1": [[0, 10]]})).kind
    listing = call(2, "list_committed_offsets", [["no name"]], {})
    assert Kind.UNKNOWN is judged(CHECKER, *listing).kind


def test_a_log_that_has_lost_its_end_is_not_valid() -> None:
    """It answers polls from before what was acknowledged, when all is over, and nobody ever sees
    it; a poll from behind it, and one while sends went on, say nothing."""
    lines = [*send(10, 0), *send(11, 1), *poll((0, 10))]
    for last in (poll(begin=1), poll((0, 10))):
        verdict = judged(CHECKER, *lines, *last)
        assert (Kind.UNKNOWN, "coverage") == (verdict.kind, verdict.cause)
        assert "offset 1" in verdict.summary
    nothing = call(2, "poll", {"k": 1}, {})
    assert Kind.UNKNOWN is judged(CHECKER, *lines, *nothing).kind
    assert Kind.VALID is judged(CHECKER, *lines, *nothing, *poll((1, 11), begin=1)).kind
    assert Kind.VALID is judged(CHECKER, *lines, *nothing, *lost_send(12)).kind


@given(seed=st.integers(0, 2**32))
def test_a_log_that_is_one_list_is_valid(seed: int) -> None:
    """Sends take effect at an instant between their two lines, polls answer what was there at one,
    as much of it as they like; unknown sends may be there or not."""
    random, log, lines = Random(seed), [], []
    open_: dict[int, tuple[str, Any]] = {}
    for step in range(60):
        process = random.randrange(4)
        if process in open_:
            f, told = open_.pop(process)
            outcome = "info" if f == "send" and random.random() < 0.2 else "ok"
            lines.append(call(process, f, None, told, outcome)[1])
        elif random.random() < 0.5:
            log.append((3 * len(log), step))
            open_[process] = ("send", ["k", list(log[-1])])
            lines.append(call(process, "send", ["k", step])[0])
        else:
            begin = random.randrange(3 * len(log) + 1)
            told = [list(m) for m in log if m[0] >= begin][: random.randrange(9)]
            open_[process] = ("poll", {"k": told})
            lines.append(call(process, "poll", {"k": begin})[0])

    verdict = judged(CHECKER, *lines)
    assert Kind.INVALID is not verdict.kind, verdict.summary
