"""The plan of a night: what its file means, and every mistake in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.nightly.spec import as_settled, duration_s, duration_text, read
from harness.trial import TrialError
from tests.harness.nightly import evil


def spec_of(folder: Path, text: str) -> Path:
    file = folder / "night.yaml"
    file.write_text(text)
    return file


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(TrialError) as wrong:
        read(spec_of(folder, text))
    return [problem.removeprefix(f"{folder}/") for problem in wrong.value.problems]


def test_the_product_and_the_cells_by_hand(tmp_path: Path) -> None:
    """What is given in lists is combined; what is left open of a simulated cell is drawn."""
    spec = read(
        spec_of(
            tmp_path,
            "workloads: [register, log]\n"
            "faults: [partitions, chaos]\n"
            "nodes: 3\n"
            "settings: {rate: 50}\n"
            "cells:\n"
            "  - {cluster: local, time_limit_s: 5}\n"
            "  - {name: half, options: {mutant: half-quorum}, rate: 70}\n",
        )
    )
    assert [
        "paxos register partitions simulated 3",
        "paxos register chaos simulated 3",
        "paxos log partitions simulated 3",
        "paxos log chaos simulated 3",
        "paxos register default local 5",
        "paxos register drawn simulated drawn (half)",
    ] == [cell.name for cell in spec.cells]
    assert [50, 50, 50, 50, 50, 70] == [cell.trial.rate for cell in spec.cells]
    trials = {spec.cells[0].of_seed(seed).clients for seed in range(20)}
    assert len(trials) > 1
    assert {3} == {spec.cells[0].of_seed(seed).nodes for seed in range(20)}


def test_an_empty_plan_is_the_reference_under_everything(tmp_path: Path) -> None:
    """All that a night needs has a default."""
    spec = read(spec_of(tmp_path, "budget: 1h30m\n"))
    assert ["paxos register drawn simulated drawn"] == [cell.name for cell in spec.cells]
    assert spec.budget_s == 5400


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    """Each with its line and the nearest names, whichever part it is in."""
    text = (
        "workloads: [register, lgo]\n"
        "faults: partitons\n"
        "budget: 8\n"
        "stop: {after: 3}\n"
        "retention: failure\n"
        "shrink_s: soon\n"
        "worker: 2\n"
        "settings: {rate: -1, seed: 4, tiem_limit_s: 3}\n"
        "cells:\n"
        "  - {system: paxos, workload: register, nodes: many}\n"
    )
    found = mistakes(tmp_path, text)
    assert [1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 10] == [int(p.split(":")[1]) for p in found]
    told = "\n".join(found)
    for part in (
        "no workload 'lgo'. Did you mean 'log'",
        "unknown package of faults 'partitons'",
        "budget is '8'. Give a duration such as 8h or 1h30m.",
        "stop has no setting 'after'",
        "retention is 'failure'. Did you mean 'failures'?",
        "shrink_s is 'soon'",
        "no setting 'worker'. Did you mean 'workers'",
        "rate is -1",
        "give first_seed",
        "'tiem_limit_s' is not a setting of a trial",
        "nodes is 'many'",
    ):
        assert part in told


def test_combinations_that_cannot_be_are_left_out_and_told(tmp_path: Path) -> None:
    """A system that runs nowhere but simulated has no cell on a real cluster, and that is said."""
    evil.written(tmp_path)
    text = "systems: [paxos, etcd]\nclusters: [simulated, local]\n"
    spec = read(spec_of(tmp_path, text))
    assert ["paxos", "paxos", "etcd"] == [cell.system for cell in spec.cells]
    (left_out,) = spec.left_out
    assert left_out.startswith("left out: etcd simulated: system 'etcd' offers no machine")


def test_a_value_that_fits_nowhere_is_a_mistake(tmp_path: Path) -> None:
    """Otherwise a night would run without what it was written for."""
    found = mistakes(tmp_path, "systems: etcd\nclusters: simulated\n")
    assert 1 <= len(found)
    assert "night.yaml:2: system 'etcd' offers no machine" in found[0]


def test_a_plan_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are relative to the file, and cells have the same names from any directory."""
    evil.written(tmp_path)
    file = spec_of(tmp_path, "systems: evil.yaml\nstore: runs\n")
    before = read(file)
    monkeypatch.chdir(tmp_path)
    after = read(Path("night.yaml"))
    assert ["evil register drawn simulated drawn"] == [cell.name for cell in after.cells]
    assert before.cells == after.cells
    assert Path(before.store) == Path(after.store).absolute()


def test_as_settled_is_a_plan_of_the_same_night(tmp_path: Path) -> None:
    """What stands in the archive can be run again."""
    text = "faults: [chaos]\nstop: {runs: 7}\nbudget: 90s\ncells:\n  - {nodes: 3, name: a}\n"
    spec = read(spec_of(tmp_path, text))
    again = tmp_path / "again.yaml"
    again.write_text(as_settled(spec))
    assert spec.cells == read(again).cells
    assert (spec.stop, spec.budget_s) == (read(again).stop, read(again).budget_s)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("8h", 28800.0), ("1h30m", 5400.0), ("90s", 90.0), ("0.5h", 1800.0), ("1h 1m 1s", 3661.0)],
)
def test_durations(text: str, seconds: float) -> None:
    """As people write them; what is written back is read the same."""
    assert duration_s(text) == seconds
    assert duration_s(duration_text(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "8", "h", "-1h", "0s", "1d", "1m2h", "٣h"])
def test_what_is_no_duration(text: str) -> None:
    """A night of no length, or of an unknown one, is refused."""
    assert duration_s(text) is None
