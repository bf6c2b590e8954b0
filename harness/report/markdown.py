"""The findings as Markdown for tickets and chat: what GitHub, GitLab and Slack show alike.

Rules
1. Whatever a history says cannot end its place: in code blocks it is fenced by more backticks than
   it has, elsewhere each sign that means something is escaped. Nothing in it mentions anybody, or
   links or loads anything.
2. Short, as a ticket is: few findings, few sentences of each, no table but that of faults.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from harness.report import words
from harness.report.cycle import Dependency
from harness.report.findings import Finding, Findings

FINDINGS_MAX = 3
SENTENCES_MAX = 8
FAULTS_MAX = 12
NOTICES_MAX = 3
STEPS_MAX = 8  # of a cycle
WHAT_MAX = 120
BECAUSE_MAX = 240
_SIGNS = re.compile(r"([\\`*_\[\]#|~]|^[-+>=])")
_NUMBER = re.compile(r"^(\d+)([.)])(?=\s|$)")  # would begin a list
_SIGILS = (
    ("&", "&amp;"),
    ("<", "&lt;"),
    ("@", "@\u200b"),
    ("://", ":\u200b//"),
    ("www.", "www\u200b."),
)
_RUNS = re.compile(r"`+")


def markdown(found: Findings, pictures: Sequence[str]) -> str:
    """`pictures`: the windows of the findings in notation, empty where one has none."""
    parts = [f"### {found.verdict}: {escaped(found.title)}"]
    if not any(line.text == found.summary for line in found.story):
        parts.append(escaped(found.summary))
    said = {found.summary, *(line.text for line in found.story)}
    told = [f"- **{escaped(line.label)}** {_line(line.text, line.command)}" for line in found.story]
    parts.append("\n".join(told))
    for finding, picture in list(zip(found.findings, pictures, strict=False))[:FINDINGS_MAX]:
        parts += _finding(finding, picture, said)
    left_out = len(found.findings) - FINDINGS_MAX + found.findings_left_out
    if left_out > 0:
        parts.append(more(left_out, "finding"))
    if found.faults:
        parts.append(_faults(found))
    notices = [f"> {escaped(words.clip(notice, 300))}" for notice in found.notices[:NOTICES_MAX]]
    parts += ["\n>\n".join(notices)] if notices else []
    if found.rerun:
        parts.append(fenced(found.rerun, "sh"))
    return "\n\n".join(parts) + "\n"


def _line(text: str, command: bool) -> str:
    return code(text) if command else escaped(text)


def _finding(finding: Finding, picture: str, told: Collection[str]) -> list[str]:
    told = {*told, *(step.told for step in finding.cycle)}
    sentences = [s for s in finding.sentences if s not in told][:SENTENCES_MAX]
    parts = [f"**{escaped(finding.heading)}**"]
    parts += [fenced(picture)] if picture else []
    parts += ["\n".join(f"- {escaped(s)}" for s in sentences)] if sentences else []
    parts += _cycle(finding.cycle) if finding.cycle else []
    return parts


def _cycle(steps: Sequence[Dependency]) -> list[str]:
    lines = [
        f"1. operation {step.operation} {code(words.clip(step.what, WHAT_MAX))}: "
        f"{escaped(words.clip(step.because, BECAUSE_MAX))}"
        for step in steps[:STEPS_MAX]
    ]
    left_out = len(steps) - STEPS_MAX
    lines += [f"1. {more(left_out, 'step')}"] if left_out > 0 else []
    lines.append(f"1. operation {steps[-1].to} again")
    return [
        "Each had to come before the one below it, and the last before the first:",
        "\n".join(lines),
    ]


def _faults(found: Findings) -> str:
    rows = ["| fault | on | from | to | seen |", "|---|---|---|---|---|"]
    for fault in found.faults[:FAULTS_MAX]:
        cells = (fault.kind, fault.on, fault.start, fault.end, fault.observed)
        rows.append("| " + " | ".join(escaped(words.clip(cell, 80)) for cell in cells) + " |")
    left_out = len(found.faults) - FAULTS_MAX + found.faults_left_out
    return "\n".join(rows) + (f"\n\n{more(left_out, 'fault')}" if left_out > 0 else "")


def more(count: int, what: str) -> str:
    return f"and {count:,} more {what}{'s' * (count != 1)}."


def escaped(text: str) -> str:
    """On one line, meaning nothing."""
    flat = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
    told = _NUMBER.sub(r"\1\\\2", _SIGNS.sub(r"\\\1", flat))
    for sign, spelt in _SIGILS:
        told = told.replace(sign, spelt)
    return told


def code(text: str) -> str:
    """As code within a line."""
    flat = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
    tick = "`" * (_longest(flat) + 1)
    pad = " " if "`" in flat else ""
    return f"{tick}{pad}{flat}{pad}{tick}"


def fenced(text: str, language: str = "") -> str:
    """As a block of code."""
    shown = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
    fence = "`" * max(3, _longest(shown) + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def _longest(text: str) -> int:
    return max((len(run) for run in _RUNS.findall(text)), default=0)
