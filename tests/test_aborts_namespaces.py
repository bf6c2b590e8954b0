"""A run in a world of its own, ended early: the kernel takes back what the harness does not."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import psutil
import pytest

from harness.clusters.namespaces import world
from tests.command import PARTITION, Command, finished, schedule
from tests.test_aborts import (
    GENTLE,
    KILL,
    PAUSE,
    assert_can_be_judged_later,
    assert_judged,
    assert_nothing_left,
)


@pytest.fixture(autouse=True)
def _worlds() -> None:
    reason = world.obstacle()
    if reason is not None:
        assert os.environ.get("CI") != "true", f"in CI this must run: {reason}"
        pytest.skip(reason)


def long_run(home: Path, *faults: dict[str, str]) -> Command:
    steps = [(0.2 + number / 100, 600.0, fault) for number, fault in enumerate(faults)]
    words = ("--cluster", "namespaces", "--nodes", "3", "--time-limit", "600", *GENTLE)
    return Command(home, "run", "--faults", schedule(home, 600, *steps), *words)


def traces_of_worlds() -> tuple[set[str], set[str]]:
    """What a world would leave where everybody sees it: networks by name, and mounts."""
    networks = Path("/run/netns")
    named = {file.name for file in networks.iterdir()} if networks.exists() else set()
    mounts = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    return named, mounts


@pytest.mark.parametrize(
    ("number", "fault"),
    [(signal.SIGINT, PARTITION), (signal.SIGTERM, PAUSE)],
    ids=["SIGINT-partition", "SIGTERM-pause"],
)
def test_an_interrupted_run_heals_and_judges_what_there_is(
    tmp_path: Path, number: signal.Signals, fault: dict[str, str]
) -> None:
    """A signal to the process outside ends the run inside in order."""
    before = traces_of_worlds()
    with long_run(tmp_path, fault) as command:
        command.until_in_force(fault["fault"])
        command.interrupt(number)
        code = command.end()
        assert f"Interrupted by {number.name}" in command.out
        final = [o for o in command.journal() if o["process"] == "nemesis"][-1]
        assert ("heal", True) == (final["f"], final["value"]["in_effect"])
        assert_judged(command, code)
    assert before == traces_of_worlds()


def test_a_second_signal_leaves_at_once(tmp_path: Path) -> None:
    """Without healing, check or report."""
    with long_run(tmp_path, PAUSE) as command:
        command.until_in_force("pause")
        command.interrupt()
        command.until(lambda: "healing" in command.err, "the first signal's answer")
        command.interrupt()
        assert 255 == command.end()
        assert_nothing_left(command)


@pytest.mark.parametrize("faults", [(PARTITION, PAUSE, KILL), ()], ids=["broken", "starting"])
def test_nothing_outlives_a_harness_that_is_killed(
    tmp_path: Path, faults: tuple[dict[str, str], ...]
) -> None:
    """SIGKILL of the process outside: the kernel ends the world, stopped nodes and all."""
    before = traces_of_worlds()
    with long_run(tmp_path, *faults) as command:
        if faults:
            command.until_in_force(*(fault["fault"] for fault in faults))
        else:
            mine = psutil.Process(command.process.pid)
            command.until(lambda: len(mine.children(recursive=True)) > 4, "a world")
        os.kill(command.process.pid, signal.SIGKILL)
        assert -signal.SIGKILL == command.end()
        assert_nothing_left(command)
        if faults:
            assert_can_be_judged_later(command, tmp_path)
    assert before == traces_of_worlds()


@pytest.mark.parametrize("which", ["unshare", "the first process inside"])
def test_a_world_that_is_killed_is_told(tmp_path: Path, which: str) -> None:
    """At once, with where what was recorded is; nothing is left."""
    before = traces_of_worlds()
    with long_run(tmp_path, PARTITION, PAUSE) as command:
        command.until_in_force("partition", "pause")
        (unshare,) = psutil.Process(command.process.pid).children()
        (first,) = unshare.children()
        (unshare if which == "unshare" else first).kill()
        assert 255 == command.end()
        assert "the world of the run ended" in command.err
        assert f"'antipaxos check {command.folder}" in command.err.replace("\n", " ")
        assert "Traceback" not in command.err
        assert_nothing_left(command)
        assert_can_be_judged_later(command, tmp_path)
    assert before == traces_of_worlds()


def test_a_host_that_is_killed_is_told(tmp_path: Path) -> None:
    """The run ends in order and says so; what was recorded is judged, and is not called valid."""
    with long_run(tmp_path, KILL) as command:
        command.until_in_force("kill")
        keepers = [
            process
            for process in psutil.Process(command.process.pid).children(recursive=True)
            if any(word.endswith("host.py") for word in process.cmdline())
        ]
        assert len(keepers) == 6, "an outer and an inner one for each host"
        for keeper in keepers:
            with contextlib.suppress(psutil.NoSuchProcess):
                keeper.kill()
        command.interrupt()
        assert command.end() in (2, 255)
        notices = (command.folder / "notices.json").read_text()
        assert "the machine lost hosts in the middle of the run. Host n1: the keeper" in notices
        assert "Traceback" not in command.err
        assert (command.folder / "verdict.json").exists()
        assert_nothing_left(command)


def test_two_runs_in_one_store_leave_each_other_alone(tmp_path: Path) -> None:
    """The second heals what died, and the first is alive, though its processes cannot be seen."""
    with long_run(tmp_path, PAUSE) as first:
        first.until_in_force("pause")
        code, out, err = finished(
            tmp_path,
            *("run", "--cluster", "namespaces", "--nodes", "1", "--faults", "none"),
            *("--time-limit", "1", *GENTLE),
        )
        assert 0 == code, out + err
        assert "left by a run that died" not in err
        assert first.process.poll() is None
        first.interrupt()
        assert first.process.wait(30) in (0, 2)
