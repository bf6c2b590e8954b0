"""What a report says, before it has a form: five lines, windows with states, log lines, bounds."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from checkers.compose import check_all
from checkers.coverage import Coverage
from checkers.faults import fault_intervals
from checkers.history import Call, History, Operation
from checkers.linearizability import Linearizable
from checkers.models import model
from checkers.verdict import Kind, Recording, Verdict, merge
from harness.report import failing, nearby, tables
from harness.report.clocks import ClockSpan
from harness.report.failing import BARS_MAX, nearest
from harness.report.findings import Findings, Subject, findings
from harness.report.logs import LogLine
from harness.report.steps import states
from harness.report.window import drawing
from tests.harness.report_scenes import SCENES, fault_lines, judged, many_calls, numbered, recorded

REGISTER = model("register")


def found(verdict: Verdict, recording: Recording, **subject: Any) -> Findings:
    return findings(verdict, recording, Subject(title="a run", **subject))


def lines(told: Findings) -> dict[str, str]:
    return {line.label: line.text for line in told.story}


def window(name: str, **subject: Any) -> failing.Window:
    shown = found(*judged(name), **subject).findings[0].window
    assert shown is not None
    return shown


@pytest.mark.parametrize("name", SCENES)
def test_findings_are_plain_data(name: str) -> None:
    """Five lines of every verdict, and all of it as JSON and back."""
    told = found(*judged(name), models=[REGISTER], clocks=[ClockSpan("n1", 0, None, 5.0)])
    assert 5 == len(told.story)
    assert all(line.text for line in told.story)
    written = msgspec.json.encode(told)
    assert written == msgspec.json.encode(msgspec.json.decode(written, type=Findings))


def test_the_story_of_a_violation() -> None:
    """What was wrong, what made it so and since when, which fault was in force, how to see it."""
    told = lines(found(*judged("contradiction"), rerun="antipaxos run --seed 7"))
    assert "cannot be placed" in told["Wrong"]
    assert "“the value is 2” comes from operation 6 (write 2 by process 0)" in told["Why"]
    assert "had returned 0.001 s before operation 8 began" in told["Why"]
    assert told["Fault"].startswith("In force then: kill of n0")
    assert "antipaxos run --seed 7" == told["Again"]


@pytest.mark.parametrize(
    ("picture", "faults", "weakest"),
    [
        ("p0  |-w1-|", 0, "No fault was injected: only the quiet case was seen."),
        ("p0  |-w1-| |-r-?", 1, "Never succeeded: read."),
        ("p0  |-w1-| |-w1-| |-r1-|", 2, "read succeeded 1 times, kill struck 1 time"),
    ],
)
def test_a_passing_run_says_what_it_is_worth(picture: str, faults: int, weakest: str) -> None:
    """Its weakest coverage is named."""
    recording = recorded(picture, faults=faults)
    told = lines(found(Verdict(checker="c", kind=Kind.VALID, summary="Fine."), recording))
    assert told["Weakest"].startswith(weakest)
    assert "c: Fine." == told["Checked"]


def test_an_unknown_says_what_to_do() -> None:
    """Its last line is the remedy."""
    told = lines(found(*judged("budget"), rerun="antipaxos run"))
    assert "--check-time-limit" in told["Next"]
    recording = recorded("p0  |-w1-|")
    gap = check_all([Coverage(operations=("read",))], recording)
    assert "--time-limit" in lines(found(gap, recording))["Next"]


def test_every_step_of_an_order_has_the_state_after_it() -> None:
    """As the model that judged takes it; the last is the state in which the order ends."""
    (order,) = window("contradiction", models=[REGISTER]).orders
    assert "the value is nil" == order.before
    assert [(2, "the value is 1", True), (6, "the value is 2", True)] == [
        (step.operation, step.after, step.changed) for step in order.steps
    ]
    assert "the value is 2" == order.state == order.steps[-1].after
    assert order.reason.startswith("read -> 1, but the value is 2; legal after operation 2")


def test_an_order_behind_an_anchor_begins_in_its_state() -> None:
    """Late in a long history the orders begin behind a read."""
    order = window("contradiction, late", models=[REGISTER]).orders[0]
    assert order.begins.startswith("behind operation ")
    assert "the value is 1" == order.before
    assert [False, True] == [step.changed for step in order.steps[-2:]]


def test_states_of_another_model_are_not_shown() -> None:
    """One that ends elsewhere than the evidence says is not the model that judged; without any,
    no state but the last is told."""
    for models in ([], [model("register", {"initial": 5})], [model("consensus")]):
        (order,) = window("contradiction", models=models).orders
        told = {step.after for step in order.steps}
        assert told in ({""}, {"the value is 1", "the value is 2"})
        assert "the value is 2" == order.state
    assert None is states(model("consensus"), [99], {}, None)


def test_the_small_history_is_invalid_by_itself() -> None:
    """It holds the writes too, or the read alone would be wrong."""
    small = window("contradiction", models=[REGISTER]).small
    assert small is not None
    assert small.invalid
    parsed = [msgspec.json.decode(line, type=Operation) for line in small.text.splitlines()]
    recording = Recording(history=History(parsed))
    assert Kind.INVALID is Linearizable(REGISTER).check(recording).kind
    assert {"write", "read"} == {operation.f for operation in parsed}
    assert small.operations == len(recording.history.calls())


def test_of_a_part_of_a_history_nothing_is_called_invalid_by_itself() -> None:
    """What wrote the value may be in the other part."""
    verdict, recording = judged("contradiction")
    shown = failing.failing_window(
        _explained(verdict, recording), recording, [REGISTER], whole=False
    )
    assert shown is not None
    assert shown.small is not None
    assert not shown.small.invalid


def _explained(verdict: Verdict, recording: Recording) -> Any:
    from harness.report.explanations import explanations

    return explanations(verdict, recording)[0]


def test_a_small_history_is_escaped() -> None:
    """Nothing unprintable in it, and yet the same text."""
    text = "\u202e\x00é"
    calls = [
        Operation(0, 0, 1, "invoke", "write", text),
        Operation(1, 1, 1, "ok", "write", text),
    ]
    leaf = Verdict(checker="c", kind=Kind.INVALID, summary="Bad.", evidence={"operations": [0]})
    (finding,) = found(merge("all", [leaf]), Recording(history=History(calls))).findings
    assert finding.window is not None
    assert finding.window.small is not None
    first = finding.window.small.text.splitlines()[0]
    assert first.isascii()
    assert first.isprintable()
    assert text == json.loads(first)["value"]


def test_a_window_keeps_its_culprits() -> None:
    """Of many calls those nearest the last culprit are drawn, and every culprit."""
    calls = many_calls(500)
    culprits = {calls[2].index, calls[300].index}
    kept = [call.index for call in nearest(calls, culprits)]
    assert BARS_MAX == len(kept)
    assert culprits <= set(kept)
    assert sorted(kept) == kept
    assert calls[299].index in kept


def test_a_bar_of_what_had_not_returned_is_open() -> None:
    """What completed after the contradiction was certain may take effect at any later time."""
    recording = recorded(
        "p0  |---w1@k----------------------------|\np1   |-w2@k-| |-r1@k-| |-r2@k-|"
    )
    verdict = check_all([Linearizable(REGISTER)], recording)
    (finding,) = found(verdict, recording).findings
    assert finding.window is not None
    assert None in {bar.completed for bar in finding.window.bars}
    svg = str(drawing(finding.window.bars))
    assert len(finding.window.bars) == svg.count('class="op"')
    assert 1 == svg.count('class="bar culprit"')


def test_log_lines_near_the_finding_are_kept_errors_first() -> None:
    """In the order of time; what is left out is counted."""
    second = 10**9
    logs = [LogLine(i * second // 100, "n1", f"{i}") for i in range(1000)]
    logs.append(LogLine(4 * second + 5, "n2", "boom", "error"))
    shown = nearby.lines(logs, 5 * second, 5 * second)
    assert shown is not None
    assert nearby.LINES_MAX == len(shown.lines)
    assert ("n2", "error") == (shown.lines[0].node, shown.lines[0].level)
    assert 202 - nearby.LINES_MAX == shown.left_out
    assert [line.at_s for line in shown.lines] == sorted(line.at_s for line in shown.lines)
    assert nearby.lines(logs, 50 * second, 51 * second) is None


def test_a_recording_without_what_the_evidence_names_is_survived() -> None:
    """A large history is held in parts; steps of calls that are not at hand have their numbers."""
    verdict, recording = judged("contradiction")
    calls: tuple[Call, ...] = recording.history.calls()
    kept = [o for c in calls[3:] for o in (c.invoke, c.completion) if o is not None]
    part = Recording(history=History(sorted(kept, key=lambda o: o.index)))
    (finding,) = found(verdict, part, models=[REGISTER]).findings
    assert finding.window is not None
    assert "operation 2" == finding.window.orders[0].steps[0].what


def test_the_checks_are_counted_once() -> None:
    """Not by the checkers above them: the table of checks has as many rows as the story says."""
    parts = [Verdict(checker=name, kind=Kind.VALID, summary="Fine.") for name in "abc"]
    laws = merge("laws", parts[1:])
    told = lines(found(merge("all", [parts[0], laws]), recorded("p0  |-w1-|")))
    assert "3 checks found nothing wrong: a, b, c." == told["Checked"]


def test_what_is_invalid_alone_is_drawn() -> None:
    """The file that is offered has no operation that the window has not."""
    shown = window("contradiction", models=[REGISTER])
    assert shown.small is not None
    parsed = [msgspec.json.decode(line, type=Operation) for line in shown.small.text.splitlines()]
    begun = {operation.index for operation in parsed if operation.type == "invoke"}
    assert begun <= {bar.operation for bar in shown.bars}


def test_a_history_without_a_clock_has_no_seconds() -> None:
    """Positions that stand for times are not told as durations or latencies."""
    told = found(
        Verdict(checker="c", kind=Kind.VALID, summary="Fine."),
        Recording(
            history=History(
                [Operation(0, 0, 1, "invoke", "w", 1), Operation(1, 1, 1, "ok", "w", 1)]
            )
        ),
    )
    assert "1 operation." == lines(told)["Run"]
    assert "1" == told.facts["operations"]
    assert ["", "", "", ""] == list(told.latency.rows[0][4:])


def test_a_fault_that_names_its_nodes_was_intended_for_them() -> None:
    """No empty cell; what was applied as it was intended is not told twice."""
    (interval,) = fault_intervals(numbered(fault_lines(2, "kill")))
    told = tables.fault(interval)
    assert ("n2", "as intended") == (told.intended, told.applied)
