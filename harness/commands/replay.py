"""`antipaxos replay`: a stored run once more, and whether it is the same."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec

from checkers.formats import FormatError
from checkers.history import HistoryError
from checkers.verdict import Verdict
from harness import recheck, repeats, replay
from harness.console import tell
from harness.contracts import EnvironmentTrouble
from harness.fingerprint import fingerprint
from harness.loop import ClientBug, GeneratorError
from harness.repeats import Repeated, Repetition, share_told
from harness.replay import Compared, Difference, Told
from harness.report.story import said
from harness.report.terminal import verdict_lines
from harness.run import TROUBLE, shown
from harness.simulate import Simulated, simulate
from harness.simulation.loop import Stalled
from harness.store.folder import ROOT
from harness.stored import Stored, find
from harness.trial import TrialError

TIMES = 5
BUDGET_S = 600.0
LINE_MAX = 400  # characters of a line that differs


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulated run came to. `changed`: since it was stored, asked where it differs.
    `fresh`: the two processes, None where nobody asked for them."""

    stored: Stored
    simulated: Simulated
    verdict: Verdict
    compared: Compared
    changed: Sequence[str]
    fresh: Compared | None
    story: Sequence[str]

    @property
    def exit_code(self) -> int:
        """The verdict's, unless what was carried out is not what it is to be judged as."""
        if self.compared.same is False or (self.fresh is not None and not self.fresh.same):
            return TROUBLE
        return self.verdict.kind.exit_code


def replayed(stored: Stored, told: Told | None, *, fresh: bool) -> Replayed:
    """Carry a simulated run out again. `told`: None for no story. Raises EnvironmentTrouble."""
    assert stored.case is not None, "asked for simulated runs only"
    try:
        simulated = simulate(stored.case, log=told is not None)
    except (ClientBug, GeneratorError, Stalled) as wrong:
        raise EnvironmentTrouble(str(wrong)) from wrong
    verdict = simulated.verdict()
    compared = replay.compare(replay.stored_files(stored), replay.left_by(simulated))
    return Replayed(
        stored=stored,
        simulated=simulated,
        verdict=verdict,
        compared=compared,
        changed=replay.changes_since(stored) if compared.same is False else (),
        fresh=replay.in_fresh_processes(stored.case) if fresh else None,
        story=() if told is None else replay.story_of(simulated, verdict, told),
    )


def lines(came: Replayed) -> list[str]:
    """The outcome for a terminal."""
    told = [f"replayed    {_sameness(came.compared)}"]
    if came.compared.difference is not None:
        told += _difference(came.compared.difference, "stored", "now")
        told += [f"  {sentence}" for sentence in came.changed]
        if not came.changed:
            told.append(
                "  no version, option or file of the program has changed since: the system is not "
                "deterministic. --check-determinism shows where."
            )
    if came.fresh is not None:
        same = "the same in two fresh processes with different hash seeds"
        differs = "two fresh processes with different hash seeds differ: the system is not " + (
            "deterministic. Does its machine iterate over a set of strings, or read a clock?"
        )
        told.append(f"determinism {same if came.fresh.same else differs}")
        if came.fresh.difference is not None:
            told += _difference(came.fresh.difference, "one", "other")
    told += [f"notice      {sentence}" for sentence in notices(came.simulated)]
    told += verdict_lines(came.verdict, came.simulated.recording)
    return [*told, *([""] if came.story else []), *came.story]


def _sameness(compared: Compared) -> str:
    if compared.same is None:
        return "there is no history and no trace to compare with"
    if compared.same:
        counted = " and ".join(f"{n:,} lines of {file}" for file, n in compared.lines.items())
        return f"the same, byte for byte: {counted}"
    assert compared.difference is not None
    return f"not the same: {compared.difference.file} differs from line {compared.difference.line}"


def _difference(found: Difference, one: str, other: str) -> list[str]:
    width = max(len(one), len(other))
    both = ((one, found.stored), (other, found.now))
    return [
        f"  {name:<{width}}  {'(has ended)' if line is None else said(line, LINE_MAX)}"
        for name, line in both
    ]


def notices(simulated: Simulated) -> list[str]:
    """What the run says beside its verdict, each sentence once: of a traceback its ends, what
    happened and why."""
    told: Counter[str] = Counter()
    for notice in simulated.notices:
        every = [said(line, LINE_MAX) for line in notice.strip().splitlines()]
        told[every[0] if len(every) == 1 else f"{every[0]}: {every[-1]}"] += 1
    return [text if times == 1 else f"{text} ({times} times)" for text, times in told.items()]


