"""Histories that others recorded: the verdict that is known, or UNKNOWN by budget."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from checkers.verdict import Kind
from harness import recheck

HISTORIES = Path(__file__).parent.parent.parent / "shared" / "histories"
EXPECTED = HISTORIES / "expected.tsv"
BUDGET_S = 10.0  # most take milliseconds, the worst a second


def rows() -> list[tuple[str, str, str]]:
    if not EXPECTED.exists():
        return []
    with EXPECTED.open() as file:
        return [
            (row["file"], row["model"], row["linearizable"])
            for row in csv.DictReader(file, delimiter="\t")
        ]


@pytest.mark.skipif(not EXPECTED.exists(), reason=f"no recorded histories at {HISTORIES}")
def test_recorded_histories_get_the_verdict_that_is_known() -> None:
    """Format found out by content; at least nine in ten are decided within their budget."""
    decided = 0
    for file, model, linearizable in rows():
        asked = recheck.Asked(model_name=model, time_limit_s=BUDGET_S)
        verdict = recheck.check(HISTORIES / file, asked).verdict
        if verdict.kind is Kind.UNKNOWN:
            assert "budget" == verdict.cause, (file, verdict.summary)
            continue
        decided += 1
        expected = Kind.VALID if linearizable == "true" else Kind.INVALID
        assert expected is verdict.kind, (file, verdict.summary)
    assert decided >= 0.9 * len(rows()) > 0
