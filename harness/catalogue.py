"""The catalogue of mutants: broken systems that show whether the harness finds what it should.

A plugged-in system brings its own through the entry-point group `antipaxos.mutants`; an entry is
any object with `name`, `law`, `story`, `caught_by` and `workload`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Protocol

import msgspec
from rich.console import Console
from rich.table import Table


class Mutant(Protocol):
    """A broken system: `law` is what it breaks, `story` the schedule by which that shows."""

    @property
    def name(self) -> str: ...
    @property
    def law(self) -> str: ...
    @property
    def story(self) -> str: ...
    @property
    def caught_by(self) -> Sequence[str]: ...
    @property
    def workload(self) -> str: ...


def mutants() -> dict[str, tuple[Mutant, ...]]:
    """The mutants by the name of the system that they break."""
    return {p.name: tuple(p.load()) for p in entry_points(group="antipaxos.mutants")}


def as_text() -> str:
    console = Console(width=min(Console().width, 140))
    with console.capture() as captured:
        for system, entries in mutants().items():
            console.print(_table(system, entries))
    text = "\n".join(line.rstrip() for line in captured.get().rstrip().splitlines())
    return text or "no system that is installed brings mutants"


def _table(system: str, entries: Sequence[Mutant]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0), caption_justify="left")
    for heading in ("mutant", "law it breaks", "how that shows", "caught by", "workload"):
        table.add_column(heading, overflow="fold")
    for m in entries:
        table.add_row(m.name, m.law, m.story, ", ".join(m.caught_by), m.workload)
    table.caption = f"antipaxos run --system {system} --mutant NAME"
    return table


def as_json() -> str:
    rows = [
        {
            "system": system,
            "name": m.name,
            "law": m.law,
            "story": m.story,
            "caught_by": list(m.caught_by),
            "workload": m.workload,
        }
        for system, entries in mutants().items()
        for m in entries
    ]
    return msgspec.json.format(msgspec.json.encode(rows), indent=2).decode()
