"""Elements of queues: each way to go wrong, and the nearest history that is right."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.linearizability.brute import linearizable
from checkers.models import UnorderedQueue
from checkers.queue_elements import QueueElements
from checkers.verdict import Kind
from tests.checkers.lines import Lines, call, judged, recorded

CHECKER = QueueElements()


def put(element: object, outcome: str = "ok") -> Lines:
    return call(1, "enqueue", element, None, outcome)


def take(element: object, outcome: str = "ok") -> Lines:
    """What was taken; null if the queue was empty."""
    return call(2, "dequeue", None, element, outcome)


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ([*take(1)], "invented"),
        ([*put(1, "fail"), *take(1)], "invented"),
        ([*take(1), *put(1)], "invented"),
        ([*put(1), *take(1), *take(1)], "duplicated"),
        ([*put(1), *take(None)], "lost"),
        ([*put(1), *put(2), *take(2), *take(None)], "lost"),
        ([*put(1), *put(2), "7 invoke dequeue null", *take(None)], "lost"),
    ],
)
def test_each_way_to_go_wrong_is_named(lines: list[str], kind: str) -> None:
    """With the element and the operations; and none of them is linearizable in any order."""
    verdict = judged(CHECKER, *lines)

    assert (Kind.INVALID, kind) == (verdict.kind, verdict.evidence["kind"])
    assert verdict.evidence["operations"]
    assert not linearizable(UnorderedQueue(), recorded(*lines).history.calls())


@pytest.mark.parametrize(
    "lines",
    [
        [*put(1), *put(2), *take(2), *take(1), *take(None)],
        [*put(1, "info"), *take(None), *put(2), *take(2)],
        [*put(1, "info"), *take(1)],
        [*put(2), *take(2), *put(1), *take(None, "info"), *call(3, "dequeue")],
        [*put(1), *take(None, "fail"), *take(1)],
        ["3 invoke dequeue null", *put(1), "3 ok dequeue null", *take(1)],
        [*put(1), *put(1), *take(1), *take(1), *take(None)],
    ],
)
def test_the_nearest_right_history_is_valid(lines: list[str]) -> None:
    """A dequeue of unknown outcome may have taken what is gone; the order is not looked at."""
    assert Kind.VALID is judged(CHECKER, *lines).kind


def test_a_queue_that_nobody_asked_is_not_judged() -> None:
    """What is in it may still come."""
    assert (Kind.UNKNOWN, "coverage") == (
        judged(CHECKER, *put(1)).kind,
        judged(CHECKER, *put(1)).cause,
    )


@pytest.mark.parametrize("lines", [[], [*put(1)], [*take(None)], [*take(None), *put(1)]])
def test_where_nothing_was_taken_nothing_is_shown(lines: list[str]) -> None:
    """A queue that was only ever found empty held nothing that could be lost or doubled."""
    verdict = judged(CHECKER, *lines)

    assert (Kind.UNKNOWN, "coverage") == (verdict.kind, verdict.cause)


@given(seed=st.integers(0, 2**32))
def test_what_is_linearizable_in_any_order_is_not_invalid(seed: int) -> None:
    """INVALID is sound: the brute search agrees."""
    random, lines, open_ = Random(seed), [], {}
    for step in range(12):
        process = random.randrange(3)
        if process in open_:
            f = open_.pop(process)
            outcome = random.choice(["ok", "ok", "ok", "info"])
            told = random.choice(["null", *range(step)]) if f == "dequeue" else "null"
            lines.append(f"{process} {outcome} {f} {told}")
            continue
        open_[process] = random.choice(["enqueue", "dequeue"])
        lines.append(f"{process} invoke {open_[process]} {step}")

    if judged(CHECKER, *lines).kind is Kind.INVALID:
        assert not linearizable(UnorderedQueue(), recorded(*lines).history.calls())
