"""Many default runs in a row: are all of them VALID, and do they leave nothing behind?

    python -m benchmarks.soak [--runs 20] [--time-limit 30] [--only SEED ...] [--keep FOLDER]

Leftovers are processes, the ports on which they listen, and files outside the run folder.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from benchmarks import command

CLAIM_S = 8.0  # for everything that is not load


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=20, help="seeds 1 to RUNS [20]")
    parser.add_argument("--time-limit", type=float, default=30.0, metavar="SECONDS")
    parser.add_argument("--only", type=int, nargs="+", metavar="SEED", help="these seeds alone")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the run folders there")
    given = parser.parse_args()
    seeds = given.only or range(1, given.runs + 1)
    print(f"{'seed':>5} {'verdict':<10} {'operations':>10} {'wall s':>7} {'not load s':>10}  left")
    with command.place(given.keep) as place:
        runs = [soak(place, seed, given.time_limit) for seed in seeds]
    outcomes = Counter(run.outcome for run in runs)
    rest_s = [run.took_s - given.time_limit for run in runs]
    print(
        f"\n{len(runs)} runs: {', '.join(f'{n} {name}' for name, n in outcomes.most_common())}; "
        f"{sum(len(run.leftovers) for run in runs)} leftovers; not load: at most "
        f"{max(rest_s):.1f} s of {CLAIM_S:g} s claimed ({max(rest_s) / CLAIM_S:.2f}x)"
    )
    sys.exit(set(outcomes) != {"VALID"} or any(run.leftovers for run in runs))


def soak(place: Path, seed: int, time_limit_s: float) -> command.Ran:
    ran = command.run(place, ["--seed", str(seed)], time_limit_s)
    print(
        f"{seed:>5} {ran.outcome:<10} {ran.operations():>10,} {ran.took_s:>7.1f} "
        f"{ran.took_s - time_limit_s:>10.1f}  {'; '.join(ran.leftovers) or 'nothing'}",
        flush=True,
    )
    if ran.code != 0:
        print("      " + "\n      ".join(ran.said.splitlines()))
    return ran


if __name__ == "__main__":
    main()
