"""The gallery in one table: what each protocol gives up, and what that buys it (T38-T40)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from harness.exploration.odds import Odds
from harness.exploration.protocols import GALLERY
from harness.exploration.survey import Survey, survey

WIDTH = 150


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A protocol. `agreement`: in its whole bounded space. `stages`: for how many the adversary
    kept it undecided; `won`: for all that were asked; None: there was nothing to keep open.
    `relaxed`: by relaxation, the steps until somebody decided, None for never."""

    protocol: str
    gives_up: str
    configurations: int
    agreement: bool | None
    stages: int | None
    won: bool
    odds: Odds
    relaxed: dict[str, int | None]


def rows(*, stages: int, runs: int, seed: int) -> list[Row]:
    """Survey all of the gallery."""
    surveys = (
        survey(subject, stages=stages, runs=runs, seed=seed, limit=None)
        for subject in GALLERY.values()
    )
    return [_row(found) for found in surveys]


def _row(found: Survey) -> Row:
    duel = found.duel
    return Row(
        protocol=found.protocol,
        gives_up=found.gives_up,
        configurations=found.configurations,
        agreement=found.agreement,
        stages=None if duel is None else len(duel.stages),
        won=duel is not None and duel.lost is None,
        odds=found.odds,
        relaxed={r.relaxation: len(r.events) if r.decisions else None for r in found.relaxed},
    )


def listing() -> list[str]:
    """The names, and what each gives up."""
    return [f"{name:<22}gives up {subject.gives_up}" for name, subject in GALLERY.items()]


def as_json(found: Sequence[Row]) -> list[str]:
    return [msgspec.json.format(msgspec.json.encode(found), indent=2).decode()]


def as_text(found: Sequence[Row]) -> list[str]:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0))
    for heading in (
        "protocol",
        "gives up",
        "configurations",
        "agreement",
        "adversary",
        "steps by chance\nmedian, 90 %, most",
        "relaxed: decides after steps",
    ):
        table.add_column(heading, overflow="fold")
    for row in found:
        table.add_row(*_cells(row))
    console = Console(width=WIDTH)
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().rstrip().splitlines()]


def _stages(row: Row) -> str:
    return f"{row.stages} stages" if row.won else f"stage {(row.stages or 0) + 1}"


def _cells(row: Row) -> Iterator[str]:
    yield row.protocol
    yield row.gives_up
    yield f"{row.configurations:,}"
    yield "holds" if row.agreement else "violated"
    if row.stages is None:
        yield "nothing to keep open"
    else:
        yield f"{'undecided for' if row.won else 'lost in'} {_stages(row)}"
    odds = row.odds
    differ = f"; {odds.disagreements} of {odds.runs} disagree" if odds.disagreements else ""
    yield f"{odds.median}, {odds.ninetieth}, {odds.most}{differ}"
    yield ", ".join(f"{name} {steps or 'never'}" for name, steps in row.relaxed.items()) or "-"
