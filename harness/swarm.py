"""A swarm: many simulated runs, each with a world and faults of its own, drawn from its seed.

Rules
1. What a run is follows from its seed and the base trial; runs know nothing of one another, so any
   number of processes gives the same findings.
2. What the user set stays as it is; everything else is drawn: how many nodes and clients, which
   faults together, how the links are, which options the system has. Leaving things out is the
   point: a run with every fault at once hides what needs a quiet moment.
3. Only what Paxos tolerates is drawn: no lies and no damage that nobody can notice. A finding is
   never the world's fault.

Sources: Groce et al. 2012, "Swarm Testing": tests that each leave out some features find more than
tests that have them all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from checkers.verdict import Kind, Verdict
from harness.cases import Case
from harness.clock import NS_PER_S, monotonic_ns
from harness.fingerprint import Fingerprint, fingerprint
from harness.settle import read_settings, settle
from harness.simulate import CANNOT_RUN, Simulated, Watcher, simulate
from harness.trial import Trial

# Packages of faults that a correct system survives, whatever is drawn with them.
PACKAGES = (
    "default",
    "partitions",
    "crashes",
    "pauses",
    "links",
    "clients",
    "flapping",
    "disks",
    "clocks",
    "holds",
    "client-crashes",
)
# Half of the runs of a swarm add this one: what no story foresaw comes of it, soon.
STORM = "storm"
# From a local network to the worst of the internet: where a message takes longer than those who
# wait for it are patient, answers to questions long past arrive.
LATENCIES = (
    {"least_us": "100", "spread_us": "400"},
    {"least_us": "200", "spread_us": "800"},
    {"least_us": "200", "spread_us": "5000"},
    {"least_us": "1000", "spread_us": "20000"},
    {"least_us": "300", "spread_us": "2000", "tail": "true"},
    {"least_us": "300", "spread_us": "15000", "tail": "true"},
)
WORST = (
    {"least_us": "300", "spread_us": "30000", "tail": "true"},
    {"least_us": "300", "spread_us": "60000", "tail": "true"},
)
# Clients give up soon, and come back while the fault still lasts; not so soon that nothing ever
# succeeds: where an operation takes half a dozen frames, each of them as slow as the worst.
PATIENCE_S, PATIENCE_WORST_S = (0.25, 1.0), 1.0
WORST_SHARE = 0.25

# How long a run is. A scene may take four seconds, a storm has begun and ended by then.
STORMY_S, SCENIC_S = (4.0, 6.0), (5.5, 6.5)
# Of a run, about: a short run that finds nothing has cost little, and there is another seed. Few
# operations leave a node alone for long enough to believe what is no longer so.
OPERATIONS = (80, 200, 400, 800)
# Of its own options each workload has few that matter: how often it only looks. One write under way
# at a leader that is cut off may hold up all that it would have read wrongly.
SHARES: Mapping[str, tuple[Mapping[str, float], ...]] = {
    "register": ({}, {"read_share": 0.2}, {"read_share": 0.85, "cas_share": 0.05}),
    "consensus": ({}, {"propose_share": 0.8}),
    "log": ({}, {"read_share": 0.85}),
}
# Few keys, so that what is stale or doubled soon meets somebody who knows better. But single
# instances have nothing to hide once they are decided: more of them, with less on each.
KEYS_SLOW: Mapping[str, tuple[int, ...]] = {"consensus": (1, 4, 20)}
KEYS_SLOW_USUAL = (1, 2, 4)
PER_KEY: Mapping[str, tuple[int, ...]] = {"consensus": (3, 5, 10)}
PER_KEY_USUAL = (5, 10, 100)
STORMY_SHARE = 0.6  # of the runs with other packages; those without any are all stormy


class Passed(msgspec.Struct, frozen=True):
    """A run that broke nothing. `kind`: VALID or UNKNOWN, `cause` and `why` then say why."""

    seed: int
    kind: Kind
    operations: int
    deliveries: int
    seconds: float
    cause: str | None = None
    why: str = ""


class Found(msgspec.Struct, frozen=True):
    """A run that broke something; its case repeats it."""

    seed: int
    case: Case
    fingerprint: Fingerprint
    summary: str
    operations: int
    deliveries: int
    seconds: float


class Troubled(msgspec.Struct, frozen=True):
    """A run that could not be carried out: nothing is said about the system."""

    seed: int
    case: Case
    trouble: str


Result = Passed | Found | Troubled


# What a run of a swarm is like where nobody says otherwise: short, for there are many.
USUAL = {"cluster": "simulated", "time_limit_s": 8.0, "rate": 30.0, "recovery_s": 0.5}


def base_of(path: Path | None, flags: Mapping[str, Any]) -> tuple[Trial, frozenset[str]]:
    """The trial that a file (if any) and flags describe, and the settings that they fix. Raises
    TrialError with every mistake."""
    usual = {name: value for name, value in USUAL.items() if name not in flags}
    named: set[str] = set(flags)
    if path is not None:
        named |= set(read_settings(path, flags))
        usual = {name: value for name, value in usual.items() if name not in named}
    return settle(path, {**usual, **flags}), frozenset(named)


def draw(base: Trial, fixed: Collection[str], seed: int) -> Case:
    """The case of a seed. `fixed`: the settings of `base` that the user chose."""
    random = Random(f"swarm {seed}")
    faults = _drawn_faults(random)
    length_s = random.choice(STORMY_S if STORM in faults else SCENIC_S)
    worst = random.random() < WORST_SHARE
    drawn: dict[str, Any] = {
        "nodes": random.choice((3, 5, 5)),
        "clients": random.choice((3, 5, 8, 15, 15)),
        "time_limit_s": length_s,
        "operation_timeout_s": PATIENCE_WORST_S if worst else random.choice(PATIENCE_S),
        "rate": round(random.choice(OPERATIONS) / length_s, 1),
        "faults": faults,
        "cluster_options": dict(random.choice(WORST if worst else LATENCIES)),
        "workload_options": {
            "keys_quick": random.choice((1, 2, 4)),
            "keys_slow": random.choice(KEYS_SLOW.get(base.workload, KEYS_SLOW_USUAL)),
            "operations_per_key": random.choice(PER_KEY.get(base.workload, PER_KEY_USUAL)),
            "final_by_all": random.choice((2, 8)),
            "final_by_one": random.choice((20, 200)),
            **random.choice(SHARES.get(base.workload, ({},))),
        },
    }
    changes = {name: value for name, value in drawn.items() if name not in fixed}
    if "cluster_options" in changes:
        changes["cluster_options"] = {**drawn["cluster_options"], **base.cluster_options}
    trial = msgspec.structs.replace(base, **changes, cluster="simulated", seed=seed)
    return Case(trial=trial)


def _drawn_faults(random: Random) -> str:
    chosen = random.sample(PACKAGES, random.choice((0, 1, 1, 2)))
    if not chosen or random.random() < STORMY_SHARE:
        chosen.append(STORM)
    return "+".join(sorted(chosen))


def run(case: Case) -> Result:
    """Carry out a case and judge it."""
    return watched(case, None)[0]


def watched(case: Case, watcher: Watcher | None) -> tuple[Result, Simulated | None]:
    """Carry out a case, with somebody watching, and judge it. The run too, if there was one."""
    seed = case.trial.seed
    assert seed is not None, "a case has its seed"
    began_ns = monotonic_ns()
    try:
        simulated = simulate(case, watcher=watcher)
        verdict = simulated.verdict()
    except CANNOT_RUN as wrong:
        return Troubled(seed, case, str(wrong)), None
    return result(simulated, verdict, (monotonic_ns() - began_ns) / NS_PER_S), simulated


def result(simulated: Simulated, verdict: Verdict, seconds: float) -> Passed | Found:
    """What a judged run comes to."""
    seed = simulated.case.trial.seed
    assert seed is not None, "a case has its seed"
    operations = len(simulated.history) // 2
    found = fingerprint(verdict)
    if found is None:
        why = verdict.summary if verdict.kind is Kind.UNKNOWN else ""
        return Passed(
            seed, verdict.kind, operations, simulated.deliveries, seconds, verdict.cause, why
        )
    return Found(
        seed,
        simulated.case,
        found,
        verdict.summary,
        operations,
        simulated.deliveries,
        seconds,
    )
