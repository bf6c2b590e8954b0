"""The page of the mutants: which were found, by which scheduler, how soon, and by whom.

Rules
1. As in the report: words first, one file that needs nothing but itself, no requests.
2. The page shows what it is handed; it counts and judges nothing. The texts come from a catalogue
   that may be anybody's, so all of them are escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import jinja2
import msgspec
from markupsafe import Markup

from harness.report.words import clip

CELL_MAX = 400  # characters


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A mutant under one scheduler, as text. `missed`: every hunt was in vain, or most were."""

    scheduler: str
    found: str
    runs: str
    cpu_s: str
    shrunk: str
    missed: bool


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A mutant. `said`: in how many of its `caught` hunts a checker said INVALID. `named`: the
    checkers that its catalogue expects."""

    name: str
    area: str
    kind: str
    law: str
    story: str
    told: Sequence[Told]
    said: Mapping[str, int]
    named: Sequence[str]
    caught: int


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """`kind`: valid, invalid or unknown, which gives the `word` its colour. `rerun`: the command
    that gave it. `sentences`: what it comes to, the first is the headline. `facts`: by name.
    `checkers`: the columns of the second table. `totals`: a row for each scheduler, under
    `total_headings`."""

    kind: str
    word: str
    rerun: str
    sentences: Sequence[str]
    facts: Mapping[str, str]
    rows: Sequence[Row]
    checkers: Sequence[str]
    total_headings: Sequence[str]
    totals: Sequence[Sequence[str]]


def write_page(path: Path, page: Page) -> None:
    """Draw it. Raises OSError where it cannot be written."""
    path.write_text(render(page), encoding="utf-8")


def render(page: Page) -> str:
    environment = jinja2.Environment(
        loader=jinja2.BaseLoader(), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["clip"] = lambda text: clip(text, CELL_MAX)
    environment.globals["share"] = share
    return environment.from_string(_part("matrix.html")).render(
        page=page, css=Markup(_part("page.css") + _part("matrix.css"))
    )


def share(said: int, caught: int) -> int:
    """How dark a mark is, 1 to 4: in how many of the hunts that found the mutant."""
    return 0 if not said else 1 + min(3, 3 * said // max(caught, 1))


def _part(name: str) -> str:
    return (files("harness.report") / name).read_text(encoding="utf-8")
