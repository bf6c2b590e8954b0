"""'Who said what' in the report: the diagram about the violation, on a page that stays harmless."""

from __future__ import annotations

from typing import Any

import pytest

from checkers.compose import check_all
from checkers.laws import Laws
from checkers.linearizability import Linearizable
from checkers.models import model
from checkers.trace import TraceEvent
from checkers.verdict import Kind, Recording, Verdict, merge
from harness.report import page as report
from harness.report.explanations import explanations
from harness.report.page import Subject, render
from harness.report.spacetime import Focus, Moment, focus
from harness.worldlog import CLIENT
from tests.harness.pictures import hostile
from tests.harness.report_scenes import HOSTILE, LOST_PROMISE, STALE, recorded
from tests.harness.test_report_page import Elements
from tests.harness.worlds import busy, synod

FINE = Verdict(checker="fine", kind=Kind.VALID, summary="Fine.")
HEADING = "Who said what"


def page(verdict: Verdict = FINE, recording: Recording | None = None, **subject: Any) -> str:
    found = recorded("p0  |-w1-|") if recording is None else recording
    return render(verdict, found, Subject(title="a run", **subject))


def lost_promise() -> Recording:
    """n2 breaks at 3.5 ms the promise that it made at 2.1 ms of the world `synod`."""
    return recorded(
        "p0  |-w1-|",
        TraceEvent(2_100_000, "n2", "promise", ballot=(2, "n1"), instance="r1"),
        TraceEvent(3_500_000, "n2", "accepted", ballot=(1, "n3"), instance="r1", value="v"),
    )


def test_a_run_without_a_world_has_no_diagram() -> None:
    """Runs on real clusters have nobody who saw every message."""
    assert HEADING not in page()
    assert HEADING in page(world=synod().events)


def test_the_diagram_leads_to_what_the_evidence_names() -> None:
    """Each event of the evidence is a link to its ringed point; nothing else is requested."""
    recording = lost_promise()
    text = page(check_all([Laws()], recording), recording, world=synod().events)
    elements = Elements(text)
    assert {"n2 at 0.002 s", "n2 at 0.004 s"} < set(elements.texts)
    assert "The messages on r1 about what promise-kept found, from 0.000 s to 0.907 s." in text
    anchors = [target for target in elements.targets if "spacetime" in target]
    assert 2 == len(anchors)
    assert set() == {anchor[1:] for anchor in anchors} - set(elements.ids)
    assert len(elements.ids) == len(set(elements.ids))
    assert [] == [target for target in elements.targets if not target.startswith("#")]


def test_the_diagram_is_told_as_text_too() -> None:
    """A line for every event that is drawn, in an element that opens."""
    text = "\n".join(Elements(page(world=synod().events)).texts)
    assert "n2 <- n1  accept 1.n1 r1 = 7  (after 1.000 ms, again)" in text
    assert "n2 crashes: killed" in text


def test_the_page_keeps_its_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of messages and of lines: both are named."""
    monkeypatch.setattr(report, "ARROWS_MAX", 30)
    monkeypatch.setattr(report, "STORY_MAX", 20)
    text = page(world=busy(2_000))
    assert "messages 30 are drawn." in text
    assert "more lines are left out." in text


def test_nothing_of_a_world_becomes_markup() -> None:
    """A page of a hostile world has the elements of a page of a harmless one."""
    attacked, expected = (
        Elements(page(world=hostile(evil))) for evil in (HOSTILE, "harmless and more of it")
    )
    # How many lines a label takes depends on its words.
    for elements in (attacked, expected):
        elements.tags.pop("text")
    assert expected.tags == attacked.tags
    assert expected.attributes == attacked.attributes
    assert expected.ids == attacked.ids


def test_without_a_violation_the_beginning_is_shown() -> None:
    """There is nothing to look for, and the run begins somewhere."""
    recording = recorded("p0  |-w1-|")
    assert Focus() == focus(explanations(FINE, recording), recording)
    assert "The first messages, from 0.001 s" in page(world=busy(500))


def test_of_operations_the_ends_and_the_keys_are_looked_at() -> None:
    """A stale read: when it ended and began, the write that it missed, on its key."""
    recording = recorded(STALE)
    verdict = check_all([Linearizable(model("register"))], recording)
    on = focus(explanations(verdict, recording), recording)
    (read,) = [c for c in recording.history.calls() if c.input is None]
    assert read.completion is not None
    assert Moment(read.completion.time, CLIENT) == on.moments[0]
    assert Moment(read.invoke.time, CLIENT) in on.moments
    assert frozenset({"k"}) == on.subjects
    assert "linearizable" in on.checker


def test_the_violation_that_protocol_events_complete_first_is_shown() -> None:
    """A stale read is what a client sees in the end; the broken promise is where it began."""
    recording = Recording(
        history=recorded(STALE).history, trace=[*LOST_PROMISE, *_two_leaders(at_ns=2)]
    )
    verdict = check_all([Linearizable(model("register")), Laws()], recording)
    on = focus(explanations(verdict, recording), recording)
    assert "promise-kept" == on.checker
    assert {Moment(2, "n2"), Moment(3, "n2")} == set(on.moments)


def _two_leaders(at_ns: int) -> list[TraceEvent]:
    return [TraceEvent(at_ns + i, "n1", "leader", ballot=(9, "n1")) for i in range(2)]


@pytest.mark.parametrize(
    "evidence",
    [
        {"event": 10**9},
        {"event": {"time": "soon"}},
        {"events": "all", "against": 7},
        {"operations": ["a", -1]},
        {},
    ],
)
def test_evidence_of_any_shape_is_survived(evidence: dict[str, Any]) -> None:
    """A checker of the user's may put anything there; then the beginning is shown, in its name."""
    leaf = Verdict(checker="mine", kind=Kind.INVALID, summary="Wrong.", evidence=evidence)
    assert HEADING in page(merge("all", [leaf]), world=synod().events)


def test_slots_are_named_as_texts_name_them() -> None:
    """An instance that is a number is a slot of the log."""
    leaf = Verdict(
        checker="log-agreement",
        kind=Kind.INVALID,
        summary="Wrong.",
        evidence={
            "event": {"time": 5, "node": "n1", "instance": 7},
            "against": [{"time": 3, "node": "n2", "instance": 7}],
        },
    )
    recording = recorded("p0  |-w1-|")
    on = focus(explanations(merge("all", [leaf]), recording), recording)
    assert Focus((Moment(5, "n1"), Moment(3, "n2")), frozenset({"slot 7"}), "log-agreement") == on
