"""Making a failure on real machines small: fewer faults, a shorter run, fewer clients.

Rules
1. A candidate is repeated until a sequential test decides. It asks whether the candidate fails in
   at least half of its runs, or in at most a tenth (Wald's test of these two shares), and gives up
   undecided after RUNS_MAX runs, which rejects. Two failures at once accept, three passes at once
   reject. Of candidates that fail in a tenth of their runs 4 % are accepted, of those that fail in
   half of them 24 % are rejected, in nine tenths 0.1 %: the tests compute these exactly.
2. An accepted candidate has failed, in folders that are there: the test says how often it may be
   expected to, and never that it can.
3. What makes runs shorter goes first: the rest is tried on those. Each thing is left out once for a
   round, until a round leaves nothing out, or the time is up; the best so far is the result.

Sources: Wald 1945, "Sequential tests of statistical hypotheses".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log
from pathlib import Path

import msgspec

from harness.clock import NS_PER_S, monotonic_ns
from harness.contracts import EnvironmentTrouble
from harness.repeats import Repetition
from harness.shrink import NotFailing
from harness.trial import Trial
from nemesis.schedule import Schedule

SELDOM, OFTEN = 0.1, 0.5  # shares of failing runs
WRONGLY_ACCEPTED, WRONGLY_REJECTED = 0.1, 0.2  # what the bounds aim at; rule 1 has what they give
RUNS_MAX = 8
TIME_LIMIT_MIN_S = 1.0
BUDGET_S = 600.0

_FAILED = log(OFTEN / SELDOM)
_PASSED = log((1 - OFTEN) / (1 - SELDOM))
_ACCEPT = log((1 - WRONGLY_REJECTED) / WRONGLY_ACCEPTED)
_REJECT = log(WRONGLY_REJECTED / (1 - WRONGLY_ACCEPTED))


def decided(failed: int, passed: int) -> bool | None:
    """What the runs of a candidate say so far: True accepts it, None asks for one more."""
    weight = failed * _FAILED + passed * _PASSED
    if weight >= _ACCEPT:
        return True
    if weight <= _REJECT or failed + passed >= RUNS_MAX:
        return False
    return None


class Plan(msgspec.Struct, frozen=True):
    """What a run on real machines repeats: its trial, and the faults as they were carried out."""

    trial: Trial
    faults: Schedule

    @property
    def counts(self) -> tuple[int, int, float]:
        """Faults, clients, seconds of load."""
        return len(self.faults.faults()), self.trial.clients, self.trial.time_limit_s


CarryOut = Callable[[Plan], Repetition]


class Reduced(msgspec.Struct, frozen=True, kw_only=True):
    """`folder`: a run of `plan` that failed. `failed`, `of`: in the test that accepted it. `runs`:
    carried out in all. `ended`: nothing more could go."""

    plan: Plan
    law: str
    folder: Path
    failed: int
    of: int
    runs: int
    seconds: float
    ended: bool


class _Over(Exception):
    """The time is up, or somebody wants what there is."""


def shrink(
    plan: Plan,
    law: str,
    carry_out: CarryOut,
    budget_s: float = BUDGET_S,
    told: Callable[[Plan, bool, int, int], None] = lambda *_: None,
) -> Reduced:
    """A smaller plan that breaks the law often enough. `told` hears of each candidate: was it
    accepted, and in how many of how many runs it failed. Raises NotFailing where the plan itself
    does not pass the test, and EnvironmentTrouble where its runs cannot be carried out."""
    return _Shrinker(plan, law, carry_out, budget_s, told).run()


class _Shrinker:
    def __init__(
        self,
        plan: Plan,
        law: str,
        carry_out: CarryOut,
        budget_s: float,
        told: Callable[[Plan, bool, int, int], None],
    ) -> None:
        self._law, self._carry_out, self._told = law, carry_out, told
        self._began_ns = monotonic_ns()
        self._budget_s = budget_s
        self._runs = 0
        self._longest_s = 0.0
        self._tried: set[bytes] = set()
        self._best = plan
        self._failing: list[Repetition] = []
        self._of = 0

    def run(self) -> Reduced:
        original, ended = self._best, True
        try:
            if not self._keeps(original):
                raise NotFailing(
                    f"{self._law} was broken in too few runs of the recorded schedule to tell a "
                    "smaller one that breaks it from one that does not. See how often it fails "
                    "with: replay --times 20"
                )
            before = None
            while before != self._best:
                before = self._best
                self._shorter()
                self._fewer_faults()
                self._fewer_clients()
        except (_Over, KeyboardInterrupt):  # between two runs nobody else listens to Ctrl-C
            ended = False
        if not self._failing:
            raise NotFailing(
                f"the time was up before the recorded schedule had broken {self._law} often "
                "enough: give more with --budget"
            )
        return Reduced(
            plan=self._best,
            law=self._law,
            folder=self._failing[-1].folder,
            failed=len(self._failing),
            of=self._of,
            runs=self._runs,
            seconds=self._elapsed_s(),
            ended=ended,
        )

    def _elapsed_s(self) -> float:
        return (monotonic_ns() - self._began_ns) / NS_PER_S

    def _keeps(self, plan: Plan) -> bool:
        key = msgspec.json.encode(plan)
        if key in self._tried:
            return False
        self._tried.add(key)
        failing: list[Repetition] = []
        of = 0
        while (accepted := decided(len(failing), of - len(failing))) is None:
            run = self._once(plan)
            of += 1
            if run.breaks(self._law):
                failing.append(run)
        if accepted:
            self._best, self._failing, self._of = plan, failing, of
        self._told(plan, accepted, len(failing), of)
        return accepted

    def _once(self, plan: Plan) -> Repetition:
        began_s = self._elapsed_s()
        if began_s + self._longest_s > self._budget_s:
            raise _Over
        self._runs += 1
        try:
            run = self._carry_out(plan)
        except EnvironmentTrouble:
            if self._failing:  # the machine may have had enough: what there is, is the result
                raise _Over from None
            raise
        if run.interrupted:
            raise _Over
        self._longest_s = max(self._longest_s, self._elapsed_s() - began_s)
        return run

    def _shorter(self) -> None:
        while True:
            half_s = round(self._best.trial.time_limit_s / 2, 3)
            if half_s < TIME_LIMIT_MIN_S or not self._keeps(_until(self._best, half_s)):
                return

    def _fewer_faults(self) -> None:
        ids = [step.id for step in self._best.faults.steps if step.action == "start"]
        size = len(ids)
        while size >= 1 and ids:
            at = 0
            while at < len(ids):
                fewer = ids[:at] + ids[at + size :]
                if self._keeps(_only(self._best, fewer)):
                    ids = fewer
                else:
                    at += size
            size //= 2

    def _fewer_clients(self) -> None:
        while self._best.trial.clients > 1:
            clients = self._best.trial.clients // 2
            trial = msgspec.structs.replace(self._best.trial, clients=clients)
            if not self._keeps(msgspec.structs.replace(self._best, trial=trial)):
                return


def _until(plan: Plan, end_s: float) -> Plan:
    """The first seconds of it; what is in force then is healed."""
    steps = tuple(step for step in plan.faults.steps if step.at_s <= end_s)
    trial = msgspec.structs.replace(plan.trial, time_limit_s=end_s)
    return Plan(trial, Schedule(end_s, plan.faults.seed, steps))


def _only(plan: Plan, ids: Sequence[int]) -> Plan:
    steps = tuple(step for step in plan.faults.steps if step.id in ids)
    return Plan(plan.trial, msgspec.structs.replace(plan.faults, steps=steps))
