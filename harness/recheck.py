"""Judging what is stored: the same road for a run that has just ended, one of last year, and a
history that somebody else recorded.

Rule: nothing here needs a cluster, and nothing that was recorded is changed.
"""

from __future__ import annotations

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
from checkers.statistics import Statistics
from checkers.verdict import Checker, Kind, Recording, Verdict
from harness import beside
from harness.excerpt import Overview, excerpt_of, overview_of
from harness.report import words
from harness.scenario.staging import exercising
from harness.trial import Trial, TrialError, nearest
from harness.workloads import workload

if TYPE_CHECKING:
    from checkers._engine import Table

TIME_LIMIT_S = 60.0
STREAMED_FROM_BYTES = 1_000_000
LARGE_BYTES = 64_000_000  # more is not held as objects where it can be helped
STEPS_MAX = 40  # of a partial linearization that are looked up
LINE_BYTES = 100  # of a history.jsonl, at least about
OBJECT_BYTES_PER_BYTE = 8  # of a file, once it is operations and calls


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """`trial` and `environment` are of the stored run, None and empty for a foreign history.
    `notices`: sentences of the run (a node that crashed, Ctrl-C) and about the reading (a torn last
    line that was dropped). `operations`: how many clients began. `excerpt`: the recording holds
    only a part, and the rest was never held. `overview`: the statistics of all of it, where that
    was to be drawn. `model`: the one named. `models`: those that were judged by."""

    verdict: Verdict
    recording: Recording
    notices: Sequence[str]
    trial: Trial | None
    environment: Mapping[str, Any]
    operations: int
    excerpt: bool = False
    overview: Statistics | None = None
    model: Model | None = None
    models: Sequence[Model] = ()


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """How to judge. `model_name`: None for the checkers of the run's workload. `format_name`: None
    to find it out. `time_limit_s`: for each history; None for 60, or what the trial says.
    `memory_limit`: bytes that the search may hold beyond the history, and that a history may take
    that plain Python reads. `threads`: of the engine. `explain`: a
    small history that contradicts by itself is looked for, too. `drawn`: what was judged will be
    drawn, so that more is wanted of it than evidence names."""

    model_name: str | None = None
    model_options: Mapping[str, Any] = {}
    format_name: str | None = None
    time_limit_s: float | None = None
    memory_limit: int | None = None
    threads: int = 1
    explain: bool = False
    drawn: bool = False


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
        return msgspec.structs.replace(
            _undecided(too_large, notices, path, asked), trial=trial, environment=environment
        )
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
        models=[judge.model for judge in judges if isinstance(judge, Linearizable)],
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
    notices = [*beside.notices_of(path), *_about_reading(table)]
    held, overview = None, None
    if asked.drawn and _size(file) <= LARGE_BYTES:
        held = read_history(file, asked.format_name).history
    elif asked.drawn:
        overview = overview_of(file, _named(verdict), table.calls)
        notices = [*_part_drawn(overview, table.calls), *notices]
    shown = overview.drawn if overview else held or excerpt_of(file, _named(verdict))
    return Judged(
        verdict=verdict,
        recording=Recording(history=shown),
        notices=notices,
        trial=None,
        environment={},
        operations=table.calls,
        excerpt=held is None,
        overview=overview.statistics if overview else None,
        model=given,
        models=[given],
    )


def _part_drawn(overview: Overview, calls: int) -> list[str]:
    """A notice of what is left out of a drawing, if anything is."""
    shown = overview.drawn.calls()
    drawn = len(shown)
    if drawn == calls:
        return []
    rest = "every one" if overview.every == 1 else f"one in {overview.every}"
    about = ""
    if overview.start_ns is not None and overview.end_ns is not None:
        start_s, end_s = overview.start_ns / 1e9, overview.end_ns / 1e9
        timed = any(not words.untimed(call) for call in shown)
        span = f" from {start_s:.3f} s to {end_s:.3f} s," if timed else ""
        about = f"all{span} about the contradiction, and "
        rest += " of the rest"
    return [f"Of {calls:,} operations {drawn:,} are drawn: {about}{rest}. All are in the numbers."]


def _about_reading(table: Table) -> list[str]:
    """The notices that Python gives when it reads the file."""
    dropped = [] if table.torn is None else [torn(*table.torn)]
    return [*dropped, *unjudged(table.unjudged)]


def _named(verdict: Verdict) -> set[int]:
    """The calls that the evidence speaks of."""
    found = verdict.evidence.get("contradiction", {})
    start = found.get("start") or {}
    listed = [found.get("window", []), found.get("core", [])]
    listed += [[start["operation"]]] if start else []
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


def _undecided(why: str, notices: list[str], path: Path, asked: Asked) -> Judged:
    """Where nothing was read to be judged; a file of ours is still read to be drawn."""
    file = path / IN_FOLDERS[0] if path.is_dir() else path
    overview = None
    if asked.drawn and file.suffix in (".jsonl", ".ndjson"):
        overview = overview_of(file, (), _size(file) // LINE_BYTES)
        counted = overview.statistics.availability.invoked
        notices = [*notices, *_part_drawn(overview, counted)]
    return Judged(
        verdict=Verdict(
            checker="linearizable",
            kind=Kind.UNKNOWN,
            cause="budget",
            summary=why,
            evidence={"limit": "memory"},
        ),
        recording=Recording(history=overview.drawn if overview else History(())),
        notices=notices,
        trial=None,
        environment={},
        operations=overview.statistics.availability.invoked if overview else 0,
        excerpt=True,
        overview=overview.statistics if overview else None,
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
