"""The examples as a reader runs them: the bug of each is found, and without it nothing is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.clusters.namespaces import world
from harness.settle import settle
from tests.command import Command

EXAMPLES = Path(__file__).parents[1] / "examples"

INVALID, VALID = (1, "INVALID"), (0, "VALID")
RUNS = {
    ("own-system", ""): INVALID,
    ("own-system", "reads=majority"): VALID,
    ("node-js", ""): INVALID,
    ("node-js", "log=synced"): VALID,
    ("maelstrom", ""): INVALID,
    ("maelstrom", "bug=none"): VALID,
    ("node-go", ""): INVALID,
    ("node-go", "log=synced"): VALID,
    ("etcd-as-yaml", ""): VALID,
    ("own-machine", ""): INVALID,
    ("own-machine", "answers=durable"): VALID,
}
# Those that are no trial of the command, and who runs them.
ELSEWHERE = {
    "flp": "tests/harness/exploration/test_explore_command.py",
    "hypothesis": "tests/harness/strategies/test_trials.py",
    "nightly": "tests/harness/nightly/test_examples.py",
    "own-raft": "tests/test_tutorial.py",
    "track-record": "tests/test_track_record.py",
    "pytest": "tests/harness/pytest_plugin/test_page.py",
    "scenarios": "tests/harness/scenario/test_scenario_command.py",
}


def lack(example: str) -> str | None:
    """Why an example cannot run here; None if it can."""
    programs = {"node-js": "node", "node-go": "go", "etcd-as-yaml": "etcd"}
    program = programs.get(example)
    if program is not None and shutil.which(program) is None:
        return f"there is no program {program!r}"
    return world.obstacle() if example == "etcd-as-yaml" else None


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], Command]]:
    """All at once, each in a directory in which only the examples are."""
    with ExitStack() as stack:
        started = {}
        for example, option in RUNS:
            if lack(example) is not None:
                continue
            home = tmp_path_factory.mktemp(example)
            (home / "work").mkdir()
            (home / "work" / "examples").symlink_to(EXAMPLES)
            words = [
                "run",
                f"examples/{example}/trial.yaml",
                *(["--option", option] * bool(option)),
            ]
            started[example, option] = stack.enter_context(Command(home, *words))
        yield started


@pytest.mark.parametrize(("example", "option"), RUNS)
def test_the_bug_of_an_example_is_found_and_its_cure_is_not_blamed(
    runs: dict[tuple[str, str], Command], example: str, option: str
) -> None:
    """Both verdicts come under the same written faults, in one short run each, and no node ended by
    itself."""
    reason = lack(example)
    if reason is not None:
        pytest.skip(reason)
    run = runs[example, option]

    code = run.end()

    assert (code, run.out.split(maxsplit=1)[0]) == RUNS[example, option], run.out + run.err
    assert "all seen in effect" in run.out
    assert "ended by itself" not in run.out


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*/")), ids=lambda p: p.name)
def test_an_example_is_explained_and_run(example: Path) -> None:
    """What no test runs will rot, and what nobody explains is no example."""
    runs = [runs for runs in RUNS if runs[0] == example.name]
    elsewhere = ELSEWHERE.get(example.name)

    assert (example / "README.md").is_file()
    assert runs or elsewhere
    if elsewhere:
        assert example.name in (EXAMPLES.parent / elsewhere).read_text()


def test_the_example_of_a_trial_settles() -> None:
    """The file that the first page shows; to run it takes half a minute."""
    trial = settle(EXAMPLES / "trial.yaml", {"cluster": "simulated"})

    assert ("log", "simulated") == (trial.workload, trial.cluster)


@pytest.mark.parametrize("program", sorted(EXAMPLES.rglob("register.*")), ids=lambda p: p.name)
def test_an_example_needs_nothing_of_ours(program: Path) -> None:
    """A system is plugged in by what it says on its ports: it imports nothing of the harness."""
    for package in ("harness", "nemesis", "checkers", "reference_impl"):
        assert f"import {package}" not in program.read_text()
        assert f"from {package}" not in program.read_text()
