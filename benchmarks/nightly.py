"""Simulated runs of a night a second: in one process, on threads with two, on Dask with two.

    python -m benchmarks.nightly [--seconds 20] [--rounds 3] [--workers 2]

Each night has the same plan and the same first seeds; starting and ending are left out: what counts
are the runs between the first answer and the last. Rounds take turns (one, threads, Dask), and the
ratios are of medians, so that a machine whose load changes wrongs none of them more than the
others. A claim is that two workers of Dask carry out at least 1.6 times the runs of one process;
on fewer free cores than workers it cannot hold, and the table says how many there are.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from harness.nightly.archive import Archive
from harness.nightly.executors import Executor, Here, OnDask, cores
from harness.nightly.night import Conductor, Moment
from harness.nightly.spec import Spec, read

CLAIM = 1.6
PLAN = "workloads: [register, log]\nshrink_s: 0\n"


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args(arguments)
    makers: dict[str, Callable[[], Executor]] = {
        "one process": lambda: Here(1),
        f"{asked.workers} on threads": lambda: Here(asked.workers),
        f"{asked.workers} on Dask": lambda: OnDask("local", asked.workers),
    }
    rates: dict[str, list[float]] = {name: [] for name in makers}
    for _ in range(asked.rounds):
        for name, make in makers.items():
            rates[name].append(runs_a_second(make(), asked.seconds))
    alone = median(rates["one process"])
    print(f"{cores()} cores; runs a second, median of {asked.rounds} nights of {asked.seconds:g} s")
    for name, found in rates.items():
        each = ", ".join(f"{rate:.2f}" for rate in found)
        print(f"{name:<16} {median(found):7.2f}   {median(found) / alone:5.2f}   ({each})")
    ratio = median(rates[f"{asked.workers} on Dask"]) / alone
    print(
        f"claim: Dask at least {CLAIM:g} times one process: {'holds' if ratio >= CLAIM else 'no'}"
    )


def runs_a_second(executor: Executor, seconds: float) -> float:
    """Of one night; from the first answer on, for so long."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "night.yaml"
        file.write_text(PLAN)
        plan: Spec = read(file)
        conductor = Conductor(plan, Archive(f"{folder}/runs"), executor)
        seen: list[Moment] = []

        def shown(moment: Moment) -> None:
            # Its counts go on changing: what they are now is noted.
            if moment.ends and not moment.ending:
                seen.append(Moment(*(moment.elapsed_s, 0.0, +moment.ends, 0, 0, 0, "")))
                if moment.elapsed_s - seen[0].elapsed_s >= seconds:
                    conductor.stop("measured")

        conductor.run(shown)
        first, last = seen[0], seen[-1]
        counted = last.ends.total() - first.ends.total()
        return counted / (last.elapsed_s - first.elapsed_s)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
