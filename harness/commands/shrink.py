"""`antipaxos shrink`: a failing run made small, and kept."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click
import msgspec
from rich.console import Console
from rich.status import Status

from checkers.verdict import Kind
from harness import repeats, replay, shrink_real
from harness.cases import Case
from harness.commands.replay import law_of
from harness.console import tell
from harness.contracts import EnvironmentTrouble
from harness.fingerprint import fingerprint
from harness.keeping import keep
from harness.loop import ClientBug, GeneratorError
from harness.repeats import Repetition, share_told
from harness.run import shown
from harness.shrink import NotFailing, Shrunk, shrink
from harness.shrink_real import Plan, Reduced
from harness.simulate import Simulated, simulate
from harness.simulation.loop import Stalled
from harness.smaller import Counts, counts
from harness.store.folder import ROOT, RunFolder
from harness.stored import Stored, find
from harness.trial import TrialError, nearest
from nemesis import schedule

TIME_LIMIT_S = 60.0
STORY_LINES_MAX = 60
CANDIDATES = "shrinking"  # in the folder of the run: the schedules that were tried


# --- simulated runs ---


def law_asked(simulated: Simulated, law: str | None) -> str:
    """The law to keep broken: the one named, or the fingerprint's. Raises TrialError."""
    found = fingerprint(simulated.verdict())
    if found is None:
        raise TrialError(["the run breaks no law: there is nothing to make small"])
    if law is not None and law not in found.seen_by:
        raise TrialError([f"the run does not break {law!r}. {nearest(law, found.seen_by)}"])
    return law or found.law


def shrunk(case: Case, law: str | None, time_limit_s: float) -> Shrunk:
    """Raises TrialError where nothing fails, EnvironmentTrouble where it cannot be carried out."""
    try:
        law = law_asked(simulate(case), law)
        with _progress(f"making {law} small") as status, _on_interrupt() as stopped:

            def told(best: Case, runs: int) -> None:
                status.update(f"making {law} small: {_counted(counts(best))}; {runs} runs")

            return shrink(case, law, time_limit_s, told=told, stopped=stopped)
    except NotFailing as wrong:
        raise TrialError([str(wrong)]) from wrong
    except (ClientBug, GeneratorError, Stalled) as wrong:
        raise EnvironmentTrouble(str(wrong)) from wrong


def _counted(found: Counts) -> str:
    return ", ".join(
        _several(count, what)
        for count, what in (
            (found.clients, "client"),
            (found.faults, "fault"),
            (found.operations, "operation"),
            (found.numbers, "other choice"),
        )
    )


