"""Elements of a log: each way to go wrong, and the nearest history that is right."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.elements import Elements
from checkers.history import History, HistoryError, Operation
from checkers.verdict import Kind, Recording, Verdict


def judge(*lines: str) -> Verdict:
    """Lines 'process type f value', on one key."""
    operations = []
    for index, line in enumerate(lines):
        process, type_, f, value = line.split(maxsplit=3)
        operations.append(
            Operation(index, index, int(process), type_, f, value=json.loads(value), key="l1")  # type: ignore[arg-type]
        )
    return Elements().check(Recording(history=History(operations)))


def append(element: object, outcome: str = "ok", process: int = 1) -> tuple[str, str]:
    value = json.dumps(element)
    return f"{process} invoke append {value}", f"{process} {outcome} append {value}"


def read(*elements: object, process: int = 2) -> tuple[str, str]:
    return f"{process} invoke read null", f"{process} ok read {json.dumps(list(elements))}"


A, B = append("a"), append("b")


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ([*A, *B, *read("a")], "lost"),
        ([*A, *read("a", "z")], "invented"),
        ([*append("a", "fail"), *read("a")], "invented"),
        ([*read("a"), *A], "invented"),
        ([*A, *read("a", "a")], "doubled"),
        ([*A, *B, *read("b", "a")], "reordered"),
        ([A[0], "3 invoke append 2", *read("a", 2), *read(2, "a")], "diverged"),
        ([*append(1), *read(*[True])], "invented"),
    ],
)
def test_each_way_to_go_wrong_is_named(lines: list[str], kind: str) -> None:
    """The element, its operations and the sentence tell what happened."""
    verdict = judge(*lines)

    assert (Kind.INVALID, kind) == (verdict.kind, verdict.evidence.get("kind"))


@pytest.mark.parametrize(
    "lines",
    [
        [*A, *B, *read("a", "b")],
        [*A, *append("b", "info"), *read("a"), *read("a", "b")],
        [*append("a", "fail"), *read()],
        [A[0], "2 invoke read null", A[1], '2 ok read ["a"]'],
        [A[0], "3 invoke append 2", A[1], "3 ok append 2", *read(2, "a")],
        [*append("a", "info"), *B, *read("b"), *read("b", "a")],
        [*A, *A, *read("a", "a")],
        [*append("a", "fail"), *append("a"), *read("a")],
        ["2 invoke read null", *A, *B, "2 ok read []", *read("a", "b")],
    ],
)
def test_the_nearest_right_history_is_valid(lines: list[str]) -> None:
    """Concurrency, unknown outcomes and repeated elements are not held against the system."""
    assert Kind.VALID is judge(*lines).kind


def test_a_log_that_nobody_read_is_not_judged() -> None:
    """Lost elements show in reads only."""
    assert (judge(*A).kind, judge(*A).cause) == (Kind.UNKNOWN, "coverage")


def test_a_read_must_return_a_list() -> None:
    """Anything else is a mistake of the client, named with its operation."""
    with pytest.raises(HistoryError, match="operation 0"):
        judge("1 invoke read null", "1 ok read 3")


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_log_that_is_one_list_is_valid(seed: int) -> None:
    """Whatever the interleaving: calls take effect at a point between their two lines."""
    random, log, lines = Random(seed), [], []
    waiting: dict[int, str] = {}  # process: the completion that its call will have
    for element in range(40):
        process = random.randrange(4)
        if process in waiting:
            lines.append(waiting.pop(process))
            continue
        f = random.choice(["append", "read"])
        lines.append(f"{process} invoke {f} {element if f == 'append' else 'null'}")
        if f == "append":
            outcome = random.choice(["ok", "ok", "info", "fail"])
            if outcome != "fail":
                log.append(element)
            waiting[process] = f"{process} {outcome} append {element}"
        else:
            waiting[process] = f"{process} ok read {json.dumps(log)}"

    assert Kind.INVALID is not judge(*lines).kind
