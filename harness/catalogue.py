"""The catalogue of mutants: broken systems that show whether the harness finds what it should.

A plugged-in system brings its own through the entry-point group `antipaxos.mutants`, under its own
name; docs/mutants.md says how.

    python -m harness.catalogue docs/mutants.md        bring the tables of the page up to date
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

import msgspec
from rich.console import Console
from rich.table import Table

GROUP = "antipaxos.mutants"
WIDTH = 140
BEGIN, END = "<!-- catalogue -->\n", "<!-- end of the catalogue -->\n"


class Mutant(Protocol):
    """A broken system, as its catalogue has it: what Entry says of these, and it may have the
    other fields of Entry, too."""

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


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A mutant of the catalogues. `system`: whose it is. `law`: what it breaks. `story`: a schedule
    by which that shows. `caught_by`: the checkers and laws that should say so, the surest first.
    `workload`: where it shows best. `kind`: safety or liveness, what it endangers. `area`: the part
    of the protocol that is wrong, empty if its catalogue does not say. `options`: those of the
    system without which it hardly shows."""

    system: str
    name: str
    law: str
    story: str
    caught_by: tuple[str, ...]
    workload: str
    kind: str = "safety"
    area: str = ""
    options: dict[str, str] = {}

    def settings(self, *, broken: bool = True) -> dict[str, Any]:
        """Of its trials; with `broken` False of the same trials of the unbroken system."""
        mutant = {"mutant": self.name} if broken else {}
        options = {**self.options, **mutant}
        return {"system": self.system, "workload": self.workload, "options": options}


def entries() -> list[Entry]:
    """The mutants of all systems that are installed, in the order of their catalogues."""
    catalogues: dict[str, Sequence[Mutant]] = {
        point.name: point.load() for point in entry_points(group=GROUP)
    }
    optional = ("kind", "area", "options")
    return [
        Entry(
            system=system,
            name=mutant.name,
            law=mutant.law,
            story=mutant.story,
            caught_by=tuple(mutant.caught_by),
            workload=mutant.workload,
            **{field: getattr(mutant, field) for field in optional if hasattr(mutant, field)},
        )
        for system, of_system in catalogues.items()
        for mutant in of_system
    ]


def as_text(told: Sequence[Entry]) -> str:
    """A table for each system."""
    # Whoever reads a file or a pipe can scroll.
    console = Console(width=min(Console().width, WIDTH) if sys.stdout.isatty() else WIDTH)
    with console.capture() as captured:
        for system in dict.fromkeys(entry.system for entry in told):
            console.print(_table(system, [entry for entry in told if entry.system == system]))
    return "\n".join(line.rstrip() for line in captured.get().rstrip().splitlines())


def _table(system: str, told: Sequence[Entry]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0), caption_justify="left")
    for heading in ("mutant", "area, kind", "law it breaks", "how that shows", "caught by"):
        table.add_column(heading, overflow="fold")
    for entry in told:
        where = f"{entry.area}, {entry.kind}" if entry.area else entry.kind
        by = f"{', '.join(entry.caught_by)}; workload {entry.workload}"
        table.add_row(entry.name, where, entry.law, entry.story, by)
    table.caption = f"antipaxos run --system {system} --mutant NAME"
    return table


def as_json(told: Sequence[Entry]) -> str:
    """For programs: the fields of Entry."""
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()


# --- as a page ---


def as_markdown(told: Sequence[Entry]) -> str:
    """A table for each area, in the order in which the areas first come."""
    parts = []
    for area in dict.fromkeys(entry.area for entry in told):
        of_area = [entry for entry in told if entry.area == area]
        rows = "".join(f"{_row(entry)}\n" for entry in of_area)
        parts.append(
            f"### {area.capitalize()}\n\n"
            f"| mutant | what it breaks, and how that shows | seen by |\n|---|---|---|\n{rows}"
        )
    return "\n".join(parts)


def _row(entry: Entry) -> str:
    by = ", ".join(entry.caught_by)
    kind = "" if entry.kind == "safety" else f" ({entry.kind})"
    options = "".join(f", `{name}={value}`" for name, value in entry.options.items())
    where = f"{entry.workload}{options}"
    text = f"**{entry.law}** {entry.story}".replace("|", "\\|")
    return f"| `{entry.name}`{kind} | {text} | {by}; {where} |"


def rewritten(page: str, told: Sequence[Entry]) -> str:
    """The page with its tables as they should be. Raises ValueError where it has no place for
    them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no lines {BEGIN.strip()} and {END.strip()}")
    return f"{before}{BEGIN}\n{as_markdown(told)}\n{END}{after}"


def _rewrite(path: Path) -> None:
    path.write_text(rewritten(path.read_text(encoding="utf-8"), entries()), encoding="utf-8")


if __name__ == "__main__":
    _rewrite(Path(sys.argv[1]))
