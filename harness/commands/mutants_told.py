"""What `antipaxos mutants` says: its outcome for a terminal, for programs and as a page.

Rules
1. A number is a median over the first seeds; a hunt in vain counts as longer than any other, and
   where it is the median itself, what is known is a lower bound and told as one.
2. The last line is about the unbroken system. Without it the lines above prove nothing: whoever
   says INVALID to everything finds every mutant.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from checkers.laws import LAWS
from checkers.verdict import Kind
from harness.matrix import Cell, Spent
from harness.report import matrix as drawing
from harness.report.words import clip
from harness.run import TROUBLE

SAID_MAX = 4  # checkers named in a line
TOLD_MAX = 5  # alarms and other trouble of the unbroken system
WIDTH, WIDTH_MIN = 140, 110
LINE_MAX = 300  # characters


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`cells`: by mutant, then by scheduler, in the order of `schedulers`."""

    cells: Sequence[Cell]
    unbroken: Spent
    schedulers: Sequence[str]

    @property
    def missed(self) -> Sequence[str]:
        """The mutants that no hunt of any scheduler found."""
        names = dict.fromkeys(cell.mutant.name for cell in self.cells)
        found = {cell.mutant.name for cell in self.cells if cell.caught}
        return [name for name in names if name not in found]

    @property
    def runs(self) -> int:
        return sum(hunted.runs for cell in self.cells for hunted in cell.hunts)

    @property
    def exit_code(self) -> int:
        """A mutant that was missed and an alarm about the unbroken system are failures alike."""
        if self.missed or self.unbroken.alarms:
            return Kind.INVALID.exit_code
        if self.unbroken.troubled:
            return TROUBLE
        return Kind.UNKNOWN.exit_code if self.unbroken.unknown else Kind.VALID.exit_code


# --- for a terminal ---


def lines(came: Outcome) -> Sequence[str]:
    """The matrix, a line for each mutant and scheduler; then totals, and the unbroken system."""
    # Whoever reads a file or a pipe can scroll; on a narrow terminal the last column is folded.
    width = Console().width if sys.stdout.isatty() else WIDTH
    console = Console(width=max(min(width, WIDTH), WIDTH_MIN))
    with console.capture() as captured:
        console.print(_table(came))
    told = [line.rstrip() for line in captured.get().rstrip().splitlines()]
    told += [""] + [_total_told(came, scheduler) for scheduler in came.schedulers]
    told += _asides(came)
    return [*told, found_told(came), *_alarms(came.unbroken), unbroken_told(came)]


def _asides(came: Outcome) -> Sequence[str]:
    """What happened in hunts beside finding: a few, and not in silence."""
    hunts = [(f"{c.mutant.name}, {c.scheduler}", hunted) for c in came.cells for hunted in c.hunts]
    trouble = [f"trouble: {who}: {one.trouble}" for who, one in hunts if one.trouble]
    strays = [f"not named by its catalogue: {who}: {one.stray}" for who, one in hunts if one.stray]
    return [clip(line, LINE_MAX) for line in (*trouble[:TOLD_MAX], *strays[:TOLD_MAX])]


def _table(came: Outcome) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    left = {"mutant", "area", "kind", "scheduler", "who said so"}
    headings = ("mutant", "area", "kind", "scheduler", "found", "runs", "CPU s", "choices")
    for heading in (*headings, "who said so"):
        justify: Any = "left" if heading in left else "right"
        table.add_column(
            heading, justify=justify, no_wrap=heading != "who said so", overflow="fold"
        )
    name = ""
    for cell in came.cells:
        mutant = cell.mutant
        first = ("", "", "") if mutant.name == name else (mutant.name, mutant.area, mutant.kind)
        name = mutant.name
        shown = _told(cell)
        table.add_row(
            *first, cell.scheduler, shown.found, shown.runs, shown.cpu_s, shown.shrunk, _said(cell)
        )
    return table


def _told(cell: Cell) -> drawing.Told:
    typical, small = cell.typical, cell.shrunk
    bound = "" if typical.found is not None else "> "
    return drawing.Told(
        scheduler=cell.scheduler,
        found=f"{len(cell.caught)}/{len(cell.hunts)}",
        runs=f"{bound}{typical.runs:,}",
        cpu_s=f"{bound}{cell.cpu_s:.1f}",
        shrunk="-" if small is None else f"{small.before:,} → {small.after:,}",
        missed=bool(bound),
    )


def _said(cell: Cell) -> str:
    names = list(cell.said)
    more = f" +{len(names) - SAID_MAX}" if len(names) > SAID_MAX else ""
    return ", ".join(names[:SAID_MAX]) + more


TOTAL_HEADINGS = ("scheduler", "found", "runs", "CPU s", "longest CPU s", "choices left")


def _totals(came: Outcome, scheduler: str) -> Sequence[str]:
    """As TOTAL_HEADINGS: of the mutants under this scheduler, medians over the mutants."""
    cells = [cell for cell in came.cells if cell.scheduler == scheduler]
    small = [cell.shrunk for cell in cells if cell.shrunk is not None and cell.shrunk.before]
    left = median(one.after / one.before for one in small) if small else None
    return (
        scheduler,
        f"{sum(bool(cell.caught) for cell in cells)} of {len(cells)}",
        f"{median(cell.typical.runs for cell in cells):g}",
        f"{median(cell.cpu_s for cell in cells):.2f}",
        f"{max(hunted.cpu_s for cell in cells for hunted in cell.hunts):.1f}",
        "-" if left is None else f"{left:.1%}",
    )


