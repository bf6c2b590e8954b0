"""`antipaxos scenario` as a user runs it, and the examples in examples/scenarios."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from harness.commands.scenario import as_json, lines
from harness.scenario import read
from harness.tries import play
from tests.command import Command

EXAMPLES = Path(__file__).parents[3] / "examples" / "scenarios"
FILES = sorted(EXAMPLES.glob("*.yaml"))

# Which end in a hit within five simulated tries; without their mutant none does.
HITS = {"stale-read": True, "lost-write": True, "old-proposal": True, "succession": False}
LINES_MAX = 20


def test_the_examples_are_known() -> None:
    """One that no test knows would rot."""
    assert set(HITS) == {file.stem for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_an_example_fits_on_twenty_lines_and_does_what_it_says(file: Path, tmp_path: Path) -> None:
    """Simulated it hits within five tries, by its mutant alone; each try is reached."""
    flags = {"cluster": "simulated", "seed": 7}

    came = play(file, tmp_path, flags=flags, tries=5)
    without = {name: value for name, value in read(file).trial.items() if name != "options"}
    cured = msgspec.structs.replace(read(file), trial=without)
    sound = play(cured, tmp_path, flags=flags, tries=2)

    assert len(file.read_text().splitlines()) <= LINES_MAX
    assert HITS[file.stem] == bool(came.ended("hit"))
    assert [] == came.ended("not reached")
    assert [] == sound.ended("hit")
    assert 0 == sound.exit_code


def test_an_example_hits_on_real_processes(tmp_path: Path) -> None:
    """By the command, whose exit code and last line say so; the line repeats it."""
    (tmp_path / "work").mkdir()
    file = EXAMPLES / "lost-write.yaml"

    with Command(tmp_path, "scenario", str(file), "--tries", "3", "--seed", "1") as command:
        code = command.end()

    assert 1 == code, command.out + command.err
    assert command.out.startswith("HIT         lost-write on local, try ")
    again = command.out.splitlines()[-1]
    assert again.startswith("again       antipaxos scenario antipaxos-runs/paxos-register/")
    assert again.endswith("/scenario.yaml --tries 1")


def test_the_outcome_is_told_step_by_step_and_as_json(tmp_path: Path) -> None:
    """Counts, what each step came to, and how to have it again."""
    file = EXAMPLES / "stale-read.yaml"

    came = play(file, tmp_path, flags={"cluster": "simulated", "seed": 1})

    told = "\n".join(lines(came, file))
    assert "1 hit, 0 missed, 0 not reached" in told
    assert all(step.step in told for step in came.tries[0].played.steps)
    found = json.loads(as_json(came))
    assert (1, 0, 0) == (found["hits"], found["misses"], found["not_reached"])
    assert "hit" == found["tries"][0]["ending"]
    assert str(came.folder) == found["folder"]


def test_what_is_not_reached_is_told_with_how_often(tmp_path: Path) -> None:
    """By the sentence of the step that was not."""
    file = tmp_path / "never.yaml"
    file.write_text(
        "name: never\ntrial: {nodes: 3}\nload: none\nsteps:\n"
        "  - wait: {operations: 1, within_s: 0.5}\n"
    )

    came = play(file, tmp_path, flags={"cluster": "simulated", "seed": 1}, tries=2)

    told = lines(came, file)
    assert "NOT REACHED never on simulated" == told[0]
    assert any(line.startswith("  not reached, 2 of 2: step 1 (wait {op") for line in told)


def test_a_mistake_ends_the_command_with_254(tmp_path: Path) -> None:
    """Before anything starts."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "wrong.yaml").write_text("name: wrong\nsteps:\n  - kil: n1\n")

    with Command(tmp_path, "scenario", "wrong.yaml") as command:
        code = command.end()

    assert 254 == code
    assert "antipaxos: wrong.yaml:3: 'kil' is no step" in command.err
    assert not (tmp_path / "work" / "antipaxos-runs").exists()


def test_a_run_of_a_scenario_says_how_to_run_it_again(tmp_path: Path) -> None:
    """By `run --scenario`, with the file, and what flags changed of it."""
    (tmp_path / "work").mkdir()
    file = EXAMPLES / "stale-read.yaml"
    words = ("--scenario", str(file), "--cluster", "simulated", "--seed", "3")

    with Command(tmp_path, "run", *words) as command:
        code = command.end()

    assert 1 == code, command.out + command.err
    (again,) = [line for line in command.out.splitlines() if line.startswith("again")]
    assert f"--scenario {file}" in again
    assert "--cluster simulated" in again
    assert "--nodes" not in again
    assert "none" not in again
    assert read(file).steps == read(command.folder / "scenario.yaml").steps


PAGE = (Path(__file__).parents[3] / "docs" / "scenarios.md").read_text()


def test_the_page_shows_the_example() -> None:
    """What a reader copies is what is tested."""
    (shown, *_) = re.findall(r"```yaml\n(# .*?)```", PAGE, re.DOTALL)

    assert (EXAMPLES / "stale-read.yaml").read_text() == shown


def test_the_python_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it stands there."""
    (shown,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)

    exec(compile(shown, "docs/scenarios.md", "exec"), {})

    assert "100 of 100\n" == capsys.readouterr().out
