"""The page: whole in one file, bounded, and deaf to what a history tries to smuggle into it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checkers.compose import check_all
from checkers.coverage import Coverage
from checkers.history import Error, History, Operation
from checkers.trace import TraceEvent
from checkers.verdict import Kind, Recording, Verdict, merge
from harness.report import tables
from harness.report.findings import EXPLAINED_MAX, PARTS_MAX, findings
from harness.report.page import (
    Subject,
    linked,
    render,
    script_safe,
    write_report,
)
from tests.harness.report_scenes import (
    HOSTILE,
    SCENES,
    Foreign,
    chosen,
    hostile,
    judged,
    recorded,
)

FINE = Verdict(checker="fine", kind=Kind.VALID, summary="Fine.")


class Elements(HTMLParser):
    """The elements of a page with their attributes, its ids, and its texts outside scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.attributes: set[str] = set()
        self.targets: list[str] = []
        self.ids: list[str] = []
        self.texts: list[str] = []
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self._inside = tag
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src"):
                self.targets.append(value or "")

    def handle_data(self, data: str) -> None:
        if self._inside not in ("script", "style"):
            self.texts.append(data)


def page(verdict: Verdict, recording: Recording, **subject: Any) -> str:
    return render(verdict, recording, Subject(title="a run", **subject))


@pytest.mark.parametrize("name", SCENES)
def test_every_verdict_has_a_page(name: str) -> None:
    """Every kind of leaf, of a run and of a foreign history: a page that says the verdict."""
    verdict, recording = judged(name)
    elements = Elements(page(verdict, recording))
    assert verdict.kind.name in elements.texts
    assert len(elements.ids) == len(set(elements.ids))
    anchors = [target for target in elements.targets if target.startswith("#")]
    assert set() == {anchor[1:] for anchor in anchors} - set(elements.ids)


def test_the_page_needs_nothing_but_itself() -> None:
    """It makes no request: no element but links within it names another resource."""
    elements = Elements(page(*judged("contradiction"), rerun="antipaxos run --seed 7"))
    assert [] == [target for target in elements.targets if not target.startswith("#")]
    assert "antipaxos run --seed 7" in elements.texts


@pytest.mark.parametrize("kind", ["calls", "gaps", "events"])
def test_nothing_of_a_history_becomes_markup(kind: str) -> None:
    """Values, keys, names of nodes and operations, errors, traces, evidence, notices, settings:
    a page of hostile texts has the elements of a page of harmless ones."""

    def elements(evil: str) -> Elements:
        recording = hostile() if evil == HOSTILE else harmless(hostile())
        evidence: Any = {
            "calls": {"operations": [3, 5], "any": evil},
            "events": {"event": 0, "against": [1], "law": evil},
            "gaps": {"gaps": [evil]},
        }[kind]
        cause: Any = "coverage" if kind == "gaps" else None
        leaf = Verdict(
            checker=evil,
            kind=Kind.INVALID if cause is None else Kind.UNKNOWN,
            cause=cause,
            summary=evil,
            evidence=evidence,
        )
        subject = {"settings": {"a": evil}, "environment": {"b": evil, "option learning": evil}}
        return Elements(
            render(
                merge("all", [leaf]),
                recording,
                Subject(title=evil, rerun=evil, notices=[evil], workers=2, **subject),
            )
        )

    attacked, expected = elements(HOSTILE), elements("harmless")
    assert expected.tags == attacked.tags
    assert expected.attributes == attacked.attributes
    assert any(HOSTILE[:20] in text for text in attacked.texts)


def harmless(recording: Recording) -> Recording:
    """The same recording with the hostile text replaced."""

    def replaced(value: Any, kind: Any) -> Any:
        encoded = msgspec.json.encode(value).decode()
        spelt = msgspec.json.encode(HOSTILE).decode()[1:-1]
        return msgspec.json.decode(encoded.replace(spelt, "harmless"), type=kind)

    return Recording(
        history=History(replaced(list(recording.history), list[Operation])),
        trace=replaced(list(recording.trace), list[TraceEvent]),
    )