def _total_told(came: Outcome, scheduler: str) -> str:
    name, found, runs, cpu_s, longest, left = _totals(came, scheduler)
    small = "" if left == "-" else f"; made small to {left} of the choices"
    return (
        f"{name}: {found} found, median {runs} runs and {cpu_s} s of one core, the longest hunt "
        f"{longest} s{small}"
    )


def found_told(came: Outcome) -> str:
    """Whether every mutant was found, in a sentence."""
    every = len({cell.mutant.name for cell in came.cells})
    if not came.missed:
        return f"every mutant was found: {every} of {every}, in {came.runs:,} runs"
    return (
        f"{len(came.missed)} of {every} mutants missed in {came.runs:,} runs: "
        f"{', '.join(came.missed)}"
    )


def unbroken_told(came: Outcome) -> str:
    """What the unbroken system came to, in a sentence."""
    spent = came.unbroken
    if not spent.runs:
        return "the unbroken system was not run: nothing is known about false alarms"
    factor = f", {spent.runs / came.runs:.1f} times those of the hunts" if came.runs else ""
    counted = [
        (len(spent.alarms), "invalid"),
        (len(spent.troubled), "in trouble"),
        (len(spent.unknown), "unknown"),
        (spent.idle, "too idle to judge"),
    ]
    others = "".join(f", {count:,} {what}" for count, what in counted if count)
    word = "not VALID" if spent.alarms else "VALID" if spent.valid else "not judged"
    return (
        f"the unbroken system is {word}: {spent.valid:,} of {spent.runs:,} runs valid{others}"
        f"{factor}"
    )


def _alarms(spent: Spent) -> Sequence[str]:
    told = [
        f"alarm: seed {found.seed}, workload {found.case.trial.workload}: {found.summary}"
        for found in spent.alarms[:TOLD_MAX]
    ]
    told += [f"trouble: {clip(sentence, LINE_MAX)}" for sentence in spent.troubled[:TOLD_MAX]]
    return told + [f"unknown: {clip(sentence, LINE_MAX)}" for sentence in spent.unknown[:TOLD_MAX]]


# --- for programs ---


def as_json(came: Outcome) -> str:
    """Every hunt, and who said what."""
    told = {
        "mutants": [_cell_json(cell) for cell in came.cells],
        "missed": came.missed,
        "runs": came.runs,
        "unbroken": {
            "runs": came.unbroken.runs,
            "valid": came.unbroken.valid,
            "idle": came.unbroken.idle,
            "unknown": came.unbroken.unknown,
            "troubled": came.unbroken.troubled,
            "invalid": [
                {"seed": found.seed, "case": found.case, "summary": found.summary}
                for found in came.unbroken.alarms
            ],
            "cpu_s": round(came.unbroken.cpu_s, 3),
        },
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()


def _cell_json(cell: Cell) -> dict[str, Any]:
    mutant = cell.mutant
    return {
        "system": mutant.system,
        "mutant": mutant.name,
        "law": mutant.law,
        "area": mutant.area,
        "kind": mutant.kind,
        "scheduler": cell.scheduler,
        "hunts": [
            {
                "first": hunted.hunt.first,
                "found": hunted.found is not None,
                "runs": hunted.runs,
                "cpu_s": round(hunted.cpu_s, 3),
                "seen_by": () if hunted.found is None else hunted.found.fingerprint.seen_by,
                "seed": None if hunted.found is None else hunted.found.seed,
                "trouble": hunted.trouble,
                "stray": hunted.stray,
            }
            for hunted in cell.hunts
        ],
        "said": cell.said,
        "shrunk": cell.shrunk,
    }


# --- as a page ---


def page(came: Outcome, rerun: str, facts: Mapping[str, str]) -> drawing.Page:
    """What the page shows."""
    cells: dict[tuple[str, str], list[Cell]] = {}
    for cell in came.cells:
        cells.setdefault((cell.mutant.system, cell.mutant.name), []).append(cell)
    rows = [_row(of_mutant) for of_mutant in cells.values()]
    said = {name for row in rows for name in (*row.said, *row.named)}
    laws = [law.name for law in LAWS if law.name in said]
    kinds = {0: "valid", 1: "invalid"}
    word = "MISSED" if came.missed else "FALSE ALARM" if came.unbroken.alarms else "FOUND"
    return drawing.Page(
        kind=kinds.get(came.exit_code, "unknown"),
        word=word,
        rerun=rerun,
        sentences=(_capital(found_told(came)), _capital(unbroken_told(came))),
        facts=facts,
        rows=rows,
        checkers=[*laws, *sorted(said - set(laws))],
        total_headings=TOTAL_HEADINGS,
        totals=[_totals(came, scheduler) for scheduler in came.schedulers],
    )


def _row(cells: Sequence[Cell]) -> drawing.Row:
    said: dict[str, int] = {}
    for cell in cells:
        for name, times in cell.said.items():
            said[name] = said.get(name, 0) + times
    mutant = cells[0].mutant
    return drawing.Row(
        name=mutant.name,
        area=mutant.area,
        kind=mutant.kind,
        law=mutant.law,
        story=mutant.story,
        told=[_told(cell) for cell in cells],
        said=said,
        named=mutant.caught_by,
        caught=sum(len(cell.caught) for cell in cells),
    )


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:] + "."
