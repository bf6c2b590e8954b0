"""Coverage: each gap that turns a green run grey, and the nearest run without it."""

from __future__ import annotations

from typing import Any

import pytest

from checkers.coverage import Coverage
from checkers.faults import FaultInterval, fault_intervals, healed_at
from checkers.history import History, Operation
from checkers.verdict import Kind, Recording

SECOND = 1_000_000_000
CHECKER = Coverage(operations=("read", "write"), planned=("partition",))


def history(*lines: tuple[Any, ...]) -> History:
    """Lines (process, type, f, value), one a second."""
    return History(
        Operation(index=i, time=i * SECOND, process=process, type=type_, f=f, value=value)
        for i, (process, type_, f, value) in enumerate(lines)
    )


def call(process: int, f: str, outcome: str = "ok") -> list[tuple[Any, ...]]:
    return [(process, "invoke", f, 1), (process, outcome, f, 1)]


def fault(id_: int, kind: str = "partition", *, in_effect: bool = True) -> list[tuple[Any, ...]]:
    result = {"id": id_, "intended": {"a": 1}, "applied": {"b": 2}, "observed": {"c": 3}}
    return [
        ("nemesis", "info", kind, {"id": id_, "intended": {"a": 1}}),
        ("nemesis", "info", kind, {**result, "in_effect": in_effect}),
    ]


def undo(id_: int, f: str = "heal") -> list[tuple[Any, ...]]:
    return [("nemesis", "info", f, {"id": id_}), ("nemesis", "info", f, {"id": id_, "applied": {}})]


COVERED = [*call(1, "write"), *fault(1), *call(1, "write"), *undo(1), *call(1, "read")]


def gaps(*lines: tuple[Any, ...], checker: Coverage = CHECKER) -> list[str]:
    verdict = checker.check(Recording(history=history(*lines)))
    found: list[str] = verdict.evidence["gaps"]
    assert (verdict.kind, verdict.cause) == (
        (Kind.UNKNOWN, "coverage") if found else (Kind.VALID, None)
    )
    return found


def test_an_operation_that_waits_through_a_short_fault_met_it() -> None:
    """Rule 3: what was open when the fault struck was struck; what had its answer was not."""
    open_ = [(1, "invoke", "write", 1), *fault(1), *undo(1)]
    over = [*call(1, "write"), *fault(1), *undo(1), *call(1, "read")]
    assert gaps(*open_, (1, "ok", "write", 1), *call(1, "read")) == []
    assert gaps(*open_, *call(2, "write"), *call(2, "read")) == []
    assert gaps(*over) == ["No operation was under way while partition was in effect."]


def test_a_run_that_did_what_it_claims_is_covered() -> None:
    """Each operation succeeded, the fault acted on operations, and a read followed the heal."""
    assert gaps(*COVERED) == []


@pytest.mark.parametrize(
    ("lines", "gap"),
    [
        ([*fault(1), *call(1, "write"), *undo(1)], "No read was ever invoked."),
        (
            [*call(1, "write", "fail"), *COVERED[2:4], *call(1, "write", "fail"), *COVERED[6:]],
            "None of 2 invoked write operations succeeded.",
        ),
        (COVERED[:2] + call(1, "read"), "A partition was planned and never took place."),
        (
            [*call(1, "write"), *fault(1, in_effect=False), *COVERED[4:]],
            "No partition took effect, of 1 that were applied or attempted.",
        ),
        (
            [*COVERED[:4], *COVERED[6:]],
            "No operation was under way while partition was in effect.",
        ),
        (
            [*COVERED[:6], *call(1, "read")],
            "Fault 1 (partition) was never shown to be undone: there is no final read on "
            "a healed system.",
        ),
        (
            [*call(1, "read"), *COVERED[:8]],
            "No final read was invoked after the last fault was undone.",
        ),
        (
            [*call(1, "read"), *COVERED[:8], *call(1, "read", "info")],
            "None of 1 final read operations succeeded after the last fault.",
        ),
    ],
)
def test_each_gap_is_a_sentence(lines: list[tuple[Any, ...]], gap: str) -> None:
    """A run with the gap is UNKNOWN and says what was not exercised."""
    assert gap in gaps(*lines)


def test_one_fault_of_a_kind_in_effect_is_enough() -> None:
    """A second that found nothing to break takes nothing away."""
    assert gaps(*COVERED[:8], *fault(2, in_effect=False), *undo(2), *call(1, "read")) == []


