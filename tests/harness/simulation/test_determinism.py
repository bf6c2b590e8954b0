"""One seed is one run: in any process, under any hash seed and any minor version of Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.cases import Case
from harness.simulate import simulate
from tests.harness.simulation.digests import digests
from tests.harness.simulation.golden import digest
from tests.harness.simulation.runs import of_clients, run, trial

ROOT = Path(__file__).parents[3]
# Interpreters with the dependencies, beside the one that runs the tests: paths joined by ':'.
PYTHONS = [path for path in os.environ.get("ANTIPAXOS_PYTHONS", "").split(":") if path]

# Of a world without the reference. A change of the simulator that draws differently changes it, and
# with it every seed that anyone has noted: change the constant if that is meant.
GOLDEN = "0b7d34358bd59c83b383fe50066c7bf75d3972f2e9d6ed73ae66ae4428ba75da"


def elsewhere(*runs: tuple[str, str]) -> list[dict[str, str]]:
    """What other processes print, at once: interpreters with their hash seeds."""
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [python, "tests/harness/simulation/digests.py"],
                    cwd=ROOT,
                    env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for python, hash_seed in runs
        ]
        said = [process.communicate() for process in processes]
    for out, err in said:
        assert out, err
    return [json.loads(out) for out, _ in said]


@pytest.fixture(scope="module")
def here() -> dict[str, str]:
    return digests()


def test_the_golden_world_has_its_digest() -> None:
    """Under every version of Python that runs this: so all versions agree."""
    assert GOLDEN == digest()


def test_the_golden_world_follows_from_its_seed() -> None:
    """Another seed, another run; else the digest would tell nothing."""
    assert digest(1) != digest(2)


def test_processes_with_other_hash_seeds_run_the_same(here: dict[str, str]) -> None:
    """The reference under each package and workload: histories and traces, byte for byte."""
    assert [here, here] == elsewhere((sys.executable, "1"), (sys.executable, "2"))
    assert len(set(here.values())) == len(here), "no two runs are the same"


@pytest.mark.skipif(not PYTHONS, reason="ANTIPAXOS_PYTHONS names no other interpreters")
def test_other_versions_of_python_run_the_same(here: dict[str, str]) -> None:
    """As many minor versions as there are at hand."""
    assert [here] * len(PYTHONS) == elsewhere(*((python, "3") for python in PYTHONS))


@pytest.mark.parametrize("faults", ["default", "everything"])
@pytest.mark.parametrize("workload", ["register", "consensus"])
def test_an_explicit_case_is_the_same_run(faults: str, workload: str) -> None:
    """With all that chance decided written down, clients see the same, at the same times."""
    original = run(trial(5, faults=faults, workload=workload))
    again = simulate(original.explicit)

    def seen(of: object) -> list[tuple[object, ...]]:
        return [
            (o.time, o.process, o.type, o.f, o.key, o.value, o.node)
            for o in of_clients(of)  # type: ignore[arg-type]
        ]

    assert seen(original) == seen(again)
    assert [*original.lines] == [*again.lines]
    assert original.explicit.script == again.explicit.script


def test_a_log_of_the_world_changes_nothing() -> None:
    """Who watches does not disturb."""
    case = Case(trial=trial(6, faults="chaos"))
    assert simulate(case).digest() == simulate(case, log=True).digest()
