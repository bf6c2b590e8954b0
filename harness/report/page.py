"""The report: one self-contained page that says what a run found, with the evidence.

Rules
1. Words first: the verdict, its sentence, the command that runs it again; then the drawing.
2. The page needs nothing but itself: scripts and styles are inside, it makes no request.
3. Everything that came from a history, a log or a file is escaped: by Jinja's autoescape in markup,
   by `script_safe` inside scripts.
4. Everything has a maximum and says what it left out, so that no run makes a page too heavy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup, escape

from checkers.faults import fault_intervals
from checkers.history import Call
from checkers.statistics import statistics
from checkers.verdict import Recording, Verdict
from harness.report import charts, tables, window, words
from harness.report.explanations import Explanation, explanations, leaves
from harness.report.spacetime import focus, spacetime
from harness.report.story import said, telling
from harness.worldlog import WorldEvent

PARTS_MAX = 100
EXPLAINED_MAX = 20
NOTICES_MAX = 20
SENTENCE_MAX = 1_000  # characters
ARROWS_MAX = 200  # messages in the space-time diagram
STORY_MAX = 1_000  # lines below it

_OPERATION = re.compile(r"\b[Oo]peration (\d{1,18})\b")


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What the page is about. `rerun`: the command that runs it again, empty for a foreign history.
    `settings` and `environment`: facts by name. `workers`: how many clients worked, 0 if unknown.
    `world`: all that the world of a simulated run did, empty for other runs.
    """

    title: str
    rerun: str = ""
    settings: Mapping[str, str] = {}
    environment: Mapping[str, str] = {}
    workers: int = 0
    notices: Sequence[str] = ()
    world: Sequence[WorldEvent] = ()


def write_report(path: Path, verdict: Verdict, recording: Recording, subject: Subject) -> None:
    """Draw the page. Raises OSError where it cannot be written."""
    path.write_text(render(verdict, recording, subject), encoding="utf-8")


def render(verdict: Verdict, recording: Recording, subject: Subject) -> str:
    faults = fault_intervals(recording.history)
    stats = statistics(recording)
    calls = recording.history.calls()
    explained = explanations(verdict, recording)
    marked = [call for e in explained for call in e.calls if call.index in e.culprits]
    figure = (
        charts.story(calls, faults, recording.trace, stats.throughput, subject.workers, marked)
        if calls or faults
        else None
    )
    parts = leaves(verdict)
    environment = jinja2.Environment(
        loader=jinja2.BaseLoader(), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(_part("page.html")).render(
        subject=subject,
        verdict=verdict,
        headline=_headline(verdict, explained),
        parts=parts[:PARTS_MAX],
        parts_left_out=max(len(parts) - PARTS_MAX, 0),
        explanations=[
            _explained(e, f"e{n}", verdict.summary)
            for n, e in enumerate(explained[:EXPLAINED_MAX], 1)
        ],
        explanations_left_out=max(len(explained) - EXPLAINED_MAX, 0),
        notices=[words.clip(notice, SENTENCE_MAX) for notice in subject.notices[:NOTICES_MAX]],
        notices_left_out=max(len(subject.notices) - NOTICES_MAX, 0),
        facts=tables.facts(stats, subject.settings),
        latency_headings=tables.LATENCY_HEADINGS,
        latency_rows=tables.latencies(stats)[: tables.ROWS_MAX],
        latency_left_out=max(len(stats.counts) - tables.ROWS_MAX, 0),
        faults=[tables.fault(f) for f in faults[: tables.ROWS_MAX]],
        faults_left_out=max(len(faults) - tables.ROWS_MAX, 0),
        messages=tables.messages(stats, subject.environment.get("option learning", "")),
        environment=dict(subject.environment),
        hues=charts.legend(faults, recording.trace),
        figure=figure,
        figure_json=script_safe(figure),
        spacetime=_who_said_what(subject.world, explained, recording),
        css=Markup(_part("page.css") + _part("spacetime.css")),
        script=Markup(_part("page.js")),
        plotly=Markup(
            (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
        ),
    )


def _headline(verdict: Verdict, explained: Sequence[Explanation]) -> Markup:
    told = explained[:1] if explained and explained[0].verdict.summary == verdict.summary else ()
    calls = [call for e in told for call in window.nearest(e.calls, e.culprits)]
    return linked(verdict.summary, calls, "e1")


def _explained(explained: Explanation, name: str, headline: str) -> dict[str, Any]:
    """An explanation as the page has it. `name` begins the anchors of its operations."""
    calls = window.nearest(explained.calls, explained.culprits)
    sentences = [s for s in explained.sentences if s != headline]  # that one stands above already
    return {
        "heading": explained.heading,
        "sentences": [linked(sentence, calls, name) for sentence in sentences],
        "window": window.drawing(calls, explained.culprits, explained.end_at) if calls else None,
        "orders": explained.orders,
        "rows": [tables.operation(c, f"{name}-op{c.index}", explained.culprits) for c in calls],
        "left_out": len(explained.calls) - len(calls),
        "details": explained.details,
    }


def _who_said_what(
    world: Sequence[WorldEvent], explained: Sequence[Explanation], recording: Recording
) -> dict[str, Any] | None:
    """The messages about the violation, or the first ones; None where no log of a world is."""
    on = focus(explained, recording)
    diagram = spacetime(world, on, most=ARROWS_MAX)
    if diagram is None:
        return None
    what = "first messages"
    if on.checker:
        named = ", ".join(said(subject, 30) for subject in sorted(on.subjects)[:3])
        subjects = f" on {named}" if named else ""
        what = f"messages{subjects} about what {said(on.checker, 60)} found"
    start, end = words.seconds(diagram.start_ns), words.seconds(diagram.end_ns)
    return {
        "about": f"The {what}, from {start} to {end}.",
        "named": {
            anchor: f"{said(moment.node or '', 30)} at {words.seconds(moment.time_ns)}"
            for anchor, moment in diagram.named.items()
        },
        "heads": diagram.heads,
        "body": diagram.body,
        "notes": diagram.notes,
        "story": "\n".join(telling(world, diagram.positions[:STORY_MAX])),
        "story_left_out": max(len(diagram.positions) - STORY_MAX, 0),
    }


def linked(sentence: str, calls: Sequence[Call], name: str) -> Markup:
    """The sentence escaped and cut, with each 'operation 12' of the calls leading to its row."""
    rows = {c.index: c.index for c in calls}
    rows |= {c.completion.index: c.index for c in calls if c.completion is not None}

    def link(found: re.Match[str]) -> str:
        row = rows.get(int(found[1]))
        return found[0] if row is None else f'<a href="#{name}-op{row}">{found[0]}</a>'

    return Markup(_OPERATION.sub(link, str(escape(words.clip(sentence, SENTENCE_MAX)))))


def script_safe(value: Any) -> Markup:
    """JSON that cannot end the script element it stands in."""
    encoded = msgspec.json.encode(value).decode()
    for sign, spelt in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        encoded = encoded.replace(sign, spelt)
    return Markup(encoded)


def _part(name: str) -> str:
    return (files("harness.report") / name).read_text(encoding="utf-8")
