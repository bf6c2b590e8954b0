"""What a run left beside its history, for whoever judges or draws it.

Rule: what is absent is empty. What is damaged is told where something would be judged by it, and
left out where it would only be drawn.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from checkers.history import History
from checkers.trace import merge_traces, read_trace
from checkers.verdict import StateDigest
from harness import cases, worldlog
from harness import scenario as scenarios
from harness.report.clocks import ClockSpan, clock_spans
from harness.report.logs import TEXT_MAX, LogLine, log_files, read_logs
from harness.report.stamps import Zone
from harness.report.words import clip
from harness.scenario import Scenario, outcome
from harness.scenario.outcome import Played
from harness.settle import expected
from harness.store.folder import RunFolder
from harness.store.wall import read_wall
from harness.trial import Trial, TrialError
from nemesis import schedule

_STRUCK = ("killed", "power failure", "stopped")  # by a fault, and not of itself


def run_of(path: Path) -> RunFolder | None:
    """The run that `path`, its folder or its history, belongs to."""
    folder = RunFolder(path if path.is_dir() else path.parent)
    ours = path.is_dir() or path.name == folder.history.name
    return folder if ours and folder.trial.exists() else None


def trial_of(path: Path) -> tuple[Trial | None, Mapping[str, Any]]:
    """The trial and where it ran; None and empty for a foreign history."""
    folder = run_of(path)
    if folder is None:
        return None, {}
    try:
        return folder.read_trial()
    except (yaml.YAMLError, msgspec.ValidationError, ValueError, OSError) as wrong:
        raise TrialError(
            [
                f"{folder.trial} is not the trial of a run: {wrong}. To check the history alone, "
                "copy it to another folder and name a --model."
            ]
        ) from wrong


def notices_of(path: Path) -> Sequence[str]:
    """What the run noticed."""
    folder = run_of(path)
    return () if folder is None else folder.read_notices()


def planned(path: Path, trial: Trial) -> tuple[str, ...]:
    """The kinds of faults that the run was to inject, none where its plan is gone."""
    folder = RunFolder(path if path.is_dir() else path.parent)
    if not folder.plan.exists():
        return ()
    asked_for = not folder.case.exists() or cases.read(folder.case).faults is None
    return expected(trial, schedule.read(folder.plan), asked_for=asked_for)


def scenario_of(path: Path) -> Scenario | None:
    """What was played instead of planned faults."""
    folder = run_of(path)
    if folder is None or not folder.scenario.exists():
        return None
    return scenarios.read(folder.scenario)


def played_of(path: Path) -> Played | None:
    """How far the script of a scenario came."""
    folder = run_of(path)
    return None if folder is None or not folder.played.exists() else outcome.read(folder.path)


def trace_of(path: Path, notices: list[str]) -> Sequence[Any]:
    """The protocol events of all nodes."""
    folder = run_of(path)
    if folder is None:
        return ()
    if folder.trace.exists():
        return read_trace(folder.trace, notices)
    if folder.origin.exists():
        # The harness was killed before it put them together; what is torn favours the system.
        return merge_traces(folder.node_traces(), int(folder.origin.read_text()), notices)
    return ()


def digests_of(path: Path, notices: list[str]) -> Sequence[StateDigest]:
    """What the replicas said of their states in the end."""
    folder = run_of(path)
    if folder is None:
        return ()
    try:
        return folder.read_digests()
    except ValueError as wrong:
        notices.append(f"The replicas were not compared: {folder.digests} is damaged: {wrong}.")
        return ()


def world_of(folder: RunFolder) -> Sequence[worldlog.WorldEvent]:
    """Empty for a run of real machines, and where somebody changed the file: nothing is judged by
    it, and a report without its picture is better than none."""
    with contextlib.suppress(worldlog.WorldLogError, OSError):
        return worldlog.read(folder.world)
    return ()


def clocks_of(history: History, trial: Trial | None = None) -> Sequence[ClockSpan]:
    """How far faults had put the clocks of nodes off, when. `trial`: None for a foreign history."""
    return clock_spans(history, one_clock=trial is not None and trial.cluster == "simulated")


def logs_of(
    path: Path,
    notices: list[str],
    *,
    clocks: Sequence[ClockSpan] = (),
    around_ns: int | None = None,
) -> Sequence[LogLine]:
    """What the nodes logged, on the time of the run; of machines, which log nothing, what became of
    them. `clocks`: by which stamps of skewed clocks are put right. `around_ns`: where the run is
    interesting; lines there are kept first."""
    folder = run_of(path)
    if folder is None:
        return ()
    if folder.world.exists():
        return [line for event in world_of(folder) for line in _as_line(event)]
    homes = sorted(home for home in folder.nodes.glob("*") if home.is_dir())
    files = {home.name: found for home in homes if (found := log_files(home))}
    if not files:
        return ()
    wall = read_wall(folder.wall)
    if wall is None:
        notices.append(
            f"No log lines are shown: {folder.wall} does not say what the wall clock showed as the "
            f"run began. The logs are in {folder.nodes}."
        )
        return ()
    trial, _ = trial_of(path)
    if trial is not None and trial.cluster == "ssh":
        notices.append(
            "Log lines stand where the clocks of their hosts put them, read in our time zone where "
            "they name none: they are as far off as those clocks differ from ours."
        )
    zone = Zone(wall.zone, wall.zone_offset_s)
    return read_logs(files, wall.utc_ns, notices, zone=zone, clocks=clocks, around_ns=around_ns)


def _as_line(event: worldlog.WorldEvent) -> Sequence[LogLine]:
    match event.what:
        case "start":
            said = f"starts, {event.records or 0} records recovered"
            return (LogLine(event.time, event.node, said),)
        case "crash":
            level = "" if event.text in _STRUCK else "error"
            return (LogLine(event.time, event.node, f"ends: {clip(event.text, TEXT_MAX)}", level),)
    return ()
