"""The verdict on a terminal: twenty lines, whatever was found."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.verdict import Kind, Verdict, merge
from harness.report.terminal import LINES_MAX, WIDTH, verdict_lines
from tests.harness.report_scenes import HOSTILE, SCENES, Foreign, hostile, judged, recorded

json_values = st.recursive(
    st.none() | st.integers() | st.text(max_size=200),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


def assert_bounded(lines: list[str]) -> None:
    assert LINES_MAX >= len(lines)
    assert [] == [line for line in lines if len(line) > WIDTH or not line.isprintable()]


@pytest.mark.parametrize("notices", [0, 1, 30])
@pytest.mark.parametrize("name", SCENES)
def test_every_verdict_fits_twenty_lines(name: str, notices: int) -> None:
    """The verdict first, then why, then a line each for checks, operations, faults, notices."""
    verdict, recording = judged(name)
    lines = verdict_lines(verdict, recording, ["a notice " * 40] * notices)
    assert_bounded(lines)
    assert lines[0].startswith(verdict.kind.name + " ")
    heads = [line.split()[0] for line in lines if not line.startswith(" ")][-4 if notices else -3 :]
    assert ["checks", "operations", "faults", "notice"][: len(heads)] == heads


def test_a_contradiction_is_drawn_and_explained() -> None:
    """The picture, the values that were possible and why, the fault in force."""
    lines = verdict_lines(*judged("contradiction"))
    assert ["  p0  |-w1-| |-w2-|", "  p1                |-r1-|  <- fits nowhere"] == [
        line for line in lines if line.startswith("  p")
    ]
    text = " ".join(" ".join(lines).split())
    assert "the value is 2, made by operation 6" in text
    assert "In force then: kill of n0" in text


def test_a_valid_run_takes_four_lines() -> None:
    """Nothing to explain, nothing explained."""
    verdict = merge("all", [Verdict(checker="a", kind=Kind.VALID, summary="Fine.")])
    lines = verdict_lines(verdict, recorded("p0  |-w1-|", faults=1))
    assert [
        "VALID Fine.",
        "checks      VALID a",
        "operations  1 ok, 0 fail, 0 info; 100.0% available; p50 1.0 ms, p99 1.0 ms",
        "faults      1 kill; all seen in effect",
    ] == lines


def test_many_checks_and_wide_histories_are_bounded() -> None:
    """Fifty leaves with long sentences, on a history of forty processes and fifty faults."""
    picture = "\n".join(f"p{i}  |--w{i * 10**9}-- ..." for i in range(40))
    recording = recorded(picture, faults=50)
    calls = [call.index for call in recording.history.calls()]
    leaves = [Foreign({"operations": calls}, f"{i} is wrong " * 60) for i in range(50)]
    verdict = merge("all", [leaf.check(recording) for leaf in leaves])
    lines = verdict_lines(verdict, recording)
    assert_bounded(lines)
    assert any(line.startswith("  p") for line in lines)


def test_control_characters_do_not_reach_the_terminal() -> None:
    """An escape sequence in a history could rewrite the verdict above it."""
    verdict = Foreign({"operations": [3, 5]}, HOSTILE).check(hostile())
    assert_bounded(verdict_lines(verdict, hostile(), [HOSTILE]))


@settings(deadline=None, max_examples=60)
@given(
    summary=st.text(max_size=2000),
    evidence=st.dictionaries(
        st.sampled_from(
            ["contradiction", "operations", "event", "against", "events", "gaps", "keys", "law"]
        ),
        json_values,
    ),
    kind=st.sampled_from(Kind),
)
def test_no_evidence_breaks_the_lines(summary: str, evidence: dict[str, Any], kind: Kind) -> None:
    """Whatever a checker records, and wherever, the lines are bounded and nothing is raised."""
    cause: Any = "coverage" if kind is Kind.UNKNOWN else None
    verdict = Verdict(checker="any", kind=kind, summary=summary, evidence=evidence, cause=cause)
    assert_bounded(verdict_lines(verdict, recorded("p0  |-w1-| |-r1-|\np1  |-w2- ...", faults=2)))