def as_json(came: Replayed) -> str:
    """The outcome for programs."""
    told = {
        "run": str(came.stored.folder.path),
        "same": came.compared.same,
        "lines": came.compared.lines,
        "difference": came.compared.difference,
        "changed": came.changed,
        "deterministic": None if came.fresh is None else came.fresh.same,
        "deterministic_difference": None if came.fresh is None else came.fresh.difference,
        "verdict": came.verdict,
        "notices": notices(came.simulated),
        "story": came.story,
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()


# --- runs on real machines ---


def repeated(stored: Stored, times: int, budget_s: float, store: Path) -> Repeated:
    """Repeat what the run did. Raises TrialError where it did not leave what that takes."""
    if not stored.folder.schedule.exists():
        raise TrialError(
            [
                f"{stored.folder.path} has no schedule.json: the run ended before it had carried "
                "out its faults. Run its trial again: antipaxos run, with the same --seed."
            ]
        )
    once = partial(repeats.again, stored.trial, stored.folder.schedule, store)
    return repeats.repeat(once, law_of(stored), times, budget_s, _tell_repetition)


def law_of(stored: Stored) -> str | None:
    """The law that a stored run breaks, judged anew; None if it breaks none."""
    try:
        found = fingerprint(recheck.check(stored.folder.path).verdict)
    except (FormatError, HistoryError) as wrong:
        raise TrialError([str(wrong)]) from wrong
    return None if found is None else found.law


def _tell_repetition(number: int, run: Repetition) -> None:
    laws = f" {', '.join(run.laws)}" if run.laws else ""
    tell([f"run {number}: {run.kind.name}{laws}  {shown(run.folder)}"], aside=True)


def repeated_lines(came: Repeated) -> list[str]:
    share = share_told(came.failed, len(came.runs))
    told = [f"{came.law} was broken again in {share}"]
    if came.law is None:
        told = [f"the stored run breaks no law; one was broken in {share}"]
    others = sum(run.kind.exit_code == 1 and not run.breaks(came.law) for run in came.runs)
    if others:
        told.append(f"{others} failed otherwise, and do not count")
    told += [f"not counted: {trouble}" for trouble in came.troubles]
    if len(came.runs) + len(came.troubles) < came.asked:
        told.append(f"time was up before the other {came.asked - len(came.runs)}: see --budget")
    return told


def repeated_json(came: Repeated) -> str:
    low, high = repeats.wilson(came.failed, len(came.runs))
    told = {
        "law": came.law,
        "asked": came.asked,
        "runs": came.runs,
        "failed": came.failed,
        "interval": [round(low, 4), round(high, 4)],
        "troubles": came.troubles,
    }
    encoded = msgspec.json.encode(told, enc_hook=str)
    return msgspec.json.format(encoded, indent=2).decode()


@click.command(name="replay")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--trace", is_flag=True, help="Tell who said what to whom about the violation.")
@click.option("--all", "everything", is_flag=True, help="Tell all that happened.")
@click.option("--node", "nodes", multiple=True, help="Tell what this node had part in.")
@click.option("--key", "keys", multiple=True, help="Tell what names this key.")
@click.option(
    "--check-determinism", "fresh", is_flag=True, help="In two processes, with two hash seeds."
)
@click.option("--times", type=click.IntRange(min=1), help=f"On real machines. [{TIMES}]")
@click.option("--budget", "budget_s", type=float, metavar="SECONDS", help="On real machines. [600]")
@click.option("--json", "as_json_", is_flag=True, help="Print the outcome as JSON.")
@click.option("--store", type=click.Path(path_type=Path), default=ROOT, help="The folder of runs.")
def command(
    run: Path,
    *,
    trace: bool,
    everything: bool,
    nodes: tuple[str, ...],
    keys: tuple[str, ...],
    fresh: bool,
    as_json_: bool,
    **real: Any,
) -> NoReturn:
    """Carry a stored run out again and say whether it is the same.

    \b
    antipaxos replay antipaxos-runs/latest --trace
    antipaxos replay case.json --check-determinism

    RUN is the folder of a run, its case.json, or a folder of runs for the latest. A simulated run
    is compared byte for byte. A run on real machines is repeated, by the faults as they were, and
    the share of failures is told.
    """
    stored = find(run)
    telling = trace or everything or bool(nodes) or bool(keys)
    if stored.case is None:
        _refuse(telling or fresh, "--trace, --all, --node, --key and --check-determinism", "real")
        sys.exit(_repeat(stored, as_json_=as_json_, **real))
    _refuse(real["times"] or real["budget_s"], "--times and --budget", "simulated")
    _known_nodes(stored, nodes)
    told = Told(everything=everything, nodes=frozenset(nodes), keys=frozenset(keys))
    came = replayed(stored, told if telling else None, fresh=fresh)
    tell([as_json(came)] if as_json_ else lines(came))
    sys.exit(came.exit_code)


def _refuse(given: Any, flags: str, kind: str) -> None:
    other = {
        "real": "it was a run on real machines, of which only the journal and the trace are left",
        "simulated": "it was a simulated run, which is the same each time",
    }
    if given:
        raise click.UsageError(f"{flags}: {other[kind]}")


def _known_nodes(stored: Stored, nodes: Sequence[str]) -> None:
    names = ("client", *stored.trial.node_names)
    for node in nodes:
        if node not in names:
            raise click.UsageError(f"--node {node!r}: the run has {', '.join(names)}")


def _repeat(
    stored: Stored, *, times: int | None, budget_s: float | None, store: Path, as_json_: bool
) -> int:
    if budget_s is not None and not budget_s > 0:
        raise click.UsageError(f"--budget {budget_s}: give seconds above 0")
    came = repeated(stored, times or TIMES, budget_s or BUDGET_S, store)
    tell([repeated_json(came)] if as_json_ else repeated_lines(came))
    if not came.runs:
        return TROUBLE
    return came.kind.exit_code