def test_tables_are_bounded_and_say_so() -> None:
    """Parts, explanations, faults, notices: each has a maximum and names what is left out."""
    recording = recorded("p0  |-w1-|", faults=tables.ROWS_MAX + 3)
    verdict = merge("all", [Foreign({}).check(recording)] * (PARTS_MAX + 4))
    text = "\n".join(Elements(page(verdict, recording, notices=["a notice"] * 25)).texts)
    assert "4 more are in verdict.json." in text
    assert f"{PARTS_MAX + 4 - EXPLAINED_MAX} more explanations are left out" in text
    assert "3 more are in history.jsonl." in text
    assert "5 more notices are left out." in text
    assert EXPLAINED_MAX == text.count("Why mine is INVALID")


def test_a_page_is_written_whole(tmp_path: Path) -> None:
    """write_report leaves the page that render gives."""
    recording = recorded("p0  |-w1-|", chosen("n1", "a", 1))
    verdict = check_all([Coverage(operations=("write",))], recording)
    write_report(tmp_path / "report.html", verdict, recording, Subject(title="a run"))
    assert page(verdict, recording) == (tmp_path / "report.html").read_text(encoding="utf-8")


def test_scripts_hold_no_markup() -> None:
    """JSON inside a script element cannot end it, and is the same JSON."""
    assert "<" not in script_safe({"a": [HOSTILE]})
    assert {"a": [HOSTILE]} == json.loads(script_safe({"a": [HOSTILE]}))


def test_an_empty_history_has_a_page_without_a_drawing() -> None:
    """Nothing to draw is no reason to fail, nor to carry the drawing's scripts."""
    text = page(FINE, Recording(history=History([])))
    assert "timeline" not in Elements(text).ids
    assert len(text) < 60_000


def test_operations_in_sentences_lead_to_their_rows() -> None:
    """An invocation and its completion lead to the row of the call; others lead nowhere."""
    verdict, recording = judged("contradiction")
    (finding,) = findings(verdict, recording, Subject(title="a run")).findings
    assert finding.window is not None
    assert (
        '<a href="#e1-op2">Operation 2</a> to <a href="#e1-op2">operation 3</a>, operation 99'
        == linked("Operation 2 to operation 3, operation 99", finding.window.bars, "e1")
    )


def test_only_its_own_scripts_run() -> None:
    """The policy names the scripts of the page by their hashes, and allows no other."""
    text = page(*judged("contradiction"))
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    scripts = re.findall(r"<script>(.*?)</script>", text, re.S)
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert "default-src 'none'; " in html.unescape(policy)
    assert 3 == len(hashes)
    assert hashes == re.findall(r"'sha256-([^']+)'", html.unescape(policy))
    assert "unsafe-eval" not in policy


@pytest.mark.parametrize("evil", ["\u202e", "\x00", "\x1b", "\ud800", "\u2066"])
def test_what_turns_or_breaks_a_text_is_replaced(evil: str) -> None:
    """Control characters, marks of direction, halves of characters: none reaches the page."""
    leaf = Verdict(checker=f"c{evil}", kind=Kind.INVALID, summary=f"a{evil}b")
    text = page(merge("all", [leaf]), Recording(history=History([])), notices=[f"n{evil}"])
    assert evil not in text
    assert "a\ufffdb" in text


def test_ten_megabytes_in_a_value_make_no_large_page() -> None:
    """Every text is cut; a history to copy that would be too large is not offered."""
    huge = "x" * 10**7
    calls = [
        Operation(0, 0, 1, "invoke", "write", huge, key=huge),
        Operation(1, 1, 1, "ok", "write", huge, key=huge, error=Error(huge, huge)),
    ]
    leaf = Verdict(
        checker=huge, kind=Kind.INVALID, summary=huge, evidence={"operations": [0], "more": huge}
    )
    recording = Recording(history=History(calls))
    facts = {"a": huge, "history": huge}
    text = page(merge("all", [leaf]), recording, settings=facts, environment=facts, rerun="r")
    assert len(text) < 200_000
