"""Counters by intervals: each way to go wrong, and the nearest history that is right."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.counting import Counting
from checkers.history import HistoryError
from checkers.linearizability.brute import linearizable
from checkers.models import Counter
from checkers.verdict import Kind
from tests.checkers.lines import Lines, call, judged, recorded

STRICT, EVENTUAL = Counting(), Counting(eventual=True, settle_s=5)


def add(amount: int, outcome: str = "ok") -> Lines:
    return call(1, "add", amount, None, outcome)


def read(value: object) -> Lines:
    return call(2, "read", None, value)


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ([*add(2), *read(0)], "too-low"),
        ([*add(2), *read(3)], "impossible"),
        ([*add(2, "fail"), *read(2)], "impossible"),
        ([*add(-2), *read(0)], "too-high"),
        ([*add(-2), *read(-3)], "impossible"),
        ([*read(2), *add(2)], "impossible"),
        ([*add(5), *add(3, "info"), *read(4)], "too-low"),
    ],
)
def test_each_way_to_go_wrong_is_named(lines: list[str], kind: str) -> None:
    """With the read and what the adds allow."""
    verdict = judged(STRICT, *lines)

    assert (Kind.INVALID, kind) == (verdict.kind, verdict.evidence["kind"])
    assert not verdict.evidence["least"] <= verdict.evidence["read"] <= verdict.evidence["most"]


@pytest.mark.parametrize(
    "lines",
    [
        [*add(2), *add(-3), *read(-1)],
        [*add(2, "info"), *read(0), *read(2)],
        [add(2)[0], *read(0), *read(2), add(2)[1]],
        [*add(2), *read(2.0)],
    ],
)
def test_the_nearest_right_history_is_valid(lines: list[str]) -> None:
    """Overlap and unknown outcomes widen the interval."""
    assert Kind.VALID is judged(STRICT, *lines).kind


def test_a_counter_that_converges_is_judged_by_its_final_reads() -> None:
    """Those that are begun long enough after the last add; a read before may show less."""
    pause = read(0) * 3
    assert Kind.VALID is judged(EVENTUAL, *add(2), *pause, *read(2)).kind
    assert "too-low" == judged(EVENTUAL, *add(2), *pause, *read(1)).evidence["kind"]
    assert Kind.VALID is judged(EVENTUAL, *add(2, "info"), *pause, *read(0)).kind
    assert Kind.UNKNOWN is judged(EVENTUAL, *add(2), *read(0)).kind
    assert Kind.INVALID is judged(EVENTUAL, *add(2), *read(3)).kind
    assert Kind.UNKNOWN is judged(EVENTUAL, *add(2)).kind


def test_a_final_read_is_a_sum_and_not_only_between_two() -> None:
    """A lost add does not hide behind a greater one that is in doubt: 10 + 7 or 10, never 12."""
    doubt = (*add(10), *add(7, "info"), *read(0) * 3)
    assert "no-sum" == judged(EVENTUAL, *doubt, *read(12)).evidence["kind"]
    for value in (10, 17):
        assert Kind.VALID is judged(EVENTUAL, *doubt, *read(value)).kind
    assert Kind.VALID is judged(EVENTUAL, *add(-3, "info"), *doubt, *read(14)).kind
    assert Kind.INVALID is judged(EVENTUAL, *add(-3, "info"), *doubt, *read(13)).kind


def test_what_is_no_integer_is_refused() -> None:
    """The client is at fault, and the operation is named."""
    for lines in (add("a"), read(None), read(1.5)):  # type: ignore[arg-type]
        with pytest.raises(HistoryError, match="operation 0"):
            judged(STRICT, *lines, *read(0))


@given(seed=st.integers(0, 2**32))
def test_what_is_linearizable_is_not_invalid(seed: int) -> None:
    """INVALID is sound: the brute search agrees."""
    random, lines, open_ = Random(seed), [], {}
    for _ in range(12):
        process = random.randrange(3)
        if process in open_:
            f = open_.pop(process)
            outcome = random.choice(["ok", "ok", "ok", "info"])
            lines.append(f"{process} {outcome} {f} {random.randint(-2, 3) if f == 'read' else 0}")
            continue
        open_[process] = random.choice(["add", "read"])
        lines.append(f"{process} invoke {open_[process]} {random.choice([-2, 1, 3])}")

    if judged(STRICT, *lines).kind is Kind.INVALID:
        assert not linearizable(Counter(), recorded(*lines).history.calls())
