"""`antipaxos scenario`: a schedule written by hand, again and again until it hits."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec

from checkers.verdict import Kind
from harness import repeats, tries
from harness.commands.trial_flags import flags_of, trial_flags
from harness.console import tell
from harness.repeats import share_told
from harness.run import shown
from harness.store.folder import ROOT
from harness.tries import Tried, Try

WHYS_SHOWN_MAX = 3
FOUND_MAX = 100  # characters of what a step came to


def lines(came: Tried, path: Path) -> list[str]:
    """The outcome for a terminal."""
    hits, misses, lost = (came.ended(e) for e in ("hit", "miss", "not reached"))
    counted = len(hits) + len(misses)
    told = [_head(came, hits)]
    told.append(
        f"tries       {len(came.tries)} in {came.seconds:.1f} s: {len(hits)} hit, {len(misses)} "
        f"missed, {len(lost)} not reached"
    )
    if counted:
        share = share_told(len(hits), counted, "try", "tries")
        told.append(f"share       {share}, of those that were reached")
    told += [f"  not reached, {n} of {len(lost)}: {why}" for why, n in _whys(lost)]
    told += [f"  not counted: {trouble}" for trouble in came.troubles]
    others = [t for t in (*misses, *lost) if t.kind is Kind.INVALID]
    told += [f"  INVALID, and not the hit asked for: try {t.number}: {t.summary}" for t in others]
    unknown = [t for t in misses if t.kind is Kind.UNKNOWN]
    if unknown:
        told.append(f"  {len(unknown)} missed by UNKNOWN: {unknown[-1].summary}")
    if came.tries:
        told += _of_try(came, hits[0] if hits else came.tries[-1], path)
    return told


def _head(came: Tried, hits: Sequence[Try]) -> str:
    where = f"{came.scenario.name} on {came.trial.cluster}"
    if hits:
        return f"HIT         {where}, try {hits[0].number}: {hits[0].summary}"
    if came.tries and not came.ended("miss"):
        return f"NOT REACHED {where}"
    return f"NO HIT      {where}"


def _whys(lost: Sequence[Try]) -> list[tuple[str, int]]:
    return Counter(each.played.why for each in lost).most_common(WHYS_SHOWN_MAX)


def _of_try(came: Tried, shown_try: Try, path: Path) -> list[str]:
    told = [f"steps       of try {shown_try.number}, seed {shown_try.seed}"]
    for step in shown_try.played.steps:
        found = step.found if len(step.found) <= FOUND_MAX else f"{step.found[:FOUND_MAX]}..."
        told.append(f"  {step.began_s:8.3f} s  {step.number} {step.step}  {found}".rstrip())
    if came.folder is not None:
        told.append(f"folder      {shown(came.folder)}")
    told.append(f"again       {again(came, shown_try, path)}")
    return told


def again(came: Tried, shown_try: Try, path: Path) -> str:
    """The command that has this try once more: by its folder, which holds all that was settled."""
    file = path if came.folder is None else came.folder / "scenario.yaml"
    seed = () if came.folder is not None else ("--seed", str(shown_try.seed))
    return shlex.join(["antipaxos", "scenario", shown(file), *seed, "--tries", "1"])


def as_json(came: Tried) -> str:
    """The outcome for programs."""
    hits, misses = len(came.ended("hit")), len(came.ended("miss"))
    low, high = repeats.wilson(hits, hits + misses)
    told = {
        "scenario": came.scenario.name,
        "cluster": came.trial.cluster,
        "asked": came.asked,
        "hits": hits,
        "misses": misses,
        "not_reached": len(came.ended("not reached")),
        "interval": [round(low, 4), round(high, 4)],
        "seconds": round(came.seconds, 3),
        "tries": came.tries,
        "troubles": came.troubles,
        "folder": came.folder,
    }
    encoded = msgspec.json.encode(told, enc_hook=str)
    return msgspec.json.format(encoded, indent=2).decode()


def _tell_try(each: Try) -> None:
    words = f"{each.kind.name} {', '.join(each.laws)}".rstrip()
    where = "" if each.folder is None else f"  {shown(each.folder)}"
    why = f": {each.played.why}" if each.ending == "not reached" else ""
    tell([f"try {each.number}: {each.ending}{why} ({words}){where}"], aside=True)


@click.command(name="scenario")
@click.argument("file", type=click.Path(path_type=Path))
@trial_flags
@click.option("--tries", "limit", type=click.IntRange(min=1), help="At most. [what FILE says]")
@click.option("--budget", "budget_s", type=float, metavar="SECONDS", help="[what FILE says]")
@click.option("--all", "all_", is_flag=True, help="Go on after a hit: how often does it?")
@click.option("--json", "as_json_", is_flag=True, help="Print the outcome as JSON.")
@click.option("--store", type=click.Path(path_type=Path), default=ROOT, help="The folder of runs.")
def command(
    file: Path,
    *,
    limit: int | None,
    budget_s: float | None,
    all_: bool,
    as_json_: bool,
    store: Path,
    **given: Any,
) -> NoReturn:
    """Play a schedule written by hand until it hits.

    \b
    antipaxos scenario stale-read.yaml
    antipaxos scenario stale-read.yaml --cluster simulated --tries 100 --all

    FILE says what is broken, awaited and asked, step by step, what counts as a hit, and of which
    trial; flags override that. docs/scenarios.md has the grammar. Exit codes: 1 hit, 0 all tries
    were reached and VALID, 2 not reached or unknown.
    """
    if budget_s is not None and not budget_s > 0:
        raise click.UsageError(f"--budget {budget_s}: give seconds above 0")
    came = tries.play(
        file,
        store,
        flags=flags_of(given),
        tries=limit,
        budget_s=budget_s,
        until_hit=not all_,
        told=_tell_try,
    )
    tell([as_json(came)] if as_json_ else lines(came, file))
    sys.exit(came.exit_code)
