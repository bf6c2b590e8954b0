"""Every mutant of the catalogue: in which run is it caught, by which checkers, after how long?

    python -m benchmarks.mutants [--runs 3] [--time-limit 30] [--only NAME ...]
                                 [--default-trial] [--keep FOLDER]

A mutant runs under the workload that its catalogue entry names, with --default-trial under that of
the default trial. Run k has seed k; the first run that is INVALID catches the mutant.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import command
from checkers.verdict import Kind, Verdict
from harness.catalogue import Entry, entries
from harness.trial import Trial, nearest


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="at most, for each mutant [3]")
    parser.add_argument("--time-limit", type=float, default=30.0, metavar="SECONDS")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these mutants alone")
    parser.add_argument("--default-trial", action="store_true", help="whatever the catalogue says")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the run folders there")
    given = parser.parse_args()
    known = {mutant.name: mutant for mutant in entries()}
    for name in given.only or ():
        if name not in known:
            parser.error(f"no mutant {name!r}. {nearest(name, known)}")
    print(f"{'mutant':<24} {'workload':<10} {'caught':<9} {'wall s':>7}  by")
    caught = 0
    with command.place(given.keep) as place:
        for name in given.only or known:
            mutant = known[name]
            workload = Trial().workload if given.default_trial else mutant.workload
            words = ["--system", mutant.system, "--mutant", name, "--workload", workload]
            caught += hunt(place, mutant, words, given)
    wanted = len(given.only or known)
    print(f"\n{caught} of {wanted} caught within {given.runs} runs of {given.time_limit:g} s")
    sys.exit(caught != wanted)


def hunt(place: Path, mutant: Entry, words: list[str], given: argparse.Namespace) -> bool:
    took_s = 0.0
    outcomes = []
    for number in range(1, given.runs + 1):
        ran = command.run(place, [*words, "--seed", str(number)], given.time_limit)
        took_s += ran.took_s
        outcomes.append(ran.outcome)
        verdict = ran.verdict()
        if ran.code == 1 and verdict is not None:
            by = ", ".join(dict.fromkeys(finders(verdict)))
            unexpected = "" if set(finders(verdict)) & set(mutant.caught_by) else "  (unexpected)"
            _row(mutant, words, f"run {number}", took_s, by + unexpected)
            return True
        if ran.code > 2 or ran.leftovers:
            print("      " + "\n      ".join([*ran.said.splitlines(), *ran.leftovers]))
    _row(mutant, words, "no", took_s, f"not caught: {', '.join(outcomes)}")
    return False


def _row(mutant: Entry, words: list[str], caught: str, took_s: float, by: str) -> None:
    print(f"{mutant.name:<24} {words[-1]:<10} {caught:<9} {took_s:>7.1f}  {by}", flush=True)


def finders(verdict: Verdict) -> Iterator[str]:
    """The checkers, at the leaves of a verdict, that found something wrong."""
    if verdict.parts:
        for part in verdict.parts:
            yield from finders(part)
    elif verdict.kind is Kind.INVALID:
        yield verdict.checker


if __name__ == "__main__":
    main()
