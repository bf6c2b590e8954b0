"""Playing a scenario until it hits, or until its tries or its time are over.

Rules
1. Each try is a run like any other, by a seed of its own: that of the trial, then the next ones. On
   real machines the seed decides little, and tries differ by how processes and packets race.
2. A try is a hit, a miss, or was not reached: then its script did not get to its end, which says
   nothing about the system. Not reached are counted apart, and no share is taken of them.
3. An INVALID is never hidden: one that is not the hit that was asked for is told, and decides the
   exit code.
4. A simulated try that nobody will look at again leaves nothing on the disk: the first hit is kept,
   and the last try where none hit.
"""

from __future__ import annotations

import contextlib
import io
import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec

from checkers.verdict import Kind, Verdict
from harness import run as running
from harness import scenario as scenarios
from harness.cases import Case
from harness.clock import NS_PER_S, monotonic_ns
from harness.contracts import EnvironmentTrouble
from harness.fingerprint import fingerprint
from harness.keeping import keep
from harness.scenario import Scenario, outcome
from harness.scenario.outcome import Played
from harness.scenario.values import Hit
from harness.settle import scenario_of, settle
from harness.simulate import CANNOT_RUN, simulate
from harness.store.folder import ROOT, RunFolder
from harness.trial import Trial, TrialError

