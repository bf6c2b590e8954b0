"""The main job on real processes: one command from an empty directory to a verdict."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml

from checkers.trace import read_trace
from checkers.verdict import Kind, Verdict
from harness.store.folder import RunFolder
from nemesis import schedule as schedules
from nemesis.faults import LinkFault
from nemesis.ledger import open_entries
from tests.command import PARTITION, Command, finished, schedule

CODES = {"VALID": 0, "INVALID": 1, "UNKNOWN": 2}
FAULTS = (
    (0.4, 1.6, PARTITION),
    (0.6, 1.4, {"fault": "pause", "target": "one"}),
    (2.0, 2.6, {"fault": "kill", "target": "minority"}),
)


class Ended:
    """A run that has ended, and what it said."""

    def __init__(self, command: Command) -> None:
        self.code, self.out, self.err = command.end(), command.out, command.err
        self.command = command
        self.cwd = command.cwd
        self.folder = RunFolder(command.folder)

    def verdict(self) -> Verdict:
        return msgspec.json.decode(self.folder.verdict.read_bytes(), type=Verdict)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Ended]]:
    """A short default trial, and a run of each other workload under three faults; all at once."""
    with contextlib.ExitStack() as stack:
        started = {n: stack.enter_context(c) for n, c in _started(tmp_path_factory)}
        yield {name: Ended(command) for name, command in started.items()}


def _started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Command]]:
    for name in ("default", "consensus", "log"):
        home = tmp_path_factory.mktemp(name)
        words = ["--time-limit", "6", "--seed", "2"]
        if name != "default":
            faults = schedule(home, 3, *FAULTS)
            words = ["--workload", name, "--faults", faults, "--time-limit", "3", "--rate", "60"]
        yield name, Command(home, "run", *words)


@pytest.fixture
def run(runs: dict[str, Ended]) -> Ended:
    return runs["default"]


@pytest.fixture
def copy(run: Ended, tmp_path: Path) -> RunFolder:
    return RunFolder(shutil.copytree(run.folder.path, tmp_path / "copy"))


@pytest.mark.parametrize("name", ["default", "consensus", "log"])
def test_the_reference_is_found_valid(runs: dict[str, Ended], name: str) -> None:
    """Under faults that took effect; where a short run missed something, it says what."""
    run = runs[name]
    verdict = run.verdict()
    assert run.code == verdict.kind.exit_code == CODES[run.out.split()[0]], run.out + run.err
    assert Kind.INVALID is not verdict.kind
    if verdict.kind is Kind.UNKNOWN:
        assert "coverage" == verdict.cause
        assert verdict.summary in run.out


@pytest.mark.parametrize("name", ["default", "consensus", "log"])
def test_a_verdict_takes_at_most_twenty_lines(runs: dict[str, Ended], name: str) -> None:
    """The path of the report and the command that runs it again included."""
    run = runs[name]
    assert len(run.out.splitlines()) <= 20
    assert f"report      {run.folder.report.relative_to(run.cwd)}" in run.out.splitlines()
    assert "again       " in run.out.splitlines()[-1]


def test_a_run_keeps_everything_in_its_folder(run: Ended) -> None:
    """Each file is there, and is what it is meant to be."""
    folder = run.folder
    operations = [json.loads(line) for line in folder.history.read_bytes().splitlines()]
    assert list(range(len(operations))) == [o["index"] for o in operations]
    assert {"read", "write", "cas", "partition"} <= {o["f"] for o in operations}
    assert schedules.read(folder.plan).seed == 2
    faults = schedules.read(folder.schedule).faults()
    assert faults
    assert not [f for f in faults if not (f.links if isinstance(f, LinkFault) else f.nodes)]
    assert "chosen" in {event.event for event in read_trace(folder.trace, [])}
    assert [] == folder.read_notices()
    assert 2 == yaml.safe_load(folder.trial.read_text())["seed"]
    assert {f"n{i}" for i in range(1, 6)} <= {path.name for path in folder.nodes.iterdir()}
    assert "all nodes are ready" in folder.log.read_text()
    assert folder.report.read_text().lstrip().lower().startswith("<!doctype html>")


def test_a_run_leaves_nothing_behind(run: Ended) -> None:
    """No process, no open entry of the ledger, no file outside the store, no draft inside."""
    assert [] == run.command.left_over()
    assert [] == open_entries(run.folder.ledger)
    assert [] == list(run.command.elsewhere.iterdir())
    assert ["antipaxos-runs"] == [path.name for path in run.cwd.iterdir()]
    assert [] == [path for path in run.folder.path.rglob("*") if "draft" in path.name]


def test_latest_is_the_run(run: Ended) -> None:
    """At the root of the store and beside the runs of the trial."""
    store = run.cwd / "antipaxos-runs"
    assert run.folder.path == (store / "latest").resolve()
    assert run.folder.path == (store / "paxos-register" / "latest").resolve()


def test_a_stored_run_is_judged_as_it_was(run: Ended, copy: RunFolder, tmp_path: Path) -> None:
    """The same verdict from what is on disk alone."""
    code, out, _ = finished(tmp_path, "check", str(copy.path), "--json")
    again = msgspec.json.decode(out, type=Verdict)
    before = run.verdict()
    assert (run.code, before.kind, before.summary) == (code, again.kind, again.summary)
    assert [(p.checker, p.kind) for p in before.parts] == [(p.checker, p.kind) for p in again.parts]


def test_a_report_is_drawn_again(copy: RunFolder, tmp_path: Path) -> None:
    """From what is stored; the path is all that it prints."""
    before = copy.report.read_text()
    copy.report.unlink()
    code, out, err = finished(tmp_path, "report", str(copy.path))
    assert (0, f"{copy.report}\n", "") == (code, out, err)
    assert before.count("<section") == copy.report.read_text().count("<section")


def test_a_history_that_was_torn_by_a_kill_is_judged(copy: RunFolder, tmp_path: Path) -> None:
    """Its last line is dropped, which is told; the rest is judged by the run's own checkers."""
    whole = copy.history.read_bytes()
    copy.history.write_bytes(whole[: whole.rindex(b'"type"')])
    code, out, err = finished(tmp_path, "check", str(copy.path))
    assert "torn" in err
    assert code == CODES[out.split()[0]]
    assert code in (0, 2)


def test_the_command_that_it_names_runs_it_again(run: Ended) -> None:
    """The same faults at the same times; what the cluster makes of them may differ."""
    words = shlex.split(run.out.splitlines()[-1].removeprefix("again"))
    assert ["run", "--time-limit", "6", "--seed", "2"] == words[1:]
    assert shutil.which(words[0], path=str(run.cwd)) or shutil.which(words[0])
