"""`antipaxos nightly`: many runs by a plan, all night."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from checkers.verdict import Kind
from harness.console import tell
from harness.interruption import Interruptions, write_at_once
from harness.nightly import spec as specs
from harness.nightly import summary
from harness.nightly import trends as comparing
from harness.nightly.archive import Archive
from harness.nightly.executors import Executor, Here, OnDask
from harness.nightly.grouping import came_back
from harness.nightly.night import Conductor, Over
from harness.nightly.progress import Progress
from harness.nightly.spec import Spec, duration_s
from harness.trial import TrialError

TROUBLE = 255
STORE = "antipaxos-runs"
_TROUBLED = ("trouble", "hung", "lost")


def exit_code(over: Over, fail_on: str) -> int:
    """1 for a failure, any or only one that is new or back; 255 where the night or one of its runs
    could not be carried out; 2 where nothing was learnt, which of known failures alone nothing is;
    else 0."""
    night = over.night
    back = any(came_back(group, night.name) for group in over.groups)
    news = bool(night.new) or back
    failed = news if fail_on == "new" else night.ends.get("invalid", 0) > 0
    if failed:
        return Kind.INVALID.exit_code
    if over.troubles or any(night.ends.get(end) for end in _TROUBLED):
        return TROUBLE
    if not night.ends.get("valid"):
        return Kind.UNKNOWN.exit_code
    return Kind.VALID.exit_code


def _changed(spec: Spec, budget: str | None, workers: int | None, store: str | None) -> Spec:
    changes: dict[str, Any] = {}
    if budget is not None:
        changes["budget_s"] = duration_s(budget)
        if changes["budget_s"] is None:
            raise click.UsageError(f"--budget {budget!r}: give a duration such as 8h or 1h30m")
    if workers is not None:
        changes["workers"] = workers
    if store is not None:
        changes["store"] = store
    return msgspec.structs.replace(spec, **changes)


def _executor(spec: Spec, dask: str | None) -> Executor:
    if dask is None:
        return Here(spec.workers)
    return OnDask(dask, spec.workers)


def _conducted(spec: Spec, dask: str | None) -> tuple[Over, Archive]:
    if spec.store.startswith("memory:"):
        raise TrialError(
            [f"{spec.store} is the memory of one process: runs have others. Give a folder."]
        )
    archive = Archive(spec.store)
    with Interruptions() as interruptions, contextlib.closing(Progress()) as progress:
        executor = _executor(spec, dask)
        try:
            conductor = Conductor(spec, archive, executor)
        except BaseException:
            executor.close()
            raise

        def act(name: str) -> None:
            write_at_once(f"{name}: ending; what runs is waited for. Once more leaves at once.\n")
            conductor.stop(f"it was ended by {name}")

        interruptions.act = act
        for sentence in conductor.notices:
            progress.say(sentence)
        progress.say(
            f"night {conductor.name}: {len(spec.cells)} cells, for "
            f"{specs.duration_text(spec.budget_s)}, into {archive.address}"
        )
        return conductor.run(progress.show), archive


@click.command(name="nightly")
@click.argument("plan", metavar="[SPEC]", type=click.Path(path_type=Path), required=False)
@click.option("--budget", metavar="DURATION", help="As in 8h, 1h30m or 90s. [SPEC's, or 8h]")
@click.option("--dask", metavar="ADDRESS", help="Of its scheduler; 'local' starts one here.")
@click.option("--workers", type=click.IntRange(min=1), help="Runs at the same time. [all cores]")
@click.option("--store", metavar="ADDRESS", help="A folder, or an address that fsspec knows.")
@click.option(
    "--fail-on",
    type=click.Choice(["any", "new"]),
    default="any",
    show_default=True,
    help="Which failures give exit code 1.",
)
@click.option("--trends", is_flag=True, help="Run nothing: show how the nights compare.")
@click.option("--json", "as_json", is_flag=True, help="Print the night and its groups as JSON.")
def command(
    plan: Path | None,
    dask: str | None,
    fail_on: str,
    *,
    trends: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Many runs by a plan, all night: failures grouped with those of earlier nights, and kept.

    \b
    antipaxos nightly night.yaml
    antipaxos nightly night.yaml --budget 30m --fail-on new
    antipaxos nightly --trends
    antipaxos nightly night.yaml --dask tcp://10.0.0.1:8786 --store s3://bucket/nights

    SPEC is a YAML file (docs/nightly.md). Seeds go on from the night before. Ctrl-C and SIGTERM end
    the night in order, with its summary; the second leaves at once.
    """
    if trends:
        _tell_trends(Archive(given["store"] or STORE), as_json=as_json)
        return
    if plan is None:
        raise click.UsageError("give the plan of the night, a YAML file (docs/nightly.md)")
    spec = _changed(specs.read(plan), **given)
    over, archive = _conducted(spec, dask)
    _tell(over, archive, as_json=as_json)
    sys.exit(exit_code(over, fail_on))


def _tell_trends(archive: Archive, *, as_json: bool) -> None:
    found = comparing.trends(
        archive.nights(), archive.records, archive.groups(), digest_of=archive.digest
    )
    if as_json:
        tell([msgspec.json.format(msgspec.json.encode(found), indent=2).decode()])
        return
    few = [f"{len(found.nights)} nights in {archive.address}: there is nothing to compare yet"]
    tell(comparing.lines(found) or few)
    tell(archive.notices, aside=True)


def _tell(over: Over, archive: Archive, *, as_json: bool) -> None:
    if as_json:
        told = {"night": over.night, "groups": over.groups, "troubles": over.troubles}
        tell([msgspec.json.format(msgspec.json.encode(told), indent=2).decode()])
    else:
        tell(summary.terminal(over.night, over.groups, archive.address))
    unsaid = [s for s in over.troubles if as_json or s not in over.night.notices]
    tell([f"antipaxos: {sentence}" for sentence in unsaid], aside=True)