def _several(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def lines(came: Shrunk, folder: RunFolder) -> list[str]:
    """The outcome for a terminal."""
    share = came.after / max(1, came.before)
    told = [
        f"made small  {came.law} by {_several(came.after, 'choice')} instead of {came.before:,} "
        f"({100 * share:.1f} %), {came.runs} runs in {came.seconds:.1f} s"
        + ("" if came.ended else "; not ended: more may go"),
        f"before      {_counted(came.counts_before)}, {_several(came.messages_before, 'message')}",
        f"after       {_counted(came.counts_after)}, {_several(came.messages_after, 'message')}",
        f"folder      {shown(folder.path)}",
        "again       " + shlex.join(["antipaxos", "replay", shown(folder.path), "--trace"]),
        "",
    ]
    simulated = simulate(came.case, log=True)
    story = replay.story_of(simulated, simulated.verdict(), replay.Told())
    told += story[-STORY_LINES_MAX:] if len(story) > STORY_LINES_MAX else story
    return told


def as_json(came: Shrunk, folder: RunFolder) -> str:
    """The outcome for programs."""
    told = {
        "law": came.law,
        "folder": str(folder.path),
        "before": {**_plain(came.counts_before), "messages": came.messages_before},
        "after": {**_plain(came.counts_after), "messages": came.messages_after},
        "choices": [came.before, came.after],
        "runs": came.runs,
        "seconds": round(came.seconds, 3),
        "ended": came.ended,
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()


def _plain(found: Counts) -> dict[str, int]:
    return msgspec.to_builtins(found)  # type: ignore[no-any-return]


@contextmanager
def _on_interrupt() -> Iterator[Callable[[], bool]]:
    """Has Ctrl-C come? A second one ends the command as always."""
    came = False

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal came
        came = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: came
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress(what: str) -> Iterator[Status]:
    with Console(stderr=True).status(what) as status:
        yield status


# --- runs on real machines ---


def reduced(stored: Stored, law: str | None, budget_s: float, store: Path) -> Reduced:
    """Raises TrialError where nothing fails, or not often enough."""
    found = law or law_of(stored)
    if found is None:
        raise TrialError([f"{stored.folder.path} breaks no law: there is nothing to make small"])
    if not stored.folder.schedule.exists():
        raise TrialError([f"{stored.folder.path} has no schedule.json to make small"])
    if stored.trial.scenario:
        raise TrialError(
            [
                f"{stored.folder.path} played a scenario, whose steps wait for one another: leave "
                "some out by hand, and see with antipaxos scenario whether it still hits"
            ]
        )
    place = stored.folder.path / CANDIDATES
    place.mkdir(exist_ok=True)
    plan = Plan(stored.trial, schedule.read(stored.folder.schedule))

    def carry_out(plan: Plan) -> Repetition:
        content = schedule.encode(plan.faults)
        file = place / f"{sha256(content).hexdigest()[:12]}.json"
        file.write_bytes(content)
        return repeats.again(plan.trial, file, store)

    try:
        return shrink_real.shrink(plan, found, carry_out, budget_s, _tell_candidate)
    except NotFailing as wrong:
        raise TrialError([str(wrong)]) from wrong


def _tell_candidate(plan: Plan, accepted: bool, failed: int, of: int) -> None:
    word = "kept" if accepted else "fails too seldom"
    tell([f"{_of_plan(plan)}: failed in {failed} of {of}, {word}"], aside=True)


def _of_plan(plan: Plan) -> str:
    faults, clients, load_s = plan.counts
    return f"{_several(faults, 'fault')}, {_several(clients, 'client')}, {load_s:g} s"


def reduced_lines(came: Reduced, stored: Stored) -> list[str]:
    before = Plan(stored.trial, schedule.read(stored.folder.schedule))
    return [
        f"made small  {came.law}, {came.runs} runs in {came.seconds:.0f} s"
        + ("" if came.ended else "; not ended: more may go"),
        f"before      {_of_plan(before)}",
        f"after       {_of_plan(came.plan)}; failed in {share_told(came.failed, came.of)}",
        f"folder      {shown(came.folder)}",
        "again       " + shlex.join(["antipaxos", "replay", shown(came.folder)]),
    ]


def reduced_json(came: Reduced) -> str:
    faults, clients, load_s = came.plan.counts
    told = {
        "law": came.law,
        "folder": str(came.folder),
        "after": {"faults": faults, "clients": clients, "time_limit_s": load_s},
        "failed": [came.failed, came.of],
        "runs": came.runs,
        "seconds": round(came.seconds, 3),
        "ended": came.ended,
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()


@click.command(name="shrink")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--law", help="To keep broken. [the first that is]")
@click.option(
    "--time-limit", "time_limit_s", type=float, metavar="SECONDS", help="Simulated runs. [60]"
)
@click.option("--budget", "budget_s", type=float, metavar="SECONDS", help="On real machines. [600]")
@click.option("--json", "as_json_", is_flag=True, help="Print the outcome as JSON.")
@click.option("--store", type=click.Path(path_type=Path), default=ROOT, help="The folder of runs.")
def command(run: Path, *, law: str | None, as_json_: bool, store: Path, **limits: Any) -> NoReturn:
    """Make a failing run small: fewer clients, faults, operations and messages, the same law.

    \b
    antipaxos shrink antipaxos-runs/latest
    antipaxos shrink antipaxos-runs/paxos-register/latest --law linearizable

    RUN is as for replay. Ctrl-C keeps the best so far. What is left is a run of its own.
    """
    for name, seconds in limits.items():
        if seconds is not None and not seconds > 0:
            flag = "--" + name.removesuffix("_s").replace("_", "-")
            raise click.UsageError(f"{flag} {seconds}: give seconds above 0")
    stored = find(run)
    if stored.case is None:
        if limits["time_limit_s"] is not None:
            raise click.UsageError("--time-limit is for simulated runs: give --budget")
        came = reduced(stored, law, limits["budget_s"] or shrink_real.BUDGET_S, store)
        tell([reduced_json(came)] if as_json_ else reduced_lines(came, stored))
        sys.exit(Kind.INVALID.exit_code)
    if limits["budget_s"] is not None:
        raise click.UsageError("--budget is for runs on real machines: give --time-limit")
    small = shrunk(stored.case, law, limits["time_limit_s"] or TIME_LIMIT_S)
    folder, judged = keep(small.case, store)
    tell([as_json(small, folder)] if as_json_ else lines(small, folder))
    sys.exit(judged.verdict.kind.exit_code)
