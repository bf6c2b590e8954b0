"""Judging what is stored: the same road for a run that has just ended, one of last year, and a
history that somebody else recorded.

Rule: nothing here needs a cluster, and nothing that was recorded is changed.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from checkers.budget import Budget
from checkers.compose import check_all
from checkers.formats import read_history, torn, unjudged
from checkers.formats.reading import IN_FOLDERS
from checkers.history import History
from checkers.linearizability import Linearizable, check_table
from checkers.linearizability.engine import available, table_of, why_not
from checkers.models import MODELS, Model, model
from checkers.replicas import ReplicasEqual
from checkers.verdict import Checker, Kind, Recording, Verdict
from harness import beside
from harness.contracts import EnvironmentTrouble
from harness.excerpt import excerpt_of
from harness.report.page import Subject, write_report
from harness.scenario.staging import exercising, workers_of
from harness.settle import settle
from harness.store.folder import RunFolder
from harness.trial import Trial, TrialError, nearest
from harness.workloads import workload

if TYPE_CHECKING:
    from checkers._engine import Table

TIME_LIMIT_S = 60.0
STREAMED_FROM_BYTES = 1_000_000
LARGE_BYTES = 64_000_000
STEPS_MAX = 40  # of a partial linearization that are looked up
OBJECT_BYTES_PER_BYTE = 8  # of a file, once it is operations and calls


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """`trial` and `environment` are of the stored run, None and empty for a foreign history.
    `notices`: sentences of the run (a node that crashed, Ctrl-C) and about the reading (a torn last
    line that was dropped). `operations`: how many clients began. `excerpt`: the recording holds
    only those that the evidence names, and the rest was never held. `model`: the one named."""

    verdict: Verdict
    recording: Recording
    notices: Sequence[str]
    trial: Trial | None
    environment: Mapping[str, Any]
    operations: int
    excerpt: bool = False
    model: Model | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """How to judge. `model_name`: None for the checkers of the run's workload. `format_name`: None
    to find it out. `time_limit_s`: for each history; None for 60, or what the trial says.
    `memory_limit`: bytes that the search may hold beyond the history, and that a history may take
    that plain Python reads. `threads`: of the engine. `explain`: a
    small history that contradicts by itself is looked for, too."""

    model_name: str | None = None
    model_options: Mapping[str, Any] = {}
    format_name: str | None = None
    time_limit_s: float | None = None
    memory_limit: int | None = None
    threads: int = 1
    explain: bool = False


_AS_RECORDED = Asked()


def check(path: Path, asked: Asked = _AS_RECORDED) -> Judged:
    """Judge a history file or a run's folder: by a model, or by the checkers of the run's workload.

    Raises FormatError, HistoryError, TraceError, TrialError: each says who is at fault and what to
    do.
    """
    given = None if asked.model_name is None else chosen_model(asked)
    trial, environment = beside.trial_of(path)
    if given is None and trial is None:
        if not path.is_file():
            read_history(path, asked.format_name)  # which says best what is wrong with a path
        raise TrialError(
            [
                f"{path} does not say what its operations mean. Name their sequential "
                f"specification with --model; valid are: {', '.join(sorted(MODELS))}."
            ]
        )
    if given is not None:
        streamed = _streamed(path, given, asked)
        if streamed is not None:
            return streamed
    notices = [*beside.notices_of(path)]
    too_large = _too_large(path, asked, notices)
    if too_large is not None:
        return _undecided(too_large, notices, trial, environment)
    loaded = read_history(path, asked.format_name)
    notices += loaded.notices
    recording = Recording(
        history=loaded.history,
        trace=beside.trace_of(path, notices),
        nodes=trial.node_names if trial else (),
        digests=beside.digests_of(path, notices),
    )
    if given is not None:
        judges: Sequence[Checker] = (Linearizable(given, _budget(asked), alone=asked.explain),)
    else:
        assert trial is not None
        judges = exercising(
            _checkers(trial, asked.time_limit_s),
            beside.planned(path, trial),
            beside.scenario_of(path),
            beside.played_of(path),
        )
        if recording.digests and trial.nodes > 1:  # one alone has nobody to differ from
            judges = [*judges, ReplicasEqual()]
        if asked.explain:
            judges = [j.standing_alone() if isinstance(j, Linearizable) else j for j in judges]
    return Judged(
        verdict=check_all(judges, recording),
        recording=recording,
        notices=notices,
        trial=trial,
        environment=environment,
        operations=len(loaded.history.calls()),
        model=given,
    )


def chosen_model(asked: Asked) -> Model:
    """Raises TrialError where there is no such model, or it does not take the options."""
    assert asked.model_name is not None, "a model was named"
    if asked.model_name not in MODELS:
        raise TrialError([f"no model {asked.model_name!r}. {nearest(asked.model_name, MODELS)}"])
    try:
        return model(asked.model_name, asked.model_options)
    except ValueError as wrong:
        raise TrialError([str(wrong)]) from wrong


def _budget(asked: Asked) -> Budget:
    time_s = TIME_LIMIT_S if asked.time_limit_s is None else asked.time_limit_s
    return Budget(time_s, memory=asked.memory_limit)


def _streamed(path: Path, given: Model, asked: Asked) -> Judged | None:
    """The verdict on a large file of ours, which is judged without becoming Python objects. None
    where it is small, or not plainly right: then Python reads it, and finds the words."""
    file = path / IN_FOLDERS[0] if path.is_dir() else path
    if asked.format_name not in (None, "jsonl") or _size(file) < STREAMED_FROM_BYTES:
        return None
    table = table_of(file)
    if table is None:
        return None
    verdict = check_table(table, given, _budget(asked), alone=asked.explain, threads=asked.threads)
    return Judged(
        verdict=verdict,
        recording=Recording(history=excerpt_of(file, _named(verdict))),
        notices=[*beside.notices_of(path), *_about_reading(table)],
        trial=None,
        environment={},
        operations=table.calls,
        excerpt=True,
        model=given,
    )


def _about_reading(table: Table) -> list[str]:
    """The notices that Python gives when it reads the file."""
    dropped = [] if table.torn is None else [torn(*table.torn)]
    return [*dropped, *unjudged(table.unjudged)]


def _named(verdict: Verdict) -> set[int]:
    """The calls that the evidence speaks of."""
    found = verdict.evidence.get("contradiction", {})
    start = found.get("start") or {}
    listed = [found.get("window", []), found.get("core", []), [start.get("operation", -1)]]
    listed += [found.get("alone", {}).get("operations", [])]
    listed += [partial["order"][-STEPS_MAX:] for partial in found.get("partial", [])]
    return {index for indices in listed for index in indices}


def _too_large(path: Path, asked: Asked, notices: list[str]) -> str | None:
    """Why plain Python does not read a file; tells that it will take its time where it does."""
    file = next((path / name for name in IN_FOLDERS if (path / name).is_file()), path)
    size = _size(file)
    needed = size * OBJECT_BYTES_PER_BYTE
    if asked.memory_limit is not None and needed > asked.memory_limit:
        return (
            f"Not read, since it takes more than {asked.memory_limit:,} bytes: as Python objects "
            f"the {size:,} bytes of the file need about {needed:,}."
        )
    if size >= LARGE_BYTES and not available():
        notices.append(
            f"{file} is large, and plain Python reads and judges it: there is no engine, since "
            f"{why_not()}."
        )
    return None


def _undecided(
    why: str, notices: Sequence[str], trial: Trial | None, environment: Mapping[str, Any]
) -> Judged:
    return Judged(
        verdict=Verdict(
            checker="linearizable",
            kind=Kind.UNKNOWN,
            cause="budget",
            summary=why,
            evidence={"limit": "memory"},
        ),
        recording=Recording(history=History(())),
        notices=notices,
        trial=trial,
        environment=environment,
        operations=0,
        excerpt=True,
    )


def _size(file: Path) -> int:
    """In bytes; 0 where reading it will say what is wrong."""
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _checkers(trial: Trial, time_limit_s: float | None) -> Sequence[Checker]:
    limit_s = trial.check_time_limit_s if time_limit_s is None else time_limit_s
    return workload(trial.workload, trial.workload_options, check_time_limit_s=limit_s).checkers()


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
    default = _usual(trial)
    for field in trial.__struct_fields__:
        value = getattr(trial, field)
        if field in ("options", "cluster_options", "workload_options"):
            flag = f"--{field[:-1].replace('_', '-')}"
            for name, chosen in value.items():
                text = str(chosen).lower() if isinstance(chosen, bool) else str(chosen)
                words += [flag, f"{name}={text}"]
        elif value != getattr(default, field) or (
            field == "workload" and "mutant" in trial.options
        ):
            words.append(f"--{field.removesuffix('_s').replace('_', '-')}")
            words.append(str(value).removesuffix(".0") if isinstance(value, float) else str(value))
    return shlex.join(words)


def _usual(trial: Trial) -> Trial:
    """What needs no flag: the defaults, and what the file of its scenario says."""
    with contextlib.suppress(TrialError):
        if trial.scenario:
            settled = settle(None, {"scenario": trial.scenario})
            return msgspec.structs.replace(settled, scenario="")  # itself it needs
    return Trial()


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
        rerun=again(folder, trial),
        settings=settings,
        environment={"seed": str(trial.seed)} | {k: str(v) for k, v in judged.environment.items()},
        workers=workers_of(trial, beside.scenario_of(folder.path)),
        notices=judged.notices,
        world=beside.world_of(folder),
    )


def again(folder: RunFolder, trial: Trial, program: str = "antipaxos") -> str:
    """The command that has this run once more: of a case that is written down, its replay."""
    if folder.case.exists():
        return shlex.join([program, "replay", str(folder.path)])
    return rerun_command(trial, program)
