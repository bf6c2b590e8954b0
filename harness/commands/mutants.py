"""`antipaxos mutants`: bugs put in on purpose, hunted, and how soon each is found."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from harness import catalogue, matrix
from harness.catalogue import Entry
from harness.commands import mutants_told as told
from harness.commands.simulate import default_jobs
from harness.console import tell
from harness.jobs import each
from harness.matrix import Cell, Hunt, Hunted, Small, Spent
from harness.report.matrix import write_page
from harness.search.schedulers import SCHEDULERS
from harness.trial import nearest

BUDGET_S = 60.0
SHRINK_S = 30.0
REPEATS = 3
S = TypeVar("S")
T = TypeVar("T")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """`budget_s`: of one processor for one hunt; `runs`: likewise, None without limit. `shrink_s`:
    real time for one failure, 0 not to. `reference_runs`: None for ten times those of the hunts."""

    mutants: Sequence[Entry]
    schedulers: Sequence[str]
    first: int
    repeats: int
    budget_s: float
    runs: int | None
    shrink_s: float
    reference_runs: int | None
    jobs: int

    @property
    def facts(self) -> Mapping[str, str]:
        """What was asked for and where, by name."""
        most = "" if self.runs is None else f", {self.runs:,} runs"
        return {
            "hunts for each mutant and scheduler": str(self.repeats),
            "first seeds": f"{self.first}, and then {matrix.SEEDS_APART:,} apart",
            "at most for a hunt": f"{self.budget_s:g} s of one core{most}",
            "at most for making one small": f"{self.shrink_s:g} s",
            "Antipaxos": version("antipaxos"),
            "Python": f"{platform.python_implementation()} {platform.python_version()}",
            "machine": f"{platform.system()} {platform.machine()}",
        }


def measure(asked: Asked, progress: Progress) -> told.Outcome:
    """Hunt every mutant with every scheduler, then run the unbroken system."""
    hunted = list(
        _tracked(progress, "hunting", _hunts(asked), matrix.hunt, matrix.lost_hunt, asked)
    )
    cells = [
        Cell(hunts=tuple(hunted[at : at + asked.repeats]))
        for at in range(0, len(hunted), asked.repeats)
    ]
    if asked.shrink_s > 0:
        cells = _made_small(cells, asked, progress)
    runs = asked.reference_runs
    if runs is None:
        runs = matrix.REFERENCE_FACTOR * sum(one.runs for one in hunted)
    spells = matrix.spells(asked.mutants, asked.schedulers, runs, asked.first)
    unbroken = Spent()
    for spent in _tracked(progress, "unbroken", spells, matrix.spend, matrix.lost_spell, asked):
        unbroken = unbroken.plus(spent)
    return told.Outcome(cells=cells, unbroken=unbroken, schedulers=asked.schedulers)


def _hunts(asked: Asked) -> list[Hunt]:
    return [
        Hunt(
            mutant=mutant,
            scheduler=scheduler,
            first=asked.first + repeat * matrix.SEEDS_APART,
            runs=asked.runs,
            cpu_s=asked.budget_s,
        )
        for mutant in asked.mutants
        for scheduler in asked.schedulers
        for repeat in range(asked.repeats)
    ]


def _made_small(cells: Sequence[Cell], asked: Asked, progress: Progress) -> list[Cell]:
    wanted = [matrix.shrink_of(cell, asked.shrink_s) for cell in cells]
    shrinks = [one for one in wanted if one is not None]
    came = _tracked(progress, "making small", shrinks, matrix.make_small, _lost_shrink, asked)
    return [
        cell if one is None else msgspec.structs.replace(cell, shrunk=next(came))
        for cell, one in zip(cells, wanted, strict=True)
    ]


def _lost_shrink(_: Any, __: int | None) -> Small | None:
    return None


def _tracked(
    progress: Progress,
    what: str,
    items: Sequence[S],
    work: Callable[[S], T],
    lost: Callable[[S, int | None], T],
    asked: Asked,
) -> Iterator[T]:
    """The answers in the order of the items, with a bar."""
    bar = progress.add_task(what, total=len(items))
    missed = 0
    for answer in map(work, items) if asked.jobs == 1 else each(items, work, lost, asked.jobs):
        if isinstance(answer, Hunted) and answer.found is None:
            missed += 1
        words = f"{what}, {missed} in vain" if missed else what
        progress.update(bar, advance=1, description=words)
        yield answer


# --- what is asked for ---


def chosen(
    names: Sequence[str], systems: Sequence[str], areas: Sequence[str], kinds: Sequence[str]
) -> list[Entry]:
    """The mutants that these name, in the order of their catalogues; all of them without. Raises
    UsageError for a name that does not exist, with the nearest that do."""
    found = catalogue.entries()
    sought: tuple[tuple[str, Sequence[str], Callable[[Entry], str]], ...] = (
        ("system", systems, lambda mutant: mutant.system),
        ("mutant", names, lambda mutant: mutant.name),
        ("area", areas, lambda mutant: mutant.area),
        ("kind", kinds, lambda mutant: mutant.kind),
    )
    for what, wanted, of in sought:
        known = {of(mutant) for mutant in found}
        for name in wanted:
            if name not in known:
                raise click.UsageError(f"no {what} {name!r}. {nearest(name, known)}")
        found = [mutant for mutant in found if not wanted or of(mutant) in wanted]
    if not found:
        raise click.UsageError(
            "no system that is installed brings mutants: see docs/mutants.md for how one does"
        )
    return found


def _known_schedulers(names: Sequence[str]) -> Sequence[str]:
    for name in names:
        if name not in SCHEDULERS:
            raise click.UsageError(f"no scheduler {name!r}. {nearest(name, SCHEDULERS)}")
    return tuple(dict.fromkeys(names)) or tuple(SCHEDULERS)


@click.command(name="mutants")
@click.argument("names", metavar="[MUTANT]...", nargs=-1)
@click.option("--mutant", "more_names", multiple=True, metavar="NAME", help="The same as MUTANT.")
@click.option("--system", "systems", multiple=True, help="Whose mutants. [all installed]")
@click.option("--area", "areas", multiple=True, help="Of the protocol, as --list tells.")
@click.option("--kind", "kinds", multiple=True, help="safety or liveness.")
@click.option("--scheduler", "schedulers", multiple=True, help="Who chooses the runs. [all]")
@click.option("--repeats", type=click.IntRange(1, 1000), default=REPEATS, help="First seeds. [3]")
@click.option("--first", type=click.IntRange(min=0), default=1, help="The first of them. [1]")
@click.option(
    "--budget",
    "budget_s",
    type=click.FloatRange(min=0, min_open=True),
    default=BUDGET_S,
    metavar="SECONDS",
    help="Of one processor, for one hunt. [60]",
)
@click.option("--runs", type=click.IntRange(min=1), help="At most, for one hunt. [no limit]")
@click.option("--reference-runs", type=click.IntRange(min=0), help="[10 times those of all hunts]")
@click.option("--shrink", "shrink_s", type=float, metavar="SECONDS", default=SHRINK_S, help="[30]")
@click.option("--no-shrink", is_flag=True, help="Leave failures as they are found.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processor cores to use. [all]")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.option("--list", "listing", is_flag=True, help="Tell the catalogue, and run nothing.")
def command(
    names: tuple[str, ...],
    more_names: tuple[str, ...],
    systems: tuple[str, ...],
    areas: tuple[str, ...],
    kinds: tuple[str, ...],
    schedulers: tuple[str, ...],
    html: Path | None,
    jobs: int | None,
    shrink_s: float,
    *,
    no_shrink: bool,
    as_json: bool,
    listing: bool,
    **limits: Any,
) -> NoReturn:
    """Hunt broken systems, and say how soon each is found, by which checkers.

    \b
    antipaxos mutants --list
    antipaxos mutants half-quorum shared-ballots
    antipaxos mutants --area storage --scheduler swarm --html mutants.html

    Each mutant breaks one law. Simulated runs are made of it until one is INVALID; then the
    unbroken system goes through ten times as many of the same, and must break no law in any. Exit
    code 0 if every mutant was found and nothing else, 1 if not.
    """
    mutants = chosen((*names, *more_names), systems, areas, kinds)
    if listing:
        tell([catalogue.as_json(mutants) if as_json else catalogue.as_text(mutants)])
        sys.exit(0)
    if html is not None and not html.absolute().parent.is_dir():  # not after an hour of hunting
        raise click.UsageError(f"--html {html}: there is no folder {html.parent}")
    asked = Asked(
        mutants=mutants,
        schedulers=_known_schedulers(schedulers),
        shrink_s=0.0 if no_shrink else shrink_s,
        jobs=jobs or default_jobs(),
        **limits,
    )
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        came = measure(asked, progress)
    if html is not None:
        rerun = shlex.join(["antipaxos", *sys.argv[1:]])
        write_page(html, told.page(came, rerun, asked.facts))
    tell([told.as_json(came)] if as_json else told.lines(came))
    sys.exit(came.exit_code)
