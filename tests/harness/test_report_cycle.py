"""Cycles of transactions in a report: every step with the operation and the reason."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from checkers.compose import check_all
from checkers.history import Call, History, Operation
from checkers.transactions import Transactions
from checkers.verdict import Recording
from harness.report import words
from harness.report.cycle import STEPS_MAX, cycle
from harness.report.findings import Subject, findings
from harness.report.markdown import markdown
from harness.report.page import render

Micro = list[tuple[str, str, Any]]


def ran(*transactions: tuple[int, int, Micro]) -> Recording:
    """Each from one millisecond to another; a read is asked for without its answer."""
    events: list[tuple[int, int, str, Any]] = []
    for process, (start, end, micro) in enumerate(transactions):
        asked = [[f, key, None if f == "r" else value] for f, key, value in micro]
        events.append((start, process, "invoke", asked))
        events.append((end, process, "ok", [list(step) for step in micro]))
    operations = [
        Operation(index, at * 10**6, process, kind, "txn", value)  # type: ignore[arg-type]
        for index, (at, process, kind, value) in enumerate(sorted(events, key=lambda e: e[0]))
    ]
    return Recording(history=History(operations))


def skewed() -> Recording:
    """Each transaction did not see what the other appended; both are seen later."""
    return ran(
        (0, 20, [("r", "x", []), ("append", "y", 1)]),
        (1, 21, [("r", "y", []), ("append", "x", 1)]),
        (30, 40, [("r", "x", [1]), ("r", "y", [1])]),
    )


def test_every_step_of_a_cycle_has_its_operation_and_its_reason() -> None:
    """It ends where it began, and each step leads to the next."""
    recording = skewed()
    verdict = check_all([Transactions()], recording)
    (finding,) = findings(verdict, recording, Subject(title="skew")).findings
    steps = finding.cycle
    assert [(0, 1), (1, 0)] == [(step.operation, step.to) for step in steps]
    assert ["rw", "rw"] == [step.kind for step in steps]
    assert "txn r x → [], append y 1" == steps[0].what
    assert 'read "x" as [], without the 1 that operation 1 appended' in steps[0].because


def test_the_page_shows_the_cycle_and_tells_each_operation_once() -> None:
    """What stands in the cycle is not told above it once more."""
    recording = skewed()
    page = render(check_all([Transactions()], recording), recording, Subject(title="skew"))
    section = page[page.index('id="e1"') : page.index('id="checks"')]
    assert 1 == section.count('<ol class="cycle"')
    assert 2 == section.count('<p class="edge">')
    assert "<p>Operation 0" not in section
    assert '<a href="#e1-op0">' in section


def test_markdown_tells_the_cycle_and_each_operation_once() -> None:
    """In its order, each with its reason, and it says where it ends: at its beginning."""
    recording = skewed()
    found = findings(check_all([Transactions()], recording), recording, Subject(title="skew"))
    text = markdown(found, [""])
    steps = [line for line in text.splitlines() if line.startswith("1. ")]
    assert steps == [
        '1. operation 0 `txn r x → [], append y 1`: operation 0 read "x" as \\[\\], '
        "without the 1 that operation 1 appended",
        '1. operation 1 `txn r y → [], append x 1`: operation 1 read "y" as \\[\\], '
        "without the 1 that operation 0 appended",
        "1. operation 0 again",
    ]
    assert "- Operation 0" not in text


def test_markdown_cuts_a_long_cycle() -> None:
    """A ticket is short: how many steps are left out is said, and where the cycle closes."""
    recording = skewed()
    found = findings(check_all([Transactions()], recording), recording, Subject(title="skew"))
    (finding,) = found.findings
    long = msgspec.structs.replace(finding, cycle=[*finding.cycle] * 6)
    text = markdown(msgspec.structs.replace(found, findings=[long]), [""])
    steps = [line for line in text.splitlines() if line.startswith("1. ")]
    assert len(steps) == 10
    assert steps[-2:] == ["1. and 4 more steps.", "1. operation 0 again"]


@pytest.mark.parametrize(
    "evidence",
    [
        None,
        [],
        "cycle",
        [{"from": 0}],
        [{"from": 99, "to": 0, "because": "ww", "sentence": "s"}],
        [{"from": 0, "to": 0, "because": "ww", "sentence": "s"}] * (STEPS_MAX + 1),
    ],
)
def test_a_cycle_of_another_shape_is_nobodys(evidence: object) -> None:
    """Of another checker, of calls that are not at hand, or longer than an eye follows."""
    calls = {call.index: call for call in skewed().history.calls()}
    assert [] == list(cycle(evidence, calls))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([["r", "x", [1]], ["append", "y", 2]], "txn r x → [1], append y 2"),
        ([["r", "x"]], 'txn [["r", "x"]]'),
        ("anything", 'txn "anything"'),
    ],
)
def test_a_transaction_is_told_step_by_step(value: object, expected: str) -> None:
    """What is no list of steps is told as it is."""
    invoke = Operation(0, 0, 1, "invoke", "txn", value)
    assert expected == words.what(Call(invoke, None))
