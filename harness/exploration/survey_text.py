"""A survey in words, for a terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from harness.exploration.adversary import Run
from harness.exploration.lemmas import Pair, Unanswered
from harness.exploration.odds import STEPS_MAX, Odds
from harness.exploration.protocols import Bits, Subject, bounded_form
from harness.exploration.relaxations import RELAXATIONS
from harness.exploration.survey import Space, Survey
from harness.exploration.telling import diagram, path, story

STORY_STAGES_MAX = 40
DIAGRAM_STAGES_MAX = 12


def as_text(subject: Subject, survey: Survey) -> list[str]:
    """All that was found, a section a statement."""
    sections = (
        _head(subject, survey),
        _space(subject, survey),
        _valency(survey.spaces),
        _lemmas(subject, survey),
        _duel(subject, survey),
        _chance(survey.odds),
        _relaxed(survey),
    )
    return [line for section in sections for line in (*section, "")][:-1]


def as_json(subject: Subject, survey: Survey) -> str:
    """The same for a program: the fields of Survey, and the stories as lines."""
    plain: dict[str, Any] = msgspec.to_builtins(survey)
    plain |= {
        "complete": survey.complete,
        "configurations": survey.configurations,
        "agreement": survey.agreement,
        "story": [] if survey.duel is None else story(subject, survey.duel),
    }
    return msgspec.json.format(msgspec.json.encode(plain), indent=2).decode()


def bits_text(bits: Bits) -> str:
    return "".join(map(str, bits))


def _head(subject: Subject, survey: Survey) -> Iterator[str]:
    yield f"{survey.protocol}: {subject.processes} processes"
    if survey.bound:
        yield f"explored with {survey.bound}; chance and the adversary play without that bound"
    if survey.gives_up:
        yield f"it gives up {survey.gives_up}"


def _space(subject: Subject, survey: Survey) -> Iterator[str]:
    transitions = sum(space.transitions for space in survey.spaces)
    yield (
        f"Space          {survey.configurations:,} configurations, {transitions:,} transitions, "
        f"from {len(survey.spaces)} inputs; "
        + ("complete" if survey.complete else "INCOMPLETE: the limit was reached (see --limit)")
    )
    worst = survey.worst
    if worst is None:
        yield "Agreement      " + (
            "holds" if survey.agreement else "no violation in what was explored"
        )
    else:
        yield f"Agreement      VIOLATED, from inputs {bits_text(worst.bits)}:"
        yield from _indented(path(bounded_form(subject), worst.bits, worst.disagreement or ()))
    if survey.complete:
        yield "Decisions      " + _possible(survey.spaces)
        indispensable = _indispensable(survey.spaces)
        yield "One fault      " + (
            "from the start, the others decide without whoever fails"
            if not indispensable
            else f"nobody decides if {' or '.join(indispensable)} fails before its first step"
        )


def _possible(spaces: Sequence[Space]) -> str:
    values = [
        bit
        for bit, label in enumerate(("0-valent", "1-valent"))
        if any((space.labels or {}).get(label) for space in spaces)
    ]
    if len(values) == 2:
        return "0 and 1 are both possible"
    return f"{values} alone is possible: the protocol is trivial" if values else "none is ever made"


def _indispensable(spaces: Sequence[Space]) -> list[str]:
    """Processes without which nobody can decide from some initial configuration."""
    found = {name for space in spaces for name in space.stuck_at_start}
    return sorted(found)


def _valency(spaces: Sequence[Space]) -> Iterator[str]:
    """The table of T33, an input a line."""
    names = list(next((space.helpless for space in spaces if space.helpless), {}))
    without = "".join(f"{'w/o ' + name:>9}" for name in names)
    yield "Valency        reachable decisions of every configuration; w/o n1: undecided, and nobody"
    yield "               can decide any more unless n1 takes a step; critical: every event decides"
    yield (f"  input  initial     0-valent  1-valent  bivalent    barren  critical{without}")
    for space in spaces:
        if space.labels is None:
            yield f"  {bits_text(space.bits):<7}{space.configurations:,} configurations, not all"
            continue
        numbers = [
            *(space.labels[k] for k in ("0-valent", "1-valent", "bivalent", "barren")),
            space.critical or 0,
        ]
        row = "".join(f"{number:>10,}" for number in numbers)
        helpless = "".join(f"{number:>9,}" for number in (space.helpless or {}).values())
        yield f"  {bits_text(space.bits):<7}{space.initial:<10}{row}{helpless}"


def _lemmas(subject: Subject, survey: Survey) -> Iterator[str]:
    commuted, trials = survey.lemma1
    yield f"Lemma 1        {commuted} of {trials} pairs of disjoint schedules commute"
    yield from _lemma2(subject, survey.lemma2)
    yield from _lemma3(subject, survey)


def _lemma2(subject: Subject, found: Pair | Unanswered | None) -> Iterator[str]:
    if found is None:
        yield "Lemma 2        adjacent inputs never differ in what they decide"
        return
    here, there = bits_text(found.bits), bits_text(found.adjacent)
    yield f"Lemma 2        inputs {here} and {there} differ in {found.process} alone, which fails."
    if isinstance(found, Unanswered):
        searched = "they never decide" if found.complete else "no decision of theirs was found"
        yield f"               The others wait for it: {searched}. No bivalent input follows."
        return
    yield f"               The others decide {found.value} from both:"
    yield from _indented(path(subject, found.bits, found.schedule))
    other = bits_text(found.bivalent)
    yield f"               {other} decides {1 - found.value} as well, so it is bivalent:"
    yield from _indented(path(subject, found.bivalent, found.other))


def _lemma3(subject: Subject, survey: Survey) -> Iterator[str]:
    checked = [(space.bits, space.lemma3) for space in survey.spaces if space.lemma3]
    pairs = sum(lemma.pairs for _, lemma in checked)
    failing = [(bits, lemma) for bits, lemma in checked if lemma.failing]
    if not checked:
        yield "Lemma 3        no bivalent configuration in the space that was explored"
    elif not failing:
        yield f"Lemma 3        holds for all {pairs:,} pairs of bivalent configuration and event"
        if survey.agreement is False:
            yield "               (without agreement bivalent does not mean undecided)"
    else:
        number = sum(lemma.failing for _, lemma in failing)
        bits, lemma = min(failing, key=lambda pair: len(pair[1].example))
        yield f"Lemma 3        fails for {number:,} of {pairs:,} pairs of bivalent configuration"
        yield "               and event, as it must where no run goes on for ever: rounds run out,"
        yield "               and some process becomes indispensable (columns w/o). For one, the"
        yield f"               last of these leaves one decision alone, from {bits_text(bits)}:"
        yield from _indented(path(bounded_form(subject), bits, lemma.example))


def _duel(subject: Subject, survey: Survey) -> Iterator[str]:
    run, report = survey.duel, survey.admissible
    if run is None or report is None:
        yield "The adversary  has nothing to keep open: no bivalent input was found"
        return
    won = run.lost is None
    yield (
        f"The adversary  from {bits_text(run.bits)}: "
        + (f"undecided after {len(run.stages)} stages" if won else f"lost, {run.lost}")
    )
    yield (
        f"               {report.steps} steps, {report.delivered} messages received, none in "
        f"flight for more than {report.longest_wait} stages"
    )
    judged = "admissible, nobody has failed and nobody decided" if not report.problems else "WRONG"
    yield f"               judged apart from the adversary: {judged}"
    yield from _indented(report.problems)
    yield from _indented(story(subject, run, STORY_STAGES_MAX), 2)
    if run.stages:
        yield ""
        yield from _indented(diagram(subject, run, DIAGRAM_STAGES_MAX), 2)


def _chance(odds: Odds) -> Iterator[str]:
    yield f"By chance      {odds.runs} runs, every step drawn evenly from all that are possible"
    if odds.median is None:
        yield "               none decided"
        return
    yield (
        f"               first decision after {odds.median} steps in the median, "
        f"{odds.ninetieth} in 90 of 100 runs, {odds.most} at most;"
    )
    yield f"               0 was first in {odds.zeros} runs, 1 in {odds.ones}"
    if odds.undecided:
        yield f"               {odds.undecided} without a decision (at most {STEPS_MAX:,} steps)"
    if odds.disagreements:
        yield f"               in {odds.disagreements} two processes decided differently"


def _relaxed(survey: Survey) -> Iterator[str]:
    if survey.relaxed:
        yield "Relaxed        the same adversary with less freedom:"
    elif survey.duel is None or survey.duel.lost is not None:
        yield "Relaxed        not needed: the adversary does not keep it undecided"
    for run in survey.relaxed:
        yield f"  {run.relaxation:<15}{RELAXATIONS[run.relaxation].words}:"
        yield f"                 {_outcome(run)}"


def _outcome(run: Run) -> str:
    steps = len(run.events)
    if run.lost is None:
        return f"undecided after {len(run.stages)} stages, {steps} steps"
    if not run.decisions:
        return f"open for {len(run.stages)} stages; no decision after {steps} steps"
    values = ", ".join(f"{name} decides {value}" for name, value in run.decisions.items())
    return f"open for {len(run.stages)} stages; {values} after {steps} steps"


def _indented(lines: Sequence[str], by: int = 17) -> list[str]:
    return [" " * by + line for line in lines]
