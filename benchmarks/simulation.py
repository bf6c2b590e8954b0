"""How fast the simulated world is: messages and runs a second on one core, with all checks on.

    python -m benchmarks.simulation [--runs 20]

Five nodes of the reference, register workload. The claims: 100,000 messages delivered a second
(learning=all, where every acceptor tells every learner), and 20 complete runs of 200 operations a
second. Seconds are of the processor, so that other load counts less; a run's are those of carrying
it out and judging it. The ratio to the claim is the last column.
"""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import NamedTuple

from checkers.verdict import Kind
from harness.cases import Case
from harness.simulate import simulate
from harness.trial import Trial

MESSAGES_CLAIM, RUNS_CLAIM = 100_000, 20


class Took(NamedTuple):
    deliveries: int
    operations: int
    carried_out_s: float
    judged_s: float

    @property
    def all_s(self) -> float:
        return self.carried_out_s + self.judged_s


def took(trial: Trial) -> Took:
    """One run, judged; one that is not VALID ends the benchmark."""
    began = time.process_time()
    simulated = simulate(Case(trial=trial))
    carried_out = time.process_time()
    verdict = simulated.verdict()
    judged = time.process_time()
    assert verdict.kind is Kind.VALID, verdict.summary
    operations = sum(o.type == "invoke" for o in simulated.history if o.process != "nemesis")
    return Took(simulated.deliveries, operations, carried_out - began, judged - carried_out)


def trial_of(seed: int, *, rate: float, seconds: float, learning: str, faults: str) -> Trial:
    return Trial(
        cluster="simulated",
        faults=faults,
        clients=5,
        rate=rate,
        time_limit_s=seconds,
        recovery_s=0.5,
        seed=seed,
        options={"learning": learning},
    )


def row(name: str, runs: list[Took], claim: float, rate: float) -> str:
    operations = median(run.operations for run in runs)
    judged = sum(run.judged_s for run in runs) / sum(run.all_s for run in runs)
    return f"{name:34} {operations:10.0f} {judged:9.0%} {rate:12,.0f} {rate / claim:8.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    given = parser.parse_args()
    took(trial_of(0, rate=100, seconds=2, learning="all", faults="none"))  # imports, caches
    print(f"{'':34} {'operations':>10} {'judging':>9} {'a second':>12} {'of claim':>8}")
    for learning in ("all", "distinguished"):
        for faults in ("none", "default"):
            runs = [
                took(trial_of(seed, rate=100, seconds=8, learning=learning, faults=faults))
                for seed in range(1, given.runs // 2 + 1)
            ]
            rate = sum(run.deliveries for run in runs) / sum(run.all_s for run in runs)
            print(row(f"messages, learning={learning}, {faults}", runs, MESSAGES_CLAIM, rate))
    for faults in ("none", "default"):
        runs = [
            took(trial_of(seed, rate=25, seconds=8, learning="distinguished", faults=faults))
            for seed in range(1, given.runs + 1)
        ]
        rate = len(runs) / sum(run.all_s for run in runs)
        print(row(f"runs of 200 operations, {faults}", runs, RUNS_CLAIM, rate))


if __name__ == "__main__":
    main()
