"""The report of what was judged: of a run, in its folder; of anybody's history, where it is asked
for.

Rule: a report appears in one piece or not at all, and nothing else that is stored is changed.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness import beside
from harness.contracts import EnvironmentTrouble
from harness.recheck import Asked, Judged, check
from harness.report.explanations import explanations
from harness.report.findings import Subject
from harness.report.page import render
from harness.report.picture import MARK
from harness.scenario.staging import workers_of
from harness.settle import settle
from harness.store.folder import RunFolder
from harness.trial import Trial, TrialError


def draw(folder: RunFolder, judged: Judged) -> None:
    """Draw the report of a run. Raises OSError where it cannot be written."""
    put(folder.report, page(judged, subject_of_run(folder, judged)).encode())


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


def page(judged: Judged, subject: Subject) -> str:
    """With the mark by which `antipaxos report` knows it again, behind the doctype."""
    drawn = render(judged.verdict, judged.recording, subject)
    doctype, rest = drawn.split("\n", 1)
    return f"{doctype}\n<!-- {MARK} -->\n{rest}"


def put(file: Path, content: bytes) -> None:
    """Write a file in one piece. Raises OSError."""
    draft = file.with_name(f".{file.name}.draft")
    try:
        draft.write_bytes(content)
        draft.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def subject_of(path: Path, judged: Judged, asked: Asked) -> Subject:
    """Of a run by its folder or its history, or of a foreign history."""
    folder = beside.run_of(path)
    if folder is not None and judged.trial is not None:
        return subject_of_run(folder, judged)
    return subject_of_history(path, judged, asked)


def subject_of_run(folder: RunFolder, judged: Judged) -> Subject:
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
    clocks = beside.clocks_of(judged.recording.history, trial)
    notices = [*judged.notices]
    logs = beside.logs_of(folder.path, notices, clocks=clocks, around_ns=_moment_ns(judged))
    return Subject(
        title=f"{trial.label} {folder.path.name}",
        rerun=again(folder, trial),
        settings=settings,
        environment={"seed": str(trial.seed)} | {k: str(v) for k, v in judged.environment.items()},
        workers=workers_of(trial, beside.scenario_of(folder.path)),
        notices=notices,
        world=beside.world_of(folder),
        logs=logs,
        clocks=clocks,
        files=_files(folder),
        path=str(folder.path),
        models=judged.models,
    )


def _moment_ns(judged: Judged) -> int | None:
    """When what was found wrong took place."""
    for one in explanations(judged.verdict, judged.recording):
        times = [c.invoke.time for c in one.calls if c.index in one.culprits]
        if times:
            return min(times)
    return None


def _files(folder: RunFolder) -> Sequence[str]:
    """What else is in the folder, and what each node left directly in its own."""
    found = [f for f in folder.path.iterdir() if f.is_file() and not f.name.startswith(".")]
    found += [f for home in folder.nodes.glob("*") for f in home.glob("*") if f.is_file()]
    names = (str(file.relative_to(folder.path)) for file in found if file != folder.report)
    return sorted(names, key=lambda name: (name.count("/"), name))


def subject_of_history(path: Path, judged: Judged, asked: Asked) -> Subject:
    """What can be known of a history that somebody else recorded."""
    options = {name: _spelt(value) for name, value in asked.model_options.items()}
    return Subject(
        title=path.name,
        rerun=check_command(path, asked),
        settings={"history": str(path), "model": asked.model_name or "", **options},
        notices=judged.notices,
        clocks=beside.clocks_of(judged.recording.history),
        path=str(path),
        models=judged.models,
        statistics=judged.overview,
    )


def check_command(path: Path, asked: Asked, program: str = "antipaxos") -> str:
    """The command that judges a history again."""
    words = [program, "check", str(path), "--model", asked.model_name or ""]
    for name, value in asked.model_options.items():
        words += ["--model-option", f"{name}={_spelt(value)}"]
    if asked.format_name is not None:
        words += ["--format", asked.format_name]
    return shlex.join(words)


def again(folder: RunFolder, trial: Trial, program: str = "antipaxos") -> str:
    """The command that has this run once more: of a case that is written down, its replay."""
    if folder.case.exists():
        return shlex.join([program, "replay", str(folder.path)])
    return rerun_command(trial, program)


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


def _spelt(value: object) -> str:
    """As --model-option takes it."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
