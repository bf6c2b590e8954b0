"""Elements of sets: each way to go wrong, and the nearest history that is right."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.history import HistoryError
from checkers.set_elements import SetElements
from checkers.verdict import Kind
from tests.checkers.lines import Lines, call, judged

STRICT, EVENTUAL = SetElements(), SetElements(eventual=True, settle_s=5)


def add(element: object, outcome: str = "ok") -> Lines:
    return call(1, "add", element, None, outcome)


def read(*elements: object) -> Lines:
    return call(2, "read", None, list(elements))


def at(node: str, *elements: object) -> Lines:
    """A read at a node; of a process for each."""
    process = int(node[1:]) + 10
    return tuple(f"{node}:{line}" for line in call(process, "read", None, list(elements)))


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ([*add(1), *read()], "lost"),
        ([*add(1), *add(2), *read(2)], "lost"),
        ([*add(1), *read(1, 1)], "duplicated"),
        ([*read(1)], "invented"),
        ([*add(1, "fail"), *read(1)], "invented"),
        ([*read(1), *add(1)], "invented"),
        ([*add(1), *read(*[True])], "invented"),
        ([*add(1, "info"), *read(1), *read()], "vanished"),
    ],
)
def test_each_way_to_go_wrong_is_named(lines: list[str], kind: str) -> None:
    """With the element and the operations."""
    verdict = judged(STRICT, *lines)

    assert (Kind.INVALID, kind) == (verdict.kind, verdict.evidence["kind"])
    assert verdict.evidence["operations"]


@pytest.mark.parametrize(
    "lines",
    [
        [*add(1), *add(2), *read(2, 1)],
        [*add(1, "info"), *read(), *read(1), *read(1)],
        [*add(1, "fail"), *read()],
        [add(1)[0], *read(1), *read(1), add(1)[1], *read(1)],
        ["2 invoke read null", *add(1), "2 ok read []", *read(1)],
        [*add("a"), *add("b"), *read("b", "a")],
        [*add(1), *add(1), *read(1)],
    ],
)
def test_the_nearest_right_history_is_valid(lines: list[str]) -> None:
    """Order, overlap and unknown outcomes are not held against the system."""
    assert Kind.VALID is judged(STRICT, *lines).kind


def test_what_converges_may_lack_elements_until_the_end() -> None:
    """And have none that nobody added, at any time."""
    late = ["0 invoke read null", *["0 ok read []", "0 invoke read null"] * 3, "0 ok read [1]"]
    lines = [*add(1), *read(), *late]

    assert Kind.INVALID is judged(STRICT, *lines).kind
    assert Kind.VALID is judged(EVENTUAL, *add(1), *read(1)).kind
    assert Kind.INVALID is judged(EVENTUAL, *add(1), *read(1, 2)).kind


@pytest.mark.parametrize(
    ("finals", "kind", "named"),
    [
        ((at("n1", 1), at("n2")), "missing", "n2"),
        ((at("n1"), at("n2")), "lost", "no node"),
        ((at("n1", 1), at("n2", 1)), None, "All 2 final reads"),
        ((at("n1"), at("n2", 1), at("n1", 1)), None, "All 2 final reads"),
    ],
)
def test_final_reads_must_be_complete(
    finals: tuple[Lines, ...], kind: str | None, named: str
) -> None:
    """Of each node the last one; what another has is missing here, and otherwise lost."""
    pause = call(5, "wait") * 3  # six seconds
    lines = [line for final in finals for line in final]
    verdict = judged(EVENTUAL, *add(1), *pause, *lines)

    assert kind == verdict.evidence.get("kind"), verdict.summary
    assert (Kind.VALID if kind is None else Kind.INVALID) is verdict.kind
    assert named in verdict.summary


def test_a_recording_that_ends_before_it_could_settle_tells_nothing() -> None:
    """A node has `settle_s` after the last add."""
    verdict = judged(EVENTUAL, *add(1), *read())

    assert (Kind.UNKNOWN, "coverage") == (verdict.kind, verdict.cause)
    assert "too soon" in verdict.summary


@pytest.mark.parametrize("checker", [STRICT, EVENTUAL])
def test_a_set_that_nobody_read_is_not_judged(checker: SetElements) -> None:
    """Lost elements show in reads only, in those that begin after the add."""
    assert Kind.UNKNOWN is judged(checker, *add(1)).kind
    assert Kind.UNKNOWN is judged(checker, *read(), *add(1)).kind


def test_a_node_that_answers_no_final_read_has_not_converged() -> None:
    """What the others have in the end says nothing of it, and it is named."""
    asked = ["n2:8 invoke read null", "n2:8 fail read null"]
    verdict = judged(EVENTUAL, *add(1), *at("n1", 1), *asked)

    assert (Kind.UNKNOWN, "coverage") == (verdict.kind, verdict.cause)
    assert "n2" in verdict.summary
    assert Kind.VALID is judged(EVENTUAL, *add(1), *at("n1", 1), *asked, *at("n2", 1)).kind


def test_how_long_elements_took_is_told() -> None:
    """From the acknowledgement to the start of the last read that lacked it."""
    lines = [*add(1), *add(2), *read(1), *read(1), *read(1, 2), *add(3)]
    evidence = judged(EVENTUAL, *lines).evidence

    assert (3, 1) == (evidence["elements"], evidence["never_read"])
    assert {"p50": 0.0, "p99": 0.0, "max": 3000.0} == evidence["stable_ms"]


def test_a_read_that_is_no_list_is_refused() -> None:
    """The client is at fault, and the operation is named."""
    with pytest.raises(HistoryError, match="operation 1"):
        judged(STRICT, *call(1, "read", None, 5))


def lost_or_vanished(lines: list[tuple[int, int, str, object]]) -> bool:
    """The slow oracle: every read against every add and every read before it."""
    reads = [entry for entry in lines if entry[2] == "read"]
    return any(
        earlier[1] < read[0]
        and not ({earlier[3]} if earlier[2] == "add" else set(earlier[3])) <= set(read[3])  # type: ignore[call-overload]
        for read in reads
        for earlier in lines
    )


@given(seed=st.integers(0, 2**32))
def test_linear_time_finds_what_all_pairs_show(seed: int) -> None:
    """Lost and vanished elements, by the definition."""
    random, spans, held = Random(seed), [], []
    text: list[str] = []
    open_: dict[int, tuple[int, str, object]] = {}
    for step in range(30):
        process = random.randrange(4)
        if process in open_:
            begun, f, value = open_.pop(process)
            told = value if f == "read" else None
            text.append(f"{process} ok {f} {told if f == 'read' else 'null'}")
            spans.append((begun, step, f, value))
            continue
        if random.random() < 0.5:
            held.append(step)
            open_[process] = (step, "add", step)
            text.append(f"{process} invoke add {step}")
        else:
            seen = [e for e in held if random.random() < 0.97]
            open_[process] = (step, "read", seen)
            text.append(f"{process} invoke read null")
    if not any(f == "read" for _, _, f, _ in spans):
        return

    verdict = judged(STRICT, *text)
    assert lost_or_vanished(spans) == (verdict.kind is Kind.INVALID), verdict.summary
