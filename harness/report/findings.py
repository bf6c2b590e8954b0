"""What a report says, as plain data: the page, Markdown, JSON and pictures are drawn from it.

    found = findings(verdict, recording, Subject(title="..."))

`findings` is the one place where a verdict, a recording and a subject become words. A format gives
them a form and adds none of its own; `msgspec.to_builtins(found)` is the whole as JSON.

Rules
1. Strings are for people and not escaped: each format escapes for itself. They may hold whatever a
   history holds, control characters included, and are cut where they may be long.
2. Every list has a maximum, and a number beside it says how many were left out.
3. Times are seconds of the run's clock as text; numbers that a format needs for links stand beside
   them (`from_s`, `to_s`, `operation`).
4. The order of the fields is the order in which a reader wants them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from checkers.faults import FaultInterval, fault_intervals
from checkers.models.model import Model
from checkers.statistics import Statistics, statistics
from checkers.verdict import Recording, Verdict
from harness.report import cycle, gist, nearby, tables, words
from harness.report.clocks import ClockSpan
from harness.report.explanations import Explanation, explanations, leaves
from harness.report.failing import Window, failing_window
from harness.report.logs import LogLine
from harness.worldlog import WorldEvent

PARTS_MAX = 100
EXPLAINED_MAX = 20
NOTICES_MAX = 20
SENTENCE_MAX = 1_000  # characters
FILES_MAX = 60


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What the report is about. `rerun`: the command that runs it again, empty for a foreign
    history. `settings` and `environment`: facts by name. `workers`: how many clients worked, 0 if
    unknown. `world`: all that the world of a simulated run did, empty for other runs. `logs` and
    `clocks`: of the nodes, in the time of the run. `files`: names of what else the run's folder
    holds, relative to the report. `path`: where it is, for people. `models`: those that the
    checkers judged by, for the states between the steps of an order; without them no state but the
    last is told. `statistics`: of the whole history, where the recording holds only a part of it.
    """

    title: str
    rerun: str = ""
    settings: Mapping[str, str] = {}
    environment: Mapping[str, str] = {}
    workers: int = 0
    notices: Sequence[str] = ()
    world: Sequence[WorldEvent] = ()
    logs: Sequence[LogLine] = ()
    clocks: Sequence[ClockSpan] = ()
    files: Sequence[str] = ()
    path: str = ""
    models: Sequence[Model] = ()
    statistics: Statistics | None = None


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict that others were merged from. `cause`: of UNKNOWN, empty for others."""

    checker: str
    verdict: str
    summary: str
    cause: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One check that is not VALID, explained. `sentences` begin with its summary. `logs`: log lines
    about the time of it. `cycle`: operations each of which had to come before the next, and the
    last before the first; empty where it is no such finding. `details`: the evidence as JSON text,
    or a traceback; empty if none. `from_s` and `to_s`: the time that it is about, None where
    nothing says."""

    checker: str
    verdict: str
    heading: str
    sentences: Sequence[str]
    window: Window | None = None
    cycle: Sequence[cycle.Dependency] = ()
    logs: nearby.Nearby | None = None
    details: str = ""
    from_s: float | None = None
    to_s: float | None = None


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """`story`: five lines that suffice. `findings`: the worst first; what the story tells is the
    first of them."""

    title: str
    verdict: str
    summary: str
    story: Sequence[gist.Line]
    rerun: str
    path: str
    notices: Sequence[str]
    notices_left_out: int
    findings: Sequence[Finding]
    findings_left_out: int
    checks: Sequence[Check]
    checks_left_out: int
    facts: Mapping[str, str]
    latency: tables.Table
    faults: Sequence[tables.Fault]
    faults_left_out: int
    clocks: Sequence[tables.Clock]
    clocks_left_out: int
    messages: tables.Messages | None
    environment: Mapping[str, str]
    files: Sequence[str]
    files_left_out: int


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """What was read out of a recording to say all that; drawings of the whole run need it again."""

    explained: Sequence[Explanation]
    faults: Sequence[FaultInterval]
    stats: Statistics


def read(verdict: Verdict, recording: Recording, whole: Statistics | None = None) -> Read:
    """`whole`: the statistics of a history of which the recording holds only a part."""
    return Read(
        explained=explanations(verdict, recording),
        faults=fault_intervals(recording.history),
        stats=whole or statistics(recording),
    )


def findings(
    verdict: Verdict, recording: Recording, subject: Subject, known: Read | None = None
) -> Findings:
    """`known`: where the caller has read it already."""
    known = known or read(verdict, recording, subject.statistics)
    parts = leaves(verdict)
    learning = subject.environment.get("option learning", "")
    shown = [_finding(one, recording, subject) for one in known.explained[:EXPLAINED_MAX]]
    return Findings(
        title=words.clip(subject.title, 200),
        verdict=verdict.kind.name,
        summary=words.clip(verdict.summary, SENTENCE_MAX),
        story=gist.story(
            verdict,
            gist.Known(
                explained=known.explained,
                faults=known.faults,
                stats=known.stats,
                settings=subject.settings,
                rerun=subject.rerun,
                path=subject.path,
            ),
        ),
        rerun=subject.rerun,
        path=subject.path,
        notices=[words.clip(notice, SENTENCE_MAX) for notice in subject.notices[:NOTICES_MAX]],
        notices_left_out=max(len(subject.notices) - NOTICES_MAX, 0),
        findings=shown,
        findings_left_out=max(len(known.explained) - EXPLAINED_MAX, 0),
        checks=[_check(part) for part in parts[:PARTS_MAX]],
        checks_left_out=max(len(parts) - PARTS_MAX, 0),
        facts=tables.facts(known.stats, subject.settings),
        latency=tables.latencies(known.stats),
        faults=[tables.fault(fault) for fault in known.faults[: tables.ROWS_MAX]],
        faults_left_out=max(len(known.faults) - tables.ROWS_MAX, 0),
        clocks=[tables.clock(span) for span in subject.clocks[: tables.ROWS_MAX]],
        clocks_left_out=max(len(subject.clocks) - tables.ROWS_MAX, 0),
        messages=tables.messages(known.stats, learning),
        environment=tables.named(subject.environment),
        files=[words.clip(name, tables.CELL_MAX) for name in subject.files[:FILES_MAX]],
        files_left_out=max(len(subject.files) - FILES_MAX, 0),
    )


def _check(part: Verdict) -> Check:
    return Check(
        checker=words.clip(part.checker, 60),
        verdict=part.kind.name,
        summary=words.clip(part.summary, tables.CELL_MAX),
        cause=part.cause or "",
    )


def _finding(one: Explanation, recording: Recording, subject: Subject) -> Finding:
    about = nearby.about_ns(one, recording)
    return Finding(
        checker=words.clip(one.verdict.checker, 60),
        verdict=one.verdict.kind.name,
        heading=one.heading,
        sentences=[words.clip(sentence, SENTENCE_MAX) for sentence in one.sentences],
        window=failing_window(one, recording, subject.models, whole=subject.statistics is None),
        cycle=cycle.cycle(one.verdict.evidence.get("cycle"), {c.index: c for c in one.calls}),
        logs=None if about is None else nearby.lines(subject.logs, *about),
        details=one.details,
        from_s=None if about is None else about[0] / 1e9,
        to_s=None if about is None else about[1] / 1e9,
    )
