"""The page: whole in one file, bounded, and deaf to what a history tries to smuggle into it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checkers.compose import check_all
from checkers.coverage import Coverage
from checkers.history import History, Operation
from checkers.trace import TraceEvent
from checkers.verdict import Kind, Recording, Verdict, merge
from harness.report import charts, tables, window
from harness.report.page import (
    EXPLAINED_MAX,
    PARTS_MAX,
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
    many_calls,
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


def figure_of(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="figure">(.*?)</script>', text, re.S)
    assert found is not None
    figure: dict[str, Any] = json.loads(found[1])
    return figure


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


def test_operations_in_sentences_lead_to_their_rows() -> None:
    """An invocation and its completion lead to the row of the call; others lead nowhere."""
    calls = many_calls(2)
    assert (
        '<a href="#e1-op0">Operation 0</a> to <a href="#e1-op0">operation 1</a>, operation 99'
        == linked("Operation 0 to operation 1, operation 99", calls, "e1")
    )


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


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)


def test_figures_hold_no_markup_either() -> None:
    """Neither for the script element that carries them nor for plotly, which reads tags in text."""
    figure = figure_of(page(FINE, hostile()))
    texts = list(strings([figure["operations"], figure["data"], figure["layout"], figure["notes"]]))
    ours = {text for text in texts if text.endswith("<extra></extra>")}
    assert 3 == len(ours)
    assert [] == [text for text in texts if "<" in text and text not in ours]
    assert [] != [text for text in texts if "&lt;/script" in text]
    assert "<" not in script_safe({"a": [HOSTILE]})
    assert {"a": [HOSTILE]} == json.loads(script_safe({"a": [HOSTILE]}))


def test_an_empty_history_has_a_page_without_a_drawing() -> None:
    """Nothing to draw is no reason to fail, nor to carry five megabytes of script."""
    text = page(FINE, Recording(history=History([])))
    assert "figure" not in Elements(text).ids
    assert len(text) < 100_000


def test_fifty_faults_and_calls_without_end_are_drawn() -> None:
    """Faults that overlap, calls that never returned: all are in the figure."""
    recording = recorded("p0  |-w1- ...\np1  |-r1-|", faults=50)
    figure = figure_of(page(FINE, recording, workers=2))
    colours = [shape["fillcolor"] for shape in figure["layout"]["shapes"]]
    assert ["--fault-kill", "--fault-partition"] == sorted(colours)
    assert [None] == figure["operations"]["info"]["ms"]
    assert 1 == len(figure["operations"]["ok"]["ms"])
    (bars,) = [trace for trace in figure["data"] if trace["type"] == "bar"]
    assert (50, charts.LANES_MAX) == (len(bars["y"]), len(set(bars["y"])))


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


def test_what_is_drawn_of_many_calls_is_bounded_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first and the last are kept, and the note has both numbers."""
    monkeypatch.setattr(charts, "DRAWN_MAX", 10)
    calls = many_calls(1000)
    recording = Recording(history=History(o for c in calls for o in (c.invoke, c.completion) if o))
    figure = figure_of(page(FINE, recording, workers=3))
    drawn = figure["operations"]["ok"]["index"]
    assert (10, calls[0].index, calls[-1].index) == (len(drawn), drawn[0], drawn[-1])
    assert ["Of 1,000 ok operations 10 are drawn, evenly chosen."] == figure["notes"]


def test_a_window_keeps_its_culprits() -> None:
    """Of many calls those nearest the last culprit are drawn, and every culprit."""
    calls = many_calls(500)
    culprits = {calls[2].index, calls[300].index}
    kept = [call.index for call in window.nearest(calls, culprits)]
    assert window.CALLS_MAX == len(kept)
    assert culprits <= set(kept)
    assert sorted(kept) == kept
    assert calls[299].index in kept


def test_a_window_draws_a_bar_for_each_call_and_opens_what_had_not_returned() -> None:
    """What completed after the end of the window is open: its bar reaches the edge."""
    calls = recorded("p0  |---w1----|\np1   |-r1-|").history.calls()
    end = calls[1].completion
    assert end is not None
    drawn = window.drawing(calls, {calls[1].index}, end.index)
    assert 2 == drawn.count("<rect")
    assert 1 == drawn.count('class="bar culprit"')
    edge = re.search(r'<svg width="(\d+)"', drawn)
    bars = [
        (int(x), int(w)) for x, w in re.findall(r'x="(\d+)" y="\d+" rx="4" width="(\d+)"', drawn)
    ]
    assert edge is not None
    assert [True, False] == [abs(x + w - int(edge[1])) <= 1 for x, w in bars]


def test_reigns_end_when_a_node_follows_dies_or_starts_anew() -> None:
    """Leadership is what nodes said; a killed node says nothing any more."""
    names = [("n1", "leader"), ("n1", "follower"), ("n2", "leader"), ("n2", "restart")]
    trace = [TraceEvent(t, node, event, ballot=(1, node)) for t, (node, event) in enumerate(names)]
    trace.append(TraceEvent(9, "n3", "leader", ballot=(2, "n3")))
    expected = [
        charts.Reign("n1", 0, 1),
        charts.Reign("n2", 2, 3),
        charts.Reign("n3", 9, None),
    ]
    assert expected == charts.leaderships(trace)


def test_a_page_is_written_whole(tmp_path: Path) -> None:
    """write_report leaves the page that render gives."""
    recording = recorded("p0  |-w1-|", chosen("n1", "a", 1))
    verdict = check_all([Coverage(operations=("write",))], recording)
    write_report(tmp_path / "report.html", verdict, recording, Subject(title="a run"))
    assert page(verdict, recording) == (tmp_path / "report.html").read_text(encoding="utf-8")
