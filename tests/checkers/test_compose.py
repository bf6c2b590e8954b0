"""Composition: all checkers run, and none takes the others down."""

from __future__ import annotations

import pytest

from checkers.compose import check_all
from checkers.history import History
from checkers.trace import TraceEvent
from checkers.verdict import Kind, Recording, Verdict

RECORDING = Recording(history=History([]))


class Says:
    """A checker of one kind of verdict, or of an exception."""

    def __init__(self, name: str, kind: Kind | None = None, error: BaseException | None = None):
        self.name, self.kind, self.error = name, kind, error

    def check(self, _: Recording) -> Verdict:
        if self.error is not None:
            raise self.error
        assert self.kind is not None
        cause = "budget" if self.kind is Kind.UNKNOWN else None
        return Verdict(checker=self.name, kind=self.kind, cause=cause, summary=f"{self.name}.")


class OfTraces(Says):
    needs_events = frozenset({"chosen"})


def test_all_run_and_the_worst_is_the_verdict() -> None:
    """INVALID over UNKNOWN over VALID, every part kept in order."""
    verdict = check_all(
        [Says("a", Kind.VALID), Says("b", Kind.UNKNOWN), Says("c", Kind.INVALID)], RECORDING
    )

    assert (verdict.kind, verdict.summary) == (Kind.INVALID, "c.")
    assert [part.checker for part in verdict.parts] == ["a", "b", "c"]


@pytest.mark.parametrize("error", [ValueError("odd"), MemoryError("full"), RecursionError("deep")])
def test_a_checker_that_raises_is_unknown_and_keeps_its_traceback(error: Exception) -> None:
    """Rule 1: our bug says nothing about the system, and hides nothing that others found."""
    alone = check_all([Says("a", error=error), Says("b", Kind.VALID)], RECORDING)
    beside = check_all([Says("a", error=error), Says("b", Kind.INVALID)], RECORDING)

    assert (alone.kind, alone.cause) == (Kind.UNKNOWN, "error")
    assert f"{type(error).__name__}: {error}" in alone.parts[0].evidence["traceback"]
    assert Kind.INVALID is beside.kind


def test_an_interrupt_is_no_failure_of_a_checker() -> None:
    """Ctrl-C ends the checking; it is not swallowed."""
    with pytest.raises(KeyboardInterrupt):
        check_all([Says("a", error=KeyboardInterrupt())], RECORDING)


def test_checkers_of_traces_are_left_out_where_there_is_none() -> None:
    """A system need not emit any; the evidence names what was not judged."""
    checkers = [OfTraces("laws", Kind.INVALID), Says("b", Kind.VALID)]
    without = check_all(checkers, RECORDING)
    drawn = (TraceEvent(0, "n1", "restart"), TraceEvent(1, "n1", "leader"))
    with_others = check_all(checkers, Recording(history=History([]), trace=drawn))
    trace = (*drawn, TraceEvent(2, "n1", "chosen"))
    with_one = check_all(checkers, Recording(history=History([]), trace=trace))

    assert (without.kind, without.evidence["left_out"]) == (Kind.VALID, ["laws"])
    assert (with_others.kind, with_others.evidence["left_out"]) == (Kind.VALID, ["laws"])
    assert (with_one.kind, with_one.evidence["left_out"]) == (Kind.INVALID, [])


def test_nothing_checked_is_not_valid() -> None:
    """Neither no checker at all nor only such as had nothing to judge."""
    for checkers in ([], [OfTraces("laws", Kind.VALID)]):
        verdict = check_all(checkers, RECORDING)
        assert (verdict.kind, verdict.cause) == (Kind.UNKNOWN, "coverage")


def test_one_checker_speaks_for_itself() -> None:
    """What it found says more than a count of one."""
    assert check_all([Says("a", Kind.VALID)], RECORDING).summary == "a."
