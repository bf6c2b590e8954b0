"""Cases: what a simulated run follows from, as a value and as a file.

Rules
1. A case is complete: the same case is the same run, in any process.
2. A case names chance by its seed, or writes it down: `explicit` turns what a run drew into what it
   is given. Explicit cases can be made smaller; those that follow from a seed alone cannot.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.generators.script import Script
from harness.scenario import Scenario
from harness.simulation.choices import Given
from harness.trial import Trial, TrialError
from nemesis.schedule import Schedule, mistakes_of


class Case(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`trial`: with its seed, on the simulated cluster. `faults`: None for those that the seed
    draws. `choices`: given numbers by stream, None to draw all; `then_drawn`: draw on where given
    ones end, instead of the plainest. `script`: the operations, None for those of the workload.
    `scenario`: a script of faults and operations, in place of `faults` and beside the load."""

    trial: Trial
    faults: Schedule | None = None
    choices: Given | None = None
    then_drawn: bool = False
    script: Script | None = None
    scenario: Scenario | None = None

    def size(self) -> int:
        """How many choices it writes down: operations, steps of faults, numbers that are not 0."""
        found = 0 if self.script is None else self.script.operations
        found += 0 if self.faults is None else len(self.faults.steps)
        for numbers in (self.choices or {}).values():
            found += sum(number != 0 for number in numbers)
        return found


def encode(case: Case) -> bytes:
    return msgspec.json.format(msgspec.json.encode(case), indent=1) + b"\n"


def write(path: Path, case: Case) -> None:
    path.write_bytes(encode(case))


def read(path: Path) -> Case:
    """Raises TrialError for a file that is no case, OSError where it cannot be read."""
    try:
        case = msgspec.json.decode(path.read_bytes(), type=Case)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise TrialError(
            [f"{path} is not a case: {wrong}. Give the case.json of a simulated run."]
        ) from wrong
    if case.trial.seed is None:
        raise TrialError([f"{path}: the trial of a case has its seed, and this one has none."])
    if case.faults is not None:
        mistakes = mistakes_of(case.faults, case.trial.node_names)
        if mistakes:
            raise TrialError([f"{path}: {mistake}" for mistake in mistakes])
    return case
