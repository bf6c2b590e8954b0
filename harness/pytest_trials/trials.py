"""The fixture: a trial from what a test says, carried out, its verdict given.

Rules
1. Without a seed given, it follows from the test's name and from how many trials the test had
   before: the same from run to run and on any machine, and another one for every test.
2. A mistake in the test is told where the test made it, and so is trouble of the environment: what
   lies between is hidden from tracebacks.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checkers.verdict import Kind
from harness.cases import Case
from harness.contracts import EnvironmentTrouble
from harness.pytest_trials import options
from harness.pytest_trials.carrying import Carried, carry_out
from harness.pytest_trials.found import Keeping, TrialVerdict
from harness.pytest_trials.names import CARRIED, RUNNING
from harness.pytest_trials.naming import named
from harness.settle import settle
from harness.systems import system as system_of
from harness.systems.registry import is_given, read_once
from harness.trial import Trial, TrialError, nearest

TOLD_MAX = 8  # verdicts of one test that are remembered
SEED_BITS = 31
RUNS_MAX = 1_000_000


class Carrying(msgspec.Struct):
    """The trials of one test: how many, and the last of those that are worth telling."""

    count: int = 0
    verdicts: list[Any] = []

    def add(self, verdict: TrialVerdict) -> None:
        self.verdicts.append(verdict)
        if len(self.verdicts) > TOLD_MAX:
            passed = (at for at, v in enumerate(self.verdicts) if v.kind is Kind.VALID)
            del self.verdicts[next(passed, 0)]


class Trials:
    """What the fixture `antipaxos` is. See docs/pytest.md."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def __repr__(self) -> str:
        return "antipaxos"

    def __call__(
        self, system: Any = None, *, runs: int | None = None, **settings: Any
    ) -> TrialVerdict:
        """Carry out a trial and judge it.

        `system`: a name, the path of a YAML file, a System, 'FILE.py:name', or a function or class
        that builds a machine; or a Case, which is complete. `runs`: how many at most, with seeds
        that follow one another; the first that is INVALID ends them. `settings`: of a Trial.

        Raises TrialError where a setting is wrong, EnvironmentTrouble where nothing can be judged.
        """
        __tracebackhide__ = True
        item = self._config.stash.get(RUNNING, None)
        try:
            return self._carried_out(item, system, runs, settings)
        except TrialError as wrong:
            raise TrialError(wrong.problems) from None
        except EnvironmentTrouble as wrong:
            raise EnvironmentTrouble(str(wrong)) from None

    def _carried_out(
        self, item: pytest.Item | None, system: Any, runs: int | None, settings: Mapping[str, Any]
    ) -> TrialVerdict:
        if isinstance(system, Case):
            if settings or runs is not None:
                told = ", ".join([*settings, *(["runs"] if runs is not None else [])])
                raise TrialError([f"a case is complete: leave out {told}."])
            return carried(self._config, item, [system])
        given = dict(settings) if system is None else {**settings, "system": system}
        marked = options.of_marks(item)
        count = marked.pop("runs", 1) if runs is None else runs
        marked.pop("runs", None)
        return carried(self._config, item, trials(self._config, item, marked, given, count))


@read_once()
def trials(
    config: pytest.Config,
    item: pytest.Item | None,
    marked: Mapping[str, Any],
    given: Mapping[str, Any],
    runs: Any = 1,
) -> list[Trial]:
    """The trials of a call, which differ in their seeds alone. Raises TrialError."""
    if not isinstance(runs, int) or isinstance(runs, bool) or not 0 < runs <= RUNS_MAX:
        raise TrialError([f"runs is {runs!r}. Give a number of runs, from 1 on."])
    said = options.over(options.over(options.of_ini(config), marked), given)
    said = {**said, **options.of_command_line(config)}
    if "system" not in said:
        raise TrialError(
            ["no system is named. Give one: antipaxos('paxos'), or in @pytest.mark.antipaxos."]
        )
    said = {name: value for name, value in said.items() if value is not None}
    said["system"] = named(said["system"], _places(config, item))
    _refuse_strangers(said)
    first = said.pop("seed", None)
    if first is None:
        first = _seed_of(item)
    elif first == options.RANDOM:
        first = secrets.randbelow(1 << SEED_BITS)
    trial = settle(None, {**usual(said), "name": _label(item), **said, "seed": first})
    return [msgspec.structs.replace(trial, seed=first + number) for number in range(runs)]


