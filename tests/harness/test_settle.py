"""Settling a trial: files, flags, options and mutants become one value, or all their mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.settle import breaks_something, plan, settle
from harness.systems import registry
from harness.systems.reading import specification
from harness.systems.specification import Specification
from harness.trial import Trial, TrialError


def written(folder: Path, text: str) -> Path:
    file = folder / "t.yaml"
    file.write_text(text)
    return file


def mistakes(path: Path | None, flags: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(TrialError) as caught:
        settle(path, flags)
    return caught.value.problems


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    """And what neither sets is the default."""
    file = written(tmp_path, "nodes: 3\nclients: 4\n")
    assert Trial(nodes=7, clients=4) == settle(file, {"nodes": 7})


def test_options_are_settings_of_their_own(tmp_path: Path) -> None:
    """A flag for one option leaves the file's others in force."""
    file = written(tmp_path, "options: {reads: quorum, refusals: off}\n")
    settled = settle(file, {"options": {"refusals": "on"}})
    assert {"reads": "quorum", "refusals": "on"} == settled.options


@pytest.mark.parametrize(
    ("flags", "workload"),
    [
        ({}, "register"),
        ({"options": {"mutant": "shared-ballots"}}, "consensus"),
        ({"options": {"mutant": "local-reads"}}, "register"),
        ({"options": {"mutant": "shared-ballots"}, "workload": "log"}, "log"),
    ],
)
def test_a_mutant_is_sought_where_it_shows(flags: dict[str, Any], workload: str) -> None:
    """Under the workload of its catalogue entry, unless the user names one."""
    assert workload == settle(None, flags).workload


def test_a_workload_that_the_file_names_is_kept_for_a_mutant(tmp_path: Path) -> None:
    """The user has said otherwise, only elsewhere."""
    file = written(tmp_path, "workload: log\n")
    assert "log" == settle(file, {"options": {"mutant": "shared-ballots"}}).workload


@pytest.mark.parametrize(
    ("system", "options", "leased"),
    [
        ("etcd", {"lease_ttl_s": "5"}, True),
        ("etcd", {}, False),
        ("zookeeper", {}, True),
        ("pysyncobj", {}, False),
    ],
)
def test_a_lock_that_is_taken_away_is_judged_as_a_lease(
    system: str, options: dict[str, str], leased: bool
) -> None:
    """Two who believe that they hold it would be called a violation of a correct system."""
    flags: dict[str, Any] = {"system": system, "workload": "lock", "options": options}
    as_lease = {"fencing": True, "lease_ttl_s": 5}

    assert Trial is type(settle(None, {**flags, "workload_options": as_lease}))
    if leased:
        assert any("takes locks away" in mistake for mistake in mistakes(None, flags))
    else:
        assert "lock" == settle(None, flags).workload


@pytest.mark.parametrize("name", ["../x", "a/b", "latest", ".hidden", "x" * 101, "two words"])
def test_a_name_is_a_plain_folder(name: str) -> None:
    """It must not lead out of the store, nor hide a run from it."""
    (mistake,) = mistakes(None, {"name": name})
    assert f"name is {name!r}. Give letters" in mistake


def test_a_schedule_must_fit_the_nodes(tmp_path: Path) -> None:
    """Node n5 of a trial of three is a mistake before the run, not in its middle."""
    steps = [{"at_s": 1, "id": 1, "action": "start", "fault": {"fault": "kill", "target": "n5"}}]
    file = tmp_path / "s.json"
    file.write_text(json.dumps({"duration_s": 3, "steps": steps}))
    assert settle(None, {"faults": str(file)}).faults == str(file)
    (mistake,) = mistakes(None, {"faults": str(file), "nodes": 3})
    assert str(file) in mistake
    assert "n5" in mistake


def test_a_plan_follows_from_seed_time_and_nodes() -> None:
    """The same trial breaks the same things; another seed others."""
    trial = Trial(seed=4, time_limit_s=20)
    assert plan(trial) == plan(Trial(seed=4, time_limit_s=20))
    assert plan(trial).steps != plan(Trial(seed=5, time_limit_s=20)).steps


def test_only_a_trial_without_faults_breaks_nothing() -> None:
    """A run too short for any fault has still been asked for some."""
    assert not breaks_something(Trial(faults="none"))
    assert breaks_something(Trial(faults="default", time_limit_s=0.1))
    assert breaks_something(Trial(faults="./schedule.json"))


def test_paths_in_a_file_are_relative_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial is found from any working directory; a flag's path is the user's own."""
    examples = Path(__file__).parents[2] / "examples" / "own-system"
    monkeypatch.chdir(tmp_path)
    settled = settle(examples / "trial.yaml", {})
    assert str(examples / "system.yaml") == settled.system
    assert str(examples / "schedule.json") == settled.faults
    with pytest.raises(TrialError, match=r"schedule\.json cannot be read"):
        settle(examples / "trial.yaml", {"faults": "schedule.json"})


def test_a_file_is_read_once_for_each_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dozen checks ask for the system of one trial; the next trial of the process sees what the
    file says by then."""
    source = Path(__file__).parents[2] / "examples" / "own-system" / "system.yaml"
    file = written(tmp_path, source.read_text())
    read: list[Path] = []

    def reading(path: Path) -> Specification:
        read.append(path)
        return specification(path)

    monkeypatch.setattr(registry, "specification", reading)
    flags = {"system": str(file), "workload": "register", "options": {"reads": "majority"}}

    settle(None, flags)
    assert [file] == read

    file.write_text(file.read_text().replace("majority", "all"))
    with pytest.raises(TrialError, match="option reads is 'majority'"):
        settle(None, flags)
