"""Cells: the lines of a night's plan, each a trial that is run again and again with other seeds.

Rule: a run of a cell follows from the cell and a seed. Simulated, what the cell leaves open is
drawn from the seed (harness.swarm); on real machines the trial is the cell's, with that seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from harness.cases import Case
from harness.settle import settle
from harness.swarm import base_of, draw
from harness.systems import system
from harness.trial import Trial

# Beyond the times that a trial names: nodes start and stop, a report is drawn.
_BESIDE_S = 60.0
_DRAWN = "drawn"


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """`settings`: as given, paths absolute. `fixed`: the settings that no seed changes. `system`:
    what the system calls itself."""

    name: str
    system: str
    trial: Trial
    fixed: tuple[str, ...]
    settings: dict[str, Any]

    @property
    def simulated(self) -> bool:
        return self.trial.cluster == "simulated"

    @property
    def time_limit_s(self) -> float:
        """After which a run of it hangs: twice what its trial may take, and some more."""
        trial = self.trial
        own_s = trial.time_limit_s + trial.recovery_s + 5 * trial.operation_timeout_s
        return 2 * (own_s + trial.check_time_limit_s) + _BESIDE_S

    def case(self, seed: int) -> Case:
        """Of a simulated run."""
        return draw(self.trial, self.fixed, seed)

    def of_seed(self, seed: int) -> Trial:
        return self.case(seed).trial if self.simulated else _with_seed(self.trial, seed)


def _with_seed(trial: Trial, seed: int) -> Trial:
    return msgspec.structs.replace(trial, seed=seed)


def planned(settings: Mapping[str, Any]) -> Cell:
    """The cell of these settings. Raises TrialError."""
    absolute = {name: _absolute(name, value) for name, value in settings.items()}
    if absolute.get("cluster") == "simulated":
        trial, fixed = base_of(None, absolute)
    else:
        trial = settle(None, absolute)
        fixed = frozenset(msgspec.structs.asdict(trial))
    system_ = system(trial.system).name
    return Cell(
        name=_name(trial, fixed, system_),
        system=system_,
        trial=trial,
        fixed=tuple(sorted(fixed)),
        settings=absolute,
    )


def _absolute(name: str, value: Any) -> Any:
    named = name in ("system", "faults", "scenario") and isinstance(value, str) and value
    return str(Path(value).absolute()) if named and Path(value).is_file() else value


def _name(trial: Trial, fixed: frozenset[str], system_: str) -> str:
    faults = trial.faults if "faults" in fixed else _DRAWN
    if trial.scenario or Path(faults).is_file():
        faults = Path(trial.scenario or faults).stem
    nodes = str(trial.nodes) if "nodes" in fixed else _DRAWN
    words = (system_, trial.workload, faults, trial.cluster, nodes)
    return " ".join(words) + (f" ({trial.name})" if trial.name else "")