def carried(
    config: pytest.Config, item: pytest.Item | None, given: list[Trial] | list[Case]
) -> TrialVerdict:
    """Carry them out, until one is INVALID; the verdict of that one, or of the worst."""
    store = options.store(config)
    carrying = _of_item(item)
    worst: Carried | None = None
    count = valid = 0
    for one in given:
        came = carry_out(one, store)
        count += 1
        valid += came.verdict.kind is Kind.VALID
        if worst is None or _rank(came) > _rank(worst):
            worst = came
        if came.verdict.kind is Kind.INVALID:
            break
    assert worst is not None, "there is at least one"
    verdict = TrialVerdict(
        worst,
        keeping=Keeping(store, options.shrink_s(config)),
        unknown=options.unknown(config),
        again_here=_again(config, item, worst.trial),
        replayable=not is_given(worst.trial.system),
        runs=count,
        runs_valid=valid,
    )
    if carrying is not None:
        carrying.add(verdict)
    return verdict


def _again(config: pytest.Config, item: pytest.Item | None, trial: Trial) -> str:
    """The command that has a test again, where this one was typed, with what was typed."""
    words = ["pytest"]
    if item is not None:
        path, colons, name = item.nodeid.partition("::")
        here = config.invocation_params.dir
        words.append(f"{os.path.relpath(config.rootpath / path, here)}{colons}{name}")
    return shlex.join([*words, *options.typed(config), "--antipaxos-seed", str(trial.seed)])


def _rank(carried: Carried) -> int:
    return (Kind.VALID, Kind.UNKNOWN, Kind.INVALID).index(carried.verdict.kind)


def _of_item(item: pytest.Item | None) -> Carrying | None:
    if item is None:
        return None
    found = item.stash.setdefault(CARRIED, Carrying())
    assert isinstance(found, Carrying)
    found.count += 1
    return found


def _seed_of(item: pytest.Item | None) -> int:
    """See rule 1."""
    name = "" if item is None else item.nodeid
    carrying = Carrying() if item is None else item.stash.get(CARRIED, Carrying())
    assert isinstance(carrying, Carrying)
    before = carrying.count
    digest = sha256(f"{name}#{before}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % (1 << SEED_BITS)


def _label(item: pytest.Item | None) -> str:
    """The folder of a test's runs."""
    text = "pytest" if item is None else f"{item.path.stem.partition('.')[0]}-{item.name}"
    return re.sub(r"[^\w.+-]+", "-", text).strip("-.+")[:100] or "pytest"


def _places(config: pytest.Config, item: pytest.Item | None) -> list[Path]:
    beside = [] if item is None else [item.path.parent]
    return [*beside, config.rootpath, Path.cwd()]


def _refuse_strangers(said: Mapping[str, Any]) -> None:
    valid = (*Trial.__struct_fields__, "runs")
    strangers = [name for name in said if name not in valid]
    if strangers:
        raise TrialError(
            [f"{name!r} is not a setting of a trial. {nearest(name, valid)}" for name in strangers]
        )


def usual(said: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults for this system. Raises TrialError where there is none."""
    found = system_of(said["system"])
    usual = dict(options.DEFAULTS)
    usual["cluster"] = "simulated" if found.simulable else found.clusters[0]
    named_elsewhere = said.get("scenario") or "mutant" in said.get("options", {})
    if Trial().workload not in found.workloads and not named_elsewhere:
        usual["workload"] = found.workloads[0]
    return usual