@pytest.mark.parametrize(
    ("kind", "frames", "acted"),
    [
        ("duplicate", {"duplicated": 209, "dropped": 0}, True),
        ("duplicate", {"duplicated": 0, "dropped": 209}, False),
        ("throttle", {"delayed": 1}, True),
        ("partition", {"dropped": 209}, False),
        ("duplicate", "many", False),
    ],
)
def test_what_was_counted_over_its_life_says_that_a_fault_acted(
    kind: str, frames: Any, acted: bool
) -> None:
    """Nothing flowed when it began, so its own probe saw nothing; its undoing tells the count."""
    ended = {"id": 1, "applied": {}, "observed": {"frames": frames}, "in_effect": True}
    lines = [
        *fault(1, kind, in_effect=False),
        *call(1, "write"),
        ("nemesis", "info", "heal", {"id": 1}),
        ("nemesis", "info", "heal", ended),
        *call(1, "read"),
    ]
    sentence = f"No {kind} took effect, of 1 that were applied or attempted."
    assert ([] if acted else [sentence]) == gaps(
        *lines, checker=Coverage(operations=("read",), planned=(kind,))
    )


def test_kinds_that_nobody_planned_count_too() -> None:
    """A fault that was ordered by hand and did nothing is a gap as well."""
    kill = [*fault(2, "kill", in_effect=False), *undo(2, "restart")]
    assert len(gaps(*COVERED[:8], *kill, *call(1, "read"))) == 1


def test_a_run_without_faults_needs_no_final_reads() -> None:
    """There is no heal that they could follow."""
    healthy = Coverage(operations=("read",))
    assert gaps(*call(1, "read"), checker=healthy) == []
    assert gaps(checker=healthy) == ["No read was ever invoked."]


def test_the_summary_is_the_first_gap_and_counts_the_rest() -> None:
    """One sentence for a person, all of them in the evidence."""
    verdict = CHECKER.check(Recording(history=history(*call(1, "write"))))

    assert verdict.summary == "No read was ever invoked. (and 1 more gap)"


# --- Intervals of faults --------------------------------------------------------------------


def test_an_interval_runs_from_the_announcement_to_the_end_of_the_undoing() -> None:
    """Wider than the true one, never narrower."""
    assert fault_intervals(history(*COVERED)) == [
        FaultInterval(
            id=1,
            kind="partition",
            start_ns=2 * SECOND,
            effect_ns=3 * SECOND,
            end_ns=7 * SECOND,
            intended={"a": 1},
            applied={"b": 2},
            observed={"c": 3},
            in_effect=True,
            started_at=2,
            ended_at=7,
        )
    ]


def test_intervals_overlap_and_end_under_their_own_ids() -> None:
    """Undoing one fault leaves the other in force."""
    lines = [*fault(1), *fault(2, "kill"), *undo(1)]
    first, second = fault_intervals(history(*lines))

    assert (first.end_ns, second.end_ns) == (5 * SECOND, None)
    assert [first.covers(t * SECOND) for t in (-1, 5, 6)] == [False, True, False]
    assert second.covers(99 * SECOND)
    assert healed_at(history(*lines)) is None
    healed = healed_at(history(*lines, *undo(2)))
    assert healed is not None
    assert healed.index == 7


def test_a_fault_that_was_only_announced_was_never_applied() -> None:
    """The harness died, or the fault was refused: it was not in effect and leaves nothing over."""
    (interval,) = fault_intervals(history(fault(1)[0]))

    assert (interval.applied, interval.in_effect, interval.end_ns) == (None, False, None)


def final_heal(*, in_effect: bool) -> list[tuple[Any, ...]]:
    told = {"intended": {"final": True}}
    return [
        ("nemesis", "info", "heal", told),
        ("nemesis", "info", "heal", {**told, "observed": {}, "in_effect": in_effect}),
    ]


@pytest.mark.parametrize(("well", "end"), [(True, 5), (False, None)])
def test_an_undoing_that_was_not_confirmed_ends_at_the_final_heal(
    well: bool, end: int | None
) -> None:
    """A node that did not come back is gone until everything was found well; if it never was, the
    system was never healed."""
    unseen = ("nemesis", "info", "restart", {"id": 1, "applied": {}, "in_effect": False})
    lines = [*fault(1, "kill"), *undo(1, "restart")[:1], unseen, *final_heal(in_effect=well)]
    (interval,) = fault_intervals(history(*lines))
    healed = healed_at(history(*lines))

    assert interval.end_ns == (None if end is None else end * SECOND)
    assert (None if healed is None else healed.index) == end


def test_the_final_heal_is_the_last_word() -> None:
    """It revives nodes too, so reads before it are not final; it needs no fault before it."""
    early = [*COVERED, *final_heal(in_effect=True)]
    assert gaps(*early) == ["No final read was invoked after the last fault was undone."]
    assert gaps(*early, *call(1, "read")) == []
    healed = healed_at(history(*final_heal(in_effect=True)))
    assert healed is not None
    assert healed.index == 1


def test_foreign_nemesis_operations_tell_nothing() -> None:
    """Without an id nobody can say what ends what."""
    assert fault_intervals(history(("nemesis", "info", "start", None), *call(1, "read"))) == []
