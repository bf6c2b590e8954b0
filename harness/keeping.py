"""Keeping a simulated run: the folder that a run on real machines would have left, with its case.

Rule: what is kept can be repeated. The case is written first, and the folder holds exactly what
carrying it out gave.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness import cases, drawing, recheck, worldlog
from harness import scenario as scenarios
from harness.cases import Case
from harness.clock import folder_time, utc_now
from harness.run import environment
from harness.scenario import outcome
from harness.scenario.staging import of_trial
from harness.simulate import Simulated, planned, simulate
from harness.store.folder import RunFolder
from nemesis import schedule


def keep(case: Case, store: Path) -> tuple[RunFolder, recheck.Judged]:
    """Carry out a case and write its folder, report included. Raises EnvironmentTrouble where it
    cannot be written, and what `simulate` raises."""
    simulated = simulate(case, log=True)
    folder = RunFolder.create(store, case.trial, folder_time(utc_now()))
    write(folder, simulated)
    judged = recheck.check(folder.path)
    folder.write_verdict(judged.verdict)
    drawing.draw(folder, judged)
    return folder, judged


def write(folder: RunFolder, simulated: Simulated) -> None:
    """Everything but verdict and report."""
    case = simulated.case
    folder.write(folder.case, cases.encode(case))
    folder.write_trial(case.trial, environment(case.trial))
    folder.write(folder.plan, schedule.encode(planned(case)))
    if case.scenario is not None and simulated.played is not None:
        folder.write(folder.scenario, scenarios.encode(of_trial(case.scenario, case.trial)))
        folder.write(folder.played, outcome.encode(simulated.played))
    lines = msgspec.json.Encoder().encode_lines(list(simulated.history))
    folder.write(folder.history, lines)
    folder.write(folder.schedule, schedule.encode(simulated.executed))
    folder.write(folder.trace, b"".join(line + b"\n" for line in simulated.lines))
    folder.write(folder.world, worldlog.encode(simulated.world))
    folder.write(folder.choices, msgspec.json.encode(simulated.choices))
    folder.write_notices(simulated.notices)
