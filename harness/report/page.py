"""The report: one self-contained page that says what a run found, with the evidence.

Rules
1. Words first: the run in five lines, the command that runs it again; then the drawings.
2. The page needs nothing but itself: scripts and styles are inside, it makes no request, and its
   policy runs no script but those that are in it now, named by their hashes.
3. Everything that came from a history, a log or a file is escaped: by Jinja's autoescape in markup,
   by `script_safe` inside scripts; control characters are replaced.
4. Everything has a maximum and says what it left out, so that no run makes a page too heavy.
5. Without JavaScript everything can be read; what only a script can do is hidden until one runs.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup, escape

from checkers.verdict import Recording, Verdict
from harness.report import timeline, window, words
from harness.report.explanations import Explanation
from harness.report.failing import Bar
from harness.report.findings import SENTENCE_MAX, Finding, Subject, findings, read
from harness.report.spacetime import focus, spacetime
from harness.report.story import said, telling
from harness.worldlog import WorldEvent

__all__ = ["Subject", "render", "write_report"]

ARROWS_MAX = 200  # messages in the space-time diagram
STORY_MAX = 1_000  # lines below it

_OPERATION = re.compile(r"\b[Oo]peration (\d{1,18})\b")


def write_report(path: Path, verdict: Verdict, recording: Recording, subject: Subject) -> None:
    """Draw the page. Raises OSError where it cannot be written."""
    path.write_text(render(verdict, recording, subject), encoding="utf-8")


def render(verdict: Verdict, recording: Recording, subject: Subject) -> str:
    known = read(verdict, recording, subject.statistics)
    found = findings(verdict, recording, subject, known)
    marked = [call for e in known.explained for call in e.calls if call.index in e.culprits]
    drawn = timeline.timeline(
        recording.history.calls(),
        known.faults,
        recording.trace,
        known.stats,
        workers=subject.workers,
        marked=marked,
        logs=subject.logs,
        clocks=subject.clocks,
    )
    scripts = [_part("page.js"), _part("window.js")] + ([timeline.script()] if drawn else [])
    told = _told(found.findings)
    return (
        _environment()
        .get_template("page.html")
        .render(
            found=found,
            policy=_policy(scripts),
            story=[(line, told("e1", line.text)) for line in found.story],
            told=told,
            drawings=[
                None if finding.window is None else window.drawing(finding.window.bars)
                for finding in found.findings
            ],
            json=script_safe,
            timeline=drawn,
            spacetime=_who_said_what(subject.world, known.explained, recording),
            css=Markup(_styles()),
            scripts=[Markup(script) for script in scripts],
        )
    )


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_part),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )


def _printable(value: Any) -> Any:
    """Rule 3, of whatever the template puts out."""
    return words.printable(value) if type(value) is str else value


def _policy(scripts: Iterable[str]) -> str:
    """What a browser allows this page: nothing but these scripts, its styles and its pictures."""
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _styles() -> str:
    """The dark colours twice: for readers whose system is dark, and for those who say so here."""
    dark = _part("dark.css")
    themes = (
        f"@media (prefers-color-scheme: dark) {{ :root:not([data-theme=light]) {{ {dark} }} }}\n"
        f":root[data-theme=dark] {{ {dark} }}\n"
    )
    own = _part("page.css") + _part("window.css") + _part("spacetime.css")
    return _part("light.css") + themes + own + timeline.css()


def _told(found: Sequence[Finding]) -> Any:
    """A function of the name of a finding and a sentence: its links lead to the finding's rows."""
    bars = {
        f"e{n}": finding.window.bars if finding.window else () for n, finding in enumerate(found, 1)
    }
    return lambda name, sentence: linked(sentence, bars.get(name, ()), name)


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
        "from_s": diagram.start_ns / 1e9,
        "to_s": diagram.end_ns / 1e9,
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


def linked(sentence: str, bars: Sequence[Bar], name: str) -> Markup:
    """The sentence escaped and cut, with each 'operation 12' of the bars leading to its row."""
    rows = {bar.operation: bar.operation for bar in bars}
    rows |= {bar.completed: bar.operation for bar in bars if bar.completed is not None}

    def link(found: re.Match[str]) -> str:
        row = rows.get(int(found[1]))
        return found[0] if row is None else f'<a href="#{name}-op{row}">{found[0]}</a>'

    text = words.printable(words.clip(sentence, SENTENCE_MAX))
    return Markup(_OPERATION.sub(link, str(escape(text))))


def script_safe(value: Any) -> Markup:
    """JSON that cannot end the script element it stands in."""
    encoded = msgspec.json.encode(value).decode()
    for sign, spelt in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        encoded = encoded.replace(sign, spelt)
    return Markup(encoded)


def _part(name: str) -> str:
    return (files("harness.report") / name).read_text(encoding="utf-8")
