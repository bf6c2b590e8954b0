"""How long each scheduler takes to find each mutant: seconds of one core, and runs.

    python -m benchmarks.schedulers [--quick] [--seeds 10] [--cap SECONDS] [--jobs N]
                                    [--only NAME ...] [--scheduler NAME ...] [--json FILE]

A hunt runs one mutant by one scheduler from one first seed until a run is INVALID or the cap is
spent; medians are over the first seeds, and a hunt in vain counts as more than the cap. --quick
takes 3 seeds and a cap of 10 s. The claims are: every safety mutant found, in the median hunt in
under 2 s and in none over 60 s; guided at least twice as fast as uniform in the median over the ten
mutants that are hardest for uniform. Processor time of the hunting process, so
that a busy machine does not count; mutants of liveness are told apart.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec

from harness import catalogue, matrix
from harness.catalogue import Entry
from harness.commands.simulate import default_jobs
from harness.jobs import each
from harness.matrix import Hunt, Hunted
from harness.search.schedulers import SCHEDULERS
from harness.trial import nearest

SEEDS, QUICK_SEEDS = 10, 3
CAP_S, QUICK_CAP_S = 60.0, 10.0
CLAIM_MEDIAN_S, CLAIM_WORST_S, CLAIM_RATIO, HARDEST = 2.0, 60.0, 2.0, 10


class Cell(NamedTuple):
    """One mutant by one scheduler: seconds and runs of each hunt, inf where it was in vain."""

    seconds: Sequence[float]
    runs: Sequence[float]

    @property
    def median_s(self) -> float:
        return median(self.seconds)

    @property
    def found(self) -> int:
        return sum(math.isfinite(s) for s in self.seconds)


Table = Mapping[tuple[str, str], Cell]  # by mutant and scheduler


def main() -> None:
    given = _given()
    entries = [m for m in catalogue.entries() if not given.only or m.name in given.only]
    for name in given.only:
        if name not in {m.name for m in entries}:
            sys.exit(f"no mutant {name!r}. {nearest(name, [m.name for m in catalogue.entries()])}")
    hunts = [
        Hunt(mutant=m, scheduler=s, first=(1 + n) * matrix.SEEDS_APART, cpu_s=given.cap)
        for m in entries
        for s in given.scheduler
        for n in range(given.seeds)
    ]
    table: dict[tuple[str, str], Cell] = {}
    came: list[Hunted] = []
    _head(given.scheduler)
    for hunted in each(hunts, matrix.hunt, matrix.lost_hunt, given.jobs):
        came.append(hunted)
        if len(came) == given.seeds:
            one = came[0].hunt
            table[one.mutant.name, one.scheduler] = cell(came)
            came = []
            if one.scheduler == given.scheduler[-1]:
                _row(one.mutant, given.scheduler, table)
    if given.json is not None:
        given.json.write_bytes(msgspec.json.encode({" ".join(k): c for k, c in table.items()}))
    kept = claims([m for m in entries if m.kind == "safety"], given.scheduler, table, given.cap)
    sys.exit(not kept)


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 seeds, 10 s at most each")
    parser.add_argument("--seeds", type=int, help=f"first seeds for each mutant [{SEEDS}]")
    parser.add_argument("--cap", type=float, metavar="SECONDS", help=f"of one hunt [{CAP_S:g}]")
    parser.add_argument("--jobs", type=int, default=default_jobs(), help="processes [all cores]")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these mutants")
    known = list(SCHEDULERS)
    parser.add_argument("--scheduler", nargs="+", default=known, choices=known, help="these [all]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every hunt there")
    given = parser.parse_args()
    given.seeds = given.seeds or (QUICK_SEEDS if given.quick else SEEDS)
    given.cap = given.cap or (QUICK_CAP_S if given.quick else CAP_S)
    return given


def cell(came: Sequence[Hunted]) -> Cell:
    return Cell(
        [math.inf if h.found is None else h.cpu_s for h in came],
        [math.inf if h.found is None else h.runs for h in came],
    )


def claims(safety: Sequence[Entry], schedulers: Sequence[str], table: Table, cap_s: float) -> bool:
    """Tell what holds, for each scheduler; True where guided (else the last one) keeps all."""
    print()
    kept = True
    for scheduler in schedulers:
        cells = [table[m.name, scheduler] for m in safety]
        slow = [m.name for m in safety if table[m.name, scheduler].median_s > CLAIM_MEDIAN_S]
        worst_s = max(max(cell.seconds) for cell in cells)
        missed = [m.name for m in safety if table[m.name, scheduler].found == 0]
        kept = not slow and worst_s <= CLAIM_WORST_S
        print(
            f"{scheduler:8} median over mutants {median(c.median_s for c in cells):.2f} s, worst "
            f"hunt {worst_s:.1f} s; median over {CLAIM_MEDIAN_S:g} s: {', '.join(slow) or 'none'}; "
            f"never found: {', '.join(missed) or 'none'}"
        )
    if {"uniform", "guided"} <= set(schedulers):
        kept = _ratio(safety, table, cap_s) >= CLAIM_RATIO and kept
    return kept


def _ratio(safety: Sequence[Entry], table: Table, cap_s: float) -> float:
    """How many times faster guided is than uniform, in the median over the hardest. A hunt in vain
    counts as the cap: for those of uniform the ratio is a lower bound."""

    def seconds(name: str, scheduler: str) -> float:
        return median(min(s, cap_s) for s in table[name, scheduler].seconds)

    hardest = sorted(
        safety, key=lambda m: (-seconds(m.name, "uniform"), -seconds(m.name, "guided"))
    )
    ratios = [seconds(m.name, "uniform") / seconds(m.name, "guided") for m in hardest[:HARDEST]]
    print(f"\nthe {len(ratios)} hardest for uniform:")
    for mutant, ratio in zip(hardest, ratios, strict=False):
        print(f"  {mutant.name:28} guided is {ratio:.1f} times as fast")
    print(f"  {'in the median':28} {median(ratios):.1f} times")
    return median(ratios)


def _head(schedulers: Sequence[str]) -> None:
    print(f"{'mutant':<26}" + "".join(f"{s:>26}" for s in schedulers))
    print(" " * 26 + f"{'found':>8}{'s':>8}{'worst':>6}{'r':>4}"[:26] * len(schedulers))


def _row(mutant: Entry, schedulers: Sequence[str], table: Table) -> None:
    cells = [table[mutant.name, s] for s in schedulers]
    told = [
        f"{c.found:>6}/{len(c.seconds)}{c.median_s:>7.2f}{max(c.seconds):>6.1f}"
        f"{median(c.runs):>4.0f}"
        for c in cells
    ]
    mark = "" if mutant.kind == "safety" else "  (liveness)"
    print(f"{mutant.name:<26}" + "".join(f"{t:>26}" for t in told) + mark, flush=True)


if __name__ == "__main__":
    main()
