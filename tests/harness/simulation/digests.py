"""Digests of simulated runs, printed as JSON: two processes that print the same ran the same.

`python tests/harness/simulation/digests.py`, with the root of the repository on PYTHONPATH.
"""

from __future__ import annotations

import json

from tests.harness.simulation.golden import digest as golden
from tests.harness.simulation.runs import run, trial

PACKAGES = ("everything", "chaos", "default")
WORKLOADS = ("register", "log", "consensus")


def digests() -> dict[str, str]:
    found = {
        f"{workload} under {package}": run(
            trial(11, faults=package, workload=workload, time_limit_s=4.0)
        ).digest()
        for package in PACKAGES
        for workload in WORKLOADS
    }
    return {**found, "golden": golden()}


if __name__ == "__main__":
    print(json.dumps(digests(), indent=1))
