"""Whatever ends a run early: nothing is left behind, and what was recorded can be judged."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import msgspec
import psutil
import pytest

from checkers.verdict import Kind, Verdict
from harness.store.folder import RunFolder
from nemesis.ledger import open_entries
from tests.command import PARTITION, Command, finished, schedule, until

PAUSE = {"fault": "pause", "target": "one"}
KILL = {"fault": "kill", "target": "one"}
GENTLE = ("--rate", "60", "--clients", "5")

# Sends itself signals while the history is judged, the cluster being gone by then.
INTERRUPTED_CHECK = """
import os, signal, sys
from harness import cli, recheck
check = recheck.check
def interrupted(*given):
    for _ in range(int(os.environ["SIGNALS"])):
        os.kill(os.getpid(), signal.SIGTERM)
    return check(*given)
recheck.check = interrupted
sys.argv[0] = "antipaxos"
cli.main()
"""


def long_run(home: Path, *faults: dict[str, str], nodes: int = 5) -> Command:
    """A run that would take ten minutes, with these faults in force from its beginning on."""
    steps = [(0.2 + number / 100, 600.0, fault) for number, fault in enumerate(faults)]
    words = ("--nodes", str(nodes), "--time-limit", "600", *GENTLE)
    return Command(home, "run", "--faults", schedule(home, 600, *steps), *words)


def assert_nothing_left(command: Command) -> None:
    until(lambda: not command.left_over(), "the end of every process")
    assert [] == list(command.elsewhere.iterdir())
    assert ["antipaxos-runs"] == [path.name for path in command.cwd.iterdir()]


def assert_judged(command: Command, code: int) -> None:
    """What the run said, stored and left."""
    folder = RunFolder(command.folder)
    verdict = msgspec.json.decode(folder.verdict.read_bytes(), type=Verdict)
    assert verdict.kind.name == command.out.split()[0], command.out + command.err
    assert verdict.kind.exit_code == code
    assert len(command.out.splitlines()) <= 20
    assert folder.report.stat().st_size > 0
    assert folder.schedule.exists()
    assert [] == open_entries(folder.ledger)
    assert_nothing_left(command)


@pytest.mark.parametrize(
    ("number", "fault"),
    [(signal.SIGINT, PARTITION), (signal.SIGTERM, PAUSE), (signal.SIGINT, KILL)],
    ids=["SIGINT-partition", "SIGTERM-pause", "SIGINT-kill"],
)
def test_an_interrupted_run_heals_and_judges_what_there_is(
    tmp_path: Path, number: signal.Signals, fault: dict[str, str]
) -> None:
    """The fault in force is undone, and seen to be; the verdict decides the exit code."""
    with long_run(tmp_path, fault) as command:
        command.until_in_force(fault["fault"])
        command.interrupt(number)
        code = command.end()
        assert f"{number.name}: healing" in command.err
        assert f"Interrupted by {number.name}" in command.out
        final = [o for o in command.journal() if o["process"] == "nemesis"][-1]
        assert ("heal", True) == (final["f"], final["value"]["in_effect"])
        assert_judged(command, code)


def test_an_interruption_of_the_final_phase_is_no_different(tmp_path: Path) -> None:
    """The healed system is not waited for any longer."""
    words = ("--faults", "none", "--time-limit", "0.5", "--recovery", "600", "--nodes", "3")
    with Command(tmp_path, "run", *words, *GENTLE) as command:
        command.until_logged("is healed; recovery")
        command.interrupt()
        assert_judged(command, command.end())


def test_an_interruption_before_the_nodes_are_up_leaves_nothing(tmp_path: Path) -> None:
    """Nothing was recorded, so nothing is judged: 255."""
    with long_run(tmp_path) as command:
        command.until(lambda: bool(command.nodes()), "the keeper or a node")
        command.interrupt()
        code = command.end()
        if not command.journal():
            assert (255, "") == (code, command.out)
            assert "Interrupted" in command.err
            assert [] == open_entries(RunFolder(command.folder).ledger)
        assert_nothing_left(command)


@pytest.mark.parametrize(("signals", "told"), [(1, True), (2, False)], ids=["once", "twice"])
def test_the_check_goes_on_at_the_first_signal_and_ends_at_the_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signals: int, told: bool
) -> None:
    """By then everything is on disk, so leaving loses nothing."""
    monkeypatch.setenv("SIGNALS", str(signals))
    program = (sys.executable, "-c", INTERRUPTED_CHECK)
    words = ("--faults", "none", "--time-limit", "0.5", "--nodes", "3", "--recovery", "0")
    with Command(tmp_path, "run", *words, *GENTLE, program=program) as command:
        code = command.end()
        assert "its judging goes on" in command.err
        if told:
            assert_judged(command, code)
        else:
            assert (255, "") == (code, command.out)
            assert not (command.folder / "verdict.json").exists()
            assert_nothing_left(command)
    (tmp_path / "later").mkdir()
    assert 0 == finished(tmp_path / "later", "check", str(command.folder))[0]


def test_a_second_signal_leaves_at_once(tmp_path: Path) -> None:
    """Without healing, check or report; the keeper ends the nodes, the stopped one too."""
    with long_run(tmp_path, PAUSE) as command:
        command.until_in_force("pause")
        command.interrupt()
        command.until(lambda: "healing" in command.err, "the first signal's answer")
        command.interrupt()
        assert 255 == command.end()
        assert "" == command.out
        assert_nothing_left(command)
        assert_can_be_judged_later(command, tmp_path)


@pytest.mark.parametrize("faults", [(PARTITION, PAUSE, KILL), ()], ids=["broken", "starting"])
def test_nothing_outlives_a_harness_that_is_killed(
    tmp_path: Path, faults: tuple[dict[str, str], ...]
) -> None:
    """SIGKILL cannot be handled: the keeper sees its pipe close, and ends even stopped nodes."""
    with long_run(tmp_path, *faults) as command:
        if faults:
            command.until_in_force(*(fault["fault"] for fault in faults))
            assert psutil.STATUS_STOPPED in {node.status() for node in command.nodes()}
        else:
            command.until(lambda: len(command.nodes()) > 2, "nodes that start")
        os.kill(command.process.pid, signal.SIGKILL)
        assert -signal.SIGKILL == command.end()
        assert_nothing_left(command)
        if faults:
            assert_can_be_judged_later(command, tmp_path)
        else:
            later = tmp_path / "later"
            later.mkdir()
            assert 0 == finished(later, "heal", str(command.folder))[0]
            assert [] == open_entries(command.folder / "ledger.jsonl")


def assert_can_be_judged_later(command: Command, home: Path) -> None:
    """The ledger is worked off, and the history says what it can."""
    later = home / "later"
    later.mkdir()
    code, out, err = finished(later, "heal", str(command.folder))
    assert (0, "nothing was left to undo\n", "") == (code, out, err)
    assert [] == open_entries(command.folder / "ledger.jsonl")
    code, out, _ = finished(later, "check", str(command.folder), "--json")
    parts = {p.checker: p.kind for p in msgspec.json.decode(out, type=Verdict).parts}
    assert Kind.VALID is parts["linearizable"], out
    assert Kind.VALID is parts["laws"], "torn traces are read in favour of the system"
    assert code in (0, 2)