Ending = Literal["hit", "miss", "not reached"]


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `laws`: that were broken. `folder`: None where it was not kept."""

    number: int
    seed: int
    ending: Ending
    kind: Kind
    laws: tuple[str, ...]
    summary: str
    played: Played
    folder: Path | None = None


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """`asked`: how many tries there were to be at most. `troubles`: sentences about tries that came
    to nothing. `folder`: of the try to look at: the first hit, or else the last try."""

    scenario: Scenario
    trial: Trial
    asked: int
    tries: Sequence[Try]
    troubles: Sequence[str]
    seconds: float
    folder: Path | None

    def ended(self, ending: Ending) -> list[Try]:
        return [each for each in self.tries if each.ending == ending]

    @property
    def exit_code(self) -> int:
        """1 for a hit or an INVALID; else trouble, where no try came to an end; else 0 where all
        were reached and VALID; else 2."""
        if self.ended("hit") or any(each.kind is Kind.INVALID for each in self.tries):
            return Kind.INVALID.exit_code
        if not self.tries:
            return running.TROUBLE
        clear = all(t.ending == "miss" and t.kind is Kind.VALID for t in self.tries)
        return (Kind.VALID if clear else Kind.UNKNOWN).exit_code


Told = Callable[[Try], None]


def play(
    scenario: Scenario | Path,
    store: Path = ROOT,
    *,
    flags: Mapping[str, Any] | None = None,
    tries: int | None = None,
    budget_s: float | None = None,
    until_hit: bool = True,
    told: Told = lambda _: None,
) -> Tried:
    """Play a scenario, or the one in a file. `flags`: settings of the trial, over those that the
    scenario has. `tries`, `budget_s`: None for what it says. `until_hit`: end at the first hit.

    Raises TrialError with every mistake in the scenario, and EnvironmentTrouble where the first try
    comes to nothing.
    """
    path = scenario if isinstance(scenario, Path) else _written(scenario, store)
    trial = settle(None, {**(flags or {}), "scenario": str(path)})
    seed = secrets.randbelow(2**31) if trial.seed is None else trial.seed
    trial = msgspec.structs.replace(trial, seed=seed)
    read = scenario_of(trial)
    assert read is not None, "its path was just given"
    limit = read.repeat.tries if tries is None else tries
    limit_s = read.repeat.budget_s if budget_s is None else budget_s
    one = partial(_simulated if trial.cluster == "simulated" else _real, read, store)
    return _Tries(read, trial, one, until_hit, told).run(limit, limit_s, store)


def _written(scenario: Scenario, store: Path) -> Path:
    """A scenario that came as a value, as a file: where it is read, every mistake in it is told."""
    folder = store / "scenarios"
    path = folder / f"{scenario.name}.yaml"
    if path.parent != folder:
        raise TrialError([f"the scenario's name is {scenario.name!r}. Give one without '/'."])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(scenarios.encode(scenario))
    except OSError as wrong:
        raise EnvironmentTrouble(
            f"The scenario cannot be written: {wrong.strerror} ({wrong.filename}). Choose another "
            "place with --store."
        ) from wrong
    return path


class _Tries:
    def __init__(
        self,
        scenario: Scenario,
        trial: Trial,
        one: Callable[[Trial, int], Try],
        until_hit: bool,
        told: Told,
    ) -> None:
        self._scenario, self._trial, self._one = scenario, trial, one
        self._until_hit, self._told = until_hit, told
        self._tries: list[Try] = []
        self._troubles: list[str] = []

    def run(self, limit: int, limit_s: float, store: Path) -> Tried:
        began_ns = monotonic_ns()
        seconds = 0.0
        for number in range(1, limit + 1):
            goes_on = self._again(number)
            seconds = (monotonic_ns() - began_ns) / NS_PER_S
            if not goes_on or seconds >= limit_s:
                break
        return Tried(
            scenario=self._scenario,
            trial=self._trial,
            asked=limit,
            tries=self._tries,
            troubles=self._troubles,
            seconds=seconds,
            folder=self._kept(store),
        )

    def _again(self, number: int) -> bool:
        """One more try; False to end with it."""
        assert self._trial.seed is not None, "resolved before"
        trial = msgspec.structs.replace(self._trial, seed=self._trial.seed + number - 1)
        try:
            came = self._one(trial, number)
        except KeyboardInterrupt:
            self._troubles.append(f"try {number} was interrupted")
            return False
        except CANNOT_RUN as wrong:
            if not self._tries:
                raise EnvironmentTrouble(str(wrong)) from wrong
            self._troubles.append(f"try {number}: {wrong}")
            return not str(wrong).startswith("Interrupted")
        self._tries.append(came)
        self._told(came)
        return came.ending != "hit" or not self._until_hit

    def _kept(self, store: Path) -> Path | None:
        if not self._tries:
            return None
        shown = next((t for t in self._tries if t.ending == "hit"), self._tries[-1])
        if shown.folder is not None:
            return shown.folder
        trial = msgspec.structs.replace(self._trial, seed=shown.seed)
        return keep(Case(trial=trial, scenario=self._scenario), store)[0].path


def _simulated(scenario: Scenario, _store: Path, trial: Trial, number: int) -> Try:
    simulated = simulate(Case(trial=trial, scenario=scenario))
    assert simulated.played is not None, "a case with a scenario plays it"
    return _try(number, trial, scenario.hit, simulated.verdict(), simulated.played)


def _real(scenario: Scenario, store: Path, trial: Trial, number: int) -> Try:
    with contextlib.redirect_stdout(io.StringIO()):  # of its verdict we tell in one line
        came = running.run(trial, store)
    notices = RunFolder(came.folder).read_notices()
    if any(notice.startswith("Interrupted by") for notice in notices):
        raise EnvironmentTrouble(f"Interrupted in {came.folder}.")
    played = outcome.read(came.folder)
    found = _try(number, trial, scenario.hit, came.verdict, played)
    return msgspec.structs.replace(found, folder=came.folder)


def _try(number: int, trial: Trial, hit: Hit, verdict: Verdict, played: Played) -> Try:
    assert trial.seed is not None, "resolved before"
    print_ = fingerprint(verdict)
    laws = () if print_ is None else tuple(dict.fromkeys((print_.law, *print_.seen_by)))
    if hit.results:
        did = outcome.as_asked(hit, played.results) and (not hit.law or hit.law in laws)
    else:
        did = verdict.kind is Kind.INVALID and (not hit.law or hit.law in laws)
    ending: Ending = "hit" if did else "miss" if played.reached else "not reached"
    return Try(
        number=number,
        seed=trial.seed,
        ending=ending,
        kind=verdict.kind,
        laws=laws,
        summary=verdict.summary,
        played=played,
    )
