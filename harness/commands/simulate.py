"""`antipaxos simulate`: a swarm of simulated runs, its failures grouped, made small and kept."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Collection, Generator, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from checkers.verdict import Kind
from harness import swarm
from harness.cases import Case
from harness.clock import NS_PER_S, monotonic_ns
from harness.commands.trial_flags import flags_of, trial_flags
from harness.console import tell
from harness.fingerprint import Fingerprint
from harness.jobs import each
from harness.keeping import keep
from harness.run import TROUBLE, shown
from harness.search.schedulers import SCHEDULERS
from harness.shrink import NotFailing, Shrunk, shrink
from harness.store.folder import RunFolder
from harness.swarm import Found, Passed, Result, Troubled
from harness.trial import Trial

KEPT_MAX = 20  # groups of failures that are shrunk and kept; the rest are counted
UNKNOWN_SHOWN_MAX = 3
SEEDS_SHOWN_MAX = 5
SHRINK_S = 30.0


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """`base`: the trial; `fixed`: the settings of it that are not drawn. `scheduler`: who chooses
    the runs, by name. `first`, `runs`: the seeds. `budget_s`: real time for all, None without
    limit. `jobs`: processes. `shrink_s`: real time for making each failure small, 0 not to."""

    base: Trial
    fixed: Collection[str]
    scheduler: str = "swarm"
    first: int
    runs: int
    budget_s: float | None
    jobs: int
    shrink_s: float
    store: Path


class Group(msgspec.Struct):
    """Failures of one fingerprint. `folder` and `shrunk` are of the first, once it is kept."""

    fingerprint: Fingerprint
    found: list[Found]
    shrunk: Shrunk | None = None
    trouble: str = ""
    folder: RunFolder | None = None


class Swarmed(msgspec.Struct):
    """All that came out."""

    passed: int = 0
    idle: int = 0  # too little was exercised in them to call them valid
    unknown: list[Passed] = []
    troubled: list[Troubled] = []
    groups: dict[str, Group] = {}
    operations: int = 0
    deliveries: int = 0
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def runs(self) -> int:
        failed = sum(len(group.found) for group in self.groups.values())
        return self.passed + self.idle + len(self.unknown) + len(self.troubled) + failed

    @property
    def exit_code(self) -> int:
        """Any invalid wins, then trouble, then unknown. Runs that exercised too little say nothing,
        as long as there are others."""
        if self.groups:
            return Kind.INVALID.exit_code
        if self.troubled:
            return TROUBLE
        if self.unknown or not self.passed:
            return Kind.UNKNOWN.exit_code
        return Kind.VALID.exit_code


class _Work:
    """What a process does with a campaign, a range of seeds; made once and sent to each."""

    def __init__(self, asked: Asked) -> None:
        self._base, self._fixed = asked.base, tuple(asked.fixed)
        self._scheduler = asked.scheduler

    def results(self, seeds: range) -> Iterator[Result]:
        runs = SCHEDULERS[self._scheduler].runs
        return islice(runs(self._base, self._fixed, seeds.start), len(seeds))

    def __call__(self, seeds: range) -> list[Result]:
        return list(self.results(seeds))

    def lost(self, seeds: range, code: int | None) -> list[Result]:
        """One run of them ended the process; which one, only it knew."""
        case = swarm.draw(self._base, self._fixed, seeds.start)
        runs = f" (or of one up to seed {seeds[-1]})" if len(seeds) > 1 else ""
        return [
            Troubled(seeds.start, case, f"the process of this run{runs} ended with code {code}")
        ]


def simulate(asked: Asked) -> Swarmed:
    """Carry out the swarm, then shrink and keep the first of each group."""
    came = Swarmed()
    began_ns = monotonic_ns()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("simulating", total=asked.runs)
        with contextlib.closing(_results(asked)) as results, _until_interrupted(came):
            for result in results:
                _take(came, result)
                came.seconds = (monotonic_ns() - began_ns) / NS_PER_S
                progress.update(bar, advance=1, description=_so_far(came))
                if asked.budget_s is not None and came.seconds >= asked.budget_s:
                    break
        with _until_interrupted(came):
            for group in list(came.groups.values())[:KEPT_MAX]:
                progress.update(bar, description=f"making {group.fingerprint.name} small")
                _keep(group, asked)
    return came


@contextlib.contextmanager
def _until_interrupted(came: Swarmed) -> Iterator[None]:
    """Ctrl-C ends what goes on; what was found until then is told, and kept as it was found."""
    try:
        yield
    except KeyboardInterrupt:
        came.interrupted = True


def _results(asked: Asked) -> Generator[Result, None, None]:
    work, size = _Work(asked), SCHEDULERS[asked.scheduler].campaign
    end = asked.first + asked.runs
    campaigns = [range(at, min(at + size, end)) for at in range(asked.first, end, size)]
    if asked.jobs == 1:
        for campaign in campaigns:
            yield from work.results(campaign)
    else:
        for results in each(campaigns, work, work.lost, asked.jobs):
            yield from results


def _take(came: Swarmed, result: Result) -> None:
    if isinstance(result, Troubled):
        came.troubled.append(result)
        return
    came.operations += result.operations
    came.deliveries += result.deliveries
    if isinstance(result, Found):
        known = result.fingerprint.name
        group = came.groups.setdefault(known, Group(result.fingerprint, []))
        group.found.append(result)
    elif result.cause == "coverage":
        came.idle += 1
    elif result.kind is Kind.UNKNOWN:
        came.unknown.append(result)
    else:
        came.passed += 1


def _so_far(came: Swarmed) -> str:
    rate = came.runs / came.seconds if came.seconds else 0.0
    failures = f"{len(came.groups)} kinds of failure" if came.groups else "no failure"
    return f"{came.runs} runs, {rate:.0f}/s, {failures}"


def _keep(group: Group, asked: Asked) -> None:
    case: Case = group.found[0].case
    if asked.shrink_s > 0:
        try:
            group.shrunk = shrink(case, group.fingerprint.law, time_limit_s=asked.shrink_s)
            case = group.shrunk.case
        except NotFailing as wrong:
            group.trouble = (
                f"it could not be repeated: {wrong}. A machine whose runs differ reads a clock, "
                "draws from elsewhere, or depends on the order of a set"
            )
    group.folder, _ = keep(case, asked.store)


def lines(came: Swarmed) -> Sequence[str]:
    """The outcome for a terminal."""
    rate = came.runs / came.seconds if came.seconds else 0.0
    told = [
        f"{came.runs} runs in {came.seconds:.1f} s ({rate:.1f}/s), {came.operations} operations, "
        f"{came.deliveries} messages delivered",
        f"valid {came.passed}, idle {came.idle}, unknown {len(came.unknown)}, invalid "
        f"{sum(len(g.found) for g in came.groups.values())}, troubled {len(came.troubled)}",
    ]
    if came.interrupted:
        told.append("interrupted: this is what there was until then")
    told += [f"  unknown: seed {p.seed}: {p.why}" for p in came.unknown[:UNKNOWN_SHOWN_MAX]]
    told += [f"  trouble: seed {t.seed}: {t.trouble}" for t in came.troubled[:UNKNOWN_SHOWN_MAX]]
    for group in sorted(came.groups.values(), key=lambda g: -len(g.found)):
        told += _told(group)
    return told


def _told(group: Group) -> list[str]:
    """A group of failures: what, how often, how small, and how to see it again."""
    name, first = group.fingerprint.name, group.found[0]
    seeds = ", ".join(str(found.seed) for found in group.found[:SEEDS_SHOWN_MAX])
    more = ", ..." if len(group.found) > SEEDS_SHOWN_MAX else ""
    told = [
        "",
        f"{name}  in {len(group.found)} runs, seeds {seeds}{more}",
        f"  {first.fingerprint.sentence}",
    ]
    if group.shrunk is not None:
        told.append(
            f"  made small: {group.shrunk.before} choices to {group.shrunk.after}, "
            f"{group.shrunk.runs} runs, {group.shrunk.seconds:.1f} s"
        )
    if group.trouble:
        told.append(f"  {group.trouble}")
    if group.folder is not None:
        told.append("  " + shlex.join(["antipaxos", "replay", shown(group.folder.path), "--trace"]))
    return told


def as_json(came: Swarmed) -> bytes:
    """The outcome for programs."""
    groups = [
        {
            "fingerprint": group.fingerprint.name,
            "law": group.fingerprint.law,
            "shape": group.fingerprint.shape,
            "seen_by": group.fingerprint.seen_by,
            "seeds": [found.seed for found in group.found],
            "summary": group.found[0].summary,
            "choices": None if group.shrunk is None else group.shrunk.before,
            "choices_shrunk": None if group.shrunk is None else group.shrunk.after,
            "folder": None if group.folder is None else str(group.folder.path),
        }
        for group in came.groups.values()
    ]
    told = {
        "runs": came.runs,
        "seconds": round(came.seconds, 3),
        "valid": came.passed,
        "idle": came.idle,
        "unknown": len(came.unknown),
        "troubled": len(came.troubled),
        "operations": came.operations,
        "deliveries": came.deliveries,
        "failures": groups,
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=2)


def default_jobs() -> int:
    """All cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def report(came: Swarmed, as_json_: bool) -> None:
    """Tell the outcome."""
    if as_json_:
        tell([as_json(came).decode()])
        return
    tell(lines(came))


