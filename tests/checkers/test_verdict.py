"""Verdicts: their order, their causes, their merging."""

from __future__ import annotations

from itertools import permutations

import pytest

from checkers.verdict import Kind, Verdict, merge

VALID = Verdict(checker="v", kind=Kind.VALID, summary="fine")
UNKNOWN = Verdict(checker="u", kind=Kind.UNKNOWN, cause="budget", summary="too long")
INVALID = Verdict(checker="i", kind=Kind.INVALID, summary="wrong")


@pytest.mark.parametrize(
    ("verdicts", "kind"),
    [
        ((VALID, VALID), Kind.VALID),
        ((VALID, UNKNOWN), Kind.UNKNOWN),
        ((UNKNOWN, INVALID), Kind.INVALID),
        ((VALID, UNKNOWN, INVALID), Kind.INVALID),
    ],
)
def test_invalid_over_unknown_over_valid(verdicts: tuple[Verdict, ...], kind: Kind) -> None:
    """Rule 1, in whatever order they come."""
    for order in permutations(verdicts):
        assert merge("all", order).kind is kind


def test_the_first_of_the_worst_speaks_for_all() -> None:
    """Its summary and cause, with every part kept."""
    second = Verdict(checker="w", kind=Kind.UNKNOWN, cause="coverage", summary="nothing done")
    merged = merge("all", [VALID, UNKNOWN, second])

    assert (merged.summary, merged.cause) == ("too long", "budget")
    assert (VALID, UNKNOWN, second) == merged.parts


def test_of_nothing_the_verdict_is_unknown() -> None:
    """What nobody checked is not valid."""
    assert (merge("all", []).kind, merge("all", []).cause) == (Kind.UNKNOWN, "coverage")


@pytest.mark.parametrize(("kind", "cause"), [(Kind.UNKNOWN, None), (Kind.VALID, "budget")])
def test_unknown_and_only_unknown_names_a_cause(kind: Kind, cause: str | None) -> None:
    """Rule 2."""
    with pytest.raises(ValueError, match="cause exactly when it is UNKNOWN"):
        Verdict(checker="c", kind=kind, cause=cause, summary="")  # type: ignore[arg-type]


def test_exit_codes() -> None:
    """0 valid, 1 invalid, 2 unknown."""
    assert [k.exit_code for k in (Kind.VALID, Kind.INVALID, Kind.UNKNOWN)] == [0, 1, 2]
