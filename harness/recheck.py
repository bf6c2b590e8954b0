"""Judging what is stored: the same road for a run that has just ended, one of last year, and a
history that somebody else recorded.

Rule: nothing here needs a cluster, and nothing that was recorded is changed.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from checkers.budget import Budget
from checkers.compose import check_all
from checkers.coverage import Coverage
from checkers.formats import read_history
from checkers.linearizability import Linearizable
from checkers.models import MODELS, Model, model
from checkers.trace import merge_traces, read_trace
from checkers.verdict import Checker, Recording, Verdict
from harness.contracts import EnvironmentTrouble
from harness.report.page import Subject, write_report
from harness.settle import breaks_something
from harness.store.folder import RunFolder
from harness.trial import Trial, TrialError, nearest
from harness.workloads import workload
from nemesis import schedule
from nemesis.faults import tag


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """`trial` and `environment` are of the stored run, None and empty for a foreign history.
    `notices`: sentences of the run (a node that crashed, Ctrl-C) and about the reading (a torn last
    line that was dropped)."""

    verdict: Verdict
    recording: Recording
    notices: Sequence[str]
    trial: Trial | None
    environment: Mapping[str, Any]


def check(
    path: Path,
    model_name: str | None = None,
    format_name: str | None = None,
    time_limit_s: float | None = None,
) -> Judged:
    """Judge a history file or a run's folder: by a model, or by the checkers of the run's workload.

    Raises FormatError, HistoryError, TraceError, TrialError: each says who is at fault and what to
    do.
    """
    given = None if model_name is None else _model(model_name)
    trial, environment = _trial_of(path)
    if given is None and trial is None:
        if not path.is_file():
            read_history(path, format_name)  # which says best what is wrong with a path
        raise TrialError(
            [
                f"{path} does not say what its operations mean. Name their sequential "
                f"specification with --model; valid are: {', '.join(sorted(MODELS))}."
            ]
        )
    loaded = read_history(path, format_name)
    notices = [*_notices_of(path), *loaded.notices]
    recording = Recording(
        history=loaded.history,
        trace=_trace_beside(path, notices),
        nodes=trial.node_names if trial else (),
    )
    if given is not None:
        limit_s = 60.0 if time_limit_s is None else time_limit_s
        judges: Sequence[Checker] = (Linearizable(given, Budget(time_s=limit_s)),)
    else:
        assert trial is not None
        judges = _checkers(trial, time_limit_s, _planned(path, trial))
    return Judged(
        verdict=check_all(judges, recording),
        recording=recording,
        notices=notices,
        trial=trial,
        environment=environment,
    )


def _model(name: str) -> Model:
    if name not in MODELS:
        raise TrialError([f"no model {name!r}. {nearest(name, MODELS)}"])
    return model(name)


def _checkers(
    trial: Trial, time_limit_s: float | None, planned: tuple[str, ...]
) -> Sequence[Checker]:
    limit_s = trial.check_time_limit_s if time_limit_s is None else time_limit_s
    of_workload = workload(
        trial.workload, trial.workload_options, check_time_limit_s=limit_s
    ).checkers()
    # Workloads know no faults; that each planned kind took effect is asked here.
    return [
        msgspec.structs.replace(c, planned=planned) if isinstance(c, Coverage) else c
        for c in of_workload
    ]


def _planned(path: Path, trial: Trial) -> tuple[str, ...]:
    """The kinds of faults that the run was to inject, none where its plan is gone."""
    folder = RunFolder(path if path.is_dir() else path.parent)
    if not folder.plan.exists():
        return ()
    kinds = tuple(dict.fromkeys(tag(fault) for fault in schedule.read(folder.plan).faults()))
    # A run too short for any of the faults that were asked for has exercised none of them.
    return kinds or (("fault",) if breaks_something(trial) else ())


def _run_of(path: Path) -> RunFolder | None:
    """The run that `path`, its folder or its history, belongs to."""
    folder = RunFolder(path if path.is_dir() else path.parent)
    ours = path.is_dir() or path.name == folder.history.name
    return folder if ours and folder.trial.exists() else None


def _trial_of(path: Path) -> tuple[Trial | None, Mapping[str, Any]]:
    folder = _run_of(path)
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


def _notices_of(path: Path) -> Sequence[str]:
    folder = _run_of(path)
    return () if folder is None else folder.read_notices()


def _trace_beside(path: Path, notices: list[str]) -> Sequence[Any]:
    folder = _run_of(path)
    if folder is None:
        return ()
    if folder.trace.exists():
        return read_trace(folder.trace, notices)
    if folder.origin.exists():
        # The harness was killed before it put them together; what is torn favours the system.
        return merge_traces(folder.node_traces(), int(folder.origin.read_text()), notices)
    return ()


def draw(folder: RunFolder, judged: Judged) -> None:
    """Draw the report of a run, in one piece. Raises OSError where it cannot be written."""
    draft = folder.report.with_name(f".{folder.report.name}.draft")
    try:
        write_report(draft, judged.verdict, judged.recording, _subject(folder, judged))
        draft.replace(folder.report)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def redraw(path: Path) -> Path:
    """Judge and draw a stored run again; the path of its report."""
    folder = RunFolder(path)
    if not folder.trial.exists():
        raise TrialError(
            [f"{path} is not the folder of a run: it has no trial.yaml. Name one, such as latest."]
        )
    judged = check(folder.path)
    try:
        draw(folder, judged)
    except OSError as wrong:
        raise EnvironmentTrouble(
            f"{folder.report} cannot be written: {wrong.strerror}. Free the disk or the name, and "
            f"run 'antipaxos report {path}' again."
        ) from wrong
    return folder.report


def rerun_command(trial: Trial, program: str = "antipaxos") -> str:
    """The command that runs a trial again: only what differs from the defaults, and the seed."""
    words = [program, "run"]
    default = Trial()
    for field in trial.__struct_fields__:
        value = getattr(trial, field)
        if field in ("options", "workload_options"):
            flag = f"--{field[:-1].replace('_', '-')}"
            for name, chosen in value.items():
                words += [flag, f"{name}={chosen}"]
        elif value != getattr(default, field) or (
            field == "workload" and "mutant" in trial.options
        ):
            words.append(f"--{field.removesuffix('_s').replace('_', '-')}")
            words.append(str(value).removesuffix(".0") if isinstance(value, float) else str(value))
    return shlex.join(words)


def _subject(folder: RunFolder, judged: Judged) -> Subject:
    trial = judged.trial
    assert trial is not None, "the report of a run needs its trial"
    settings = {
        "system": trial.system,
        "workload": trial.workload,
        "faults": trial.faults,
        "nodes": str(trial.nodes),
        "clients": str(trial.clients),
        "load": f"{trial.time_limit_s:g} s, "
        + (f"{trial.rate:g} operations a second" if trial.rate else "as fast as they go"),
        "seed": str(trial.seed),
        **trial.options,
    }
    return Subject(
        title=f"{trial.label} {folder.path.name}",
        rerun=rerun_command(trial),
        settings=settings,
        environment={"seed": str(trial.seed)} | {k: str(v) for k, v in judged.environment.items()},
        workers=trial.clients,
        notices=judged.notices,
    )