@click.command(name="simulate")
@click.argument("trial", type=click.Path(path_type=Path), required=False)
@trial_flags
@click.option("--seeds", "runs", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option("--first", type=click.IntRange(min=0), default=1, help="The first seed. [1]")
@click.option(
    "--scheduler",
    type=click.Choice(list(SCHEDULERS)),
    default="swarm",
    show_default=True,
    help="Who chooses the runs.",
)
@click.option("--budget", "budget_s", type=float, metavar="SECONDS", help="Of real time. [none]")
@click.option("--jobs", type=click.IntRange(min=1), help="Processor cores to use. [all]")
@click.option(
    "--shrink",
    "shrink_s",
    type=float,
    metavar="SECONDS",
    default=SHRINK_S,
    help=f"For each failure. [{SHRINK_S:g}]",
)
@click.option("--json", "as_json_", is_flag=True, help="Print the outcome as JSON.")
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    default=Path("antipaxos-runs"),
    help="The folder of runs.",
)
def command(trial: Path | None, *, as_json_: bool, **given: Any) -> None:
    """Many simulated runs, each with nodes, faults and links drawn from its seed.

    \b
    antipaxos simulate --seeds 1000
    antipaxos simulate --system mine.yaml --workload register --budget 600
    antipaxos simulate --mutant half-quorum --seeds 20 --scheduler guided

    What a flag or TRIAL says is not drawn. Schedulers: uniform (one profile for all runs), swarm
    (a profile for each), depth (bounds the depth of the bug), guided (steered by what runs reach).
    Failures are grouped by the law that they break and how that shows; the first of each is made
    small and kept, with the command that repeats it.
    """
    own = ("runs", "scheduler", "first", "budget_s", "jobs", "shrink_s", "store")
    flags = flags_of({name: value for name, value in given.items() if name not in own})
    if flags.get("cluster", "simulated") != "simulated":
        raise click.UsageError("simulate runs on the simulated cluster: leave --cluster out")
    for name in ("seed", "live_check"):
        if name in flags:
            raise click.UsageError(f"simulate has no --{name.replace('_', '-')}: give --first")
    base, fixed = swarm.base_of(trial, flags)
    asked = Asked(
        base=base,
        fixed=fixed,
        scheduler=given["scheduler"],
        first=given["first"],
        runs=given["runs"],
        budget_s=given["budget_s"],
        jobs=given["jobs"] or default_jobs(),
        shrink_s=given["shrink_s"],
        store=given["store"],
    )
    came = simulate(asked)
    report(came, as_json_)
    sys.exit(came.exit_code)
