"""Finding a stored run, and what it takes to carry it out again.

Rules
1. Every mistake in a path or a file is the user's to mend: a TrialError that names the file, what
   is wrong with it, and what to give instead.
2. A run is carried out again by what it did, not by what would be drawn today: its case where it
   has one, else its trial with the faults that it had planned.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from harness import cases
from harness import scenario as scenarios
from harness.cases import Case
from harness.settle import CHECKS
from harness.store.folder import RunFolder
from harness.trial import Trial, TrialError, problems_of
from nemesis import schedule

WHAT_TO_GIVE = (
    "Give the folder of a run (antipaxos-runs/TRIAL/TIME-SEED), its case.json, or the folder of a "
    "trial for its latest run."
)


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """`folder`: where the files of the run are, as far as there are any. `case`: None for a run on
    real machines, which does not follow from one. `environment`: where it ran, empty if unknown."""

    folder: RunFolder
    trial: Trial
    case: Case | None
    environment: Mapping[str, Any]


def find(path: Path) -> Stored:
    """The run at a path: a folder of a run, a file in it, or a folder of runs for its latest.

    Raises TrialError, and ScheduleError for a plan.json that is damaged.
    """
    stored = _stored(path)
    _check(stored)
    return stored


def _stored(path: Path) -> Stored:
    folder = RunFolder(path if path.is_dir() else path.parent)
    if path.is_file() and path.name not in {folder.trial.name, folder.history.name}:
        return _of_case(path)  # which says best what is wrong with a file that is none
    if not path.exists():
        raise TrialError([f"there is no {path}. {WHAT_TO_GIVE}"])
    if folder.case.exists():
        return _of_case(folder.case)
    if folder.trial.exists():
        return _of_trial(folder)
    latest = path / "latest"
    if latest.is_symlink():
        if not latest.exists():
            raise TrialError([f"{latest} points to a run that is gone. {WHAT_TO_GIVE}"])
        return _stored(latest)
    raise TrialError(
        [f"{path} is not a run: it has neither case.json nor trial.yaml. {WHAT_TO_GIVE}"]
    )


def _of_case(path: Path) -> Stored:
    try:
        case = cases.read(path)
    except OSError as wrong:
        raise TrialError([f"{path} cannot be read: {wrong.strerror}. {WHAT_TO_GIVE}"]) from wrong
    folder = RunFolder(path.parent)
    environment = _trial_in(folder)[1] if folder.trial.exists() else {}
    return Stored(folder=folder, trial=case.trial, case=case, environment=environment)


def _of_trial(folder: RunFolder) -> Stored:
    trial, environment = _trial_in(folder)
    if trial.seed is None:
        raise TrialError(
            [
                f"{folder.trial} has no seed, and nothing says what its run drew. Give the folder "
                "of a run, whose trial.yaml has one; or run the trial: antipaxos run "
                f"{folder.trial}"
            ]
        )
    case = None
    if trial.cluster == "simulated":
        if folder.scenario.exists():
            case = Case(trial=trial, scenario=scenarios.read(folder.scenario))
        else:
            planned = schedule.read(folder.plan) if folder.plan.exists() else None
            case = Case(trial=trial, faults=planned)
    return Stored(folder=folder, trial=trial, case=case, environment=environment)


def _trial_in(folder: RunFolder) -> tuple[Trial, Mapping[str, Any]]:
    try:
        return folder.read_trial()
    except (yaml.YAMLError, msgspec.ValidationError, ValueError, OSError) as wrong:
        raise TrialError(
            [f"{folder.trial} is not the trial of a run: {wrong}. {WHAT_TO_GIVE}"]
        ) from wrong


def _check(stored: Stored) -> None:
    """Is there still all that the trial names?"""
    settings = msgspec.to_builtins(stored.trial)
    if stored.case is None or stored.case.faults is not None:
        del settings["faults"]  # they are beside the run: what it names may have gone
    del settings["scenario"]  # as this is
    problems = [s for told in problems_of(settings, CHECKS).values() for s in told]
    if problems:
        raise TrialError(
            [f"the run in {stored.folder.path} cannot be carried out again: {p}" for p in problems]
        )
