"""The life of one run: start, drive and break, heal, read, stop, judge, tell, draw.

Rules
1. What was recorded is on disk before it is judged, and judged before anything can fail in drawing
   or cleaning up. Trouble there is told, and changes no verdict.
2. Whatever ends a run early (Ctrl-C, SIGTERM, a full disk, a bug of ours), faults are undone and
   the cluster is ended on the way out, and what there is of a history is kept and judged.
3. Exit codes: an INVALID stands whatever else went wrong, since the history that proves it is
   there. Otherwise trouble of the harness or the environment is 255, and only then speaks the
   verdict.
4. A run starts from a clean place: what an earlier one left behind is healed first.

Sources: the order is that of Jepsen's run!, with saving and checking moved before cleaning up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import resource
import secrets
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec

from checkers.formats import FormatError
from checkers.history import HistoryError
from checkers.trace import TraceError
from checkers.verdict import Kind, Verdict
from harness import drawing, inside, real, recheck
from harness import scenario as scenarios
from harness.clock import folder_time, utc_now
from harness.clusters.namespaces import world
from harness.console import tell
from harness.contracts import EnvironmentTrouble
from harness.heal import heal, stored_runs
from harness.interruption import Interruptions, write_at_once
from harness.live import Live
from harness.loop import ClientBug, GeneratorError
from harness.places import Place, place
from harness.report.progress import Progress
from harness.report.terminal import verdict_lines
from harness.scenario.staging import of_trial
from harness.settle import breaks_something, plan, scenario_of
from harness.simulation.loop import Stalled
from harness.store.folder import RunFolder
from harness.systems import system
from harness.trial import Trial, TrialError
from nemesis import schedule

log = logging.getLogger("antipaxos")

TROUBLE = 255


class Outcome(msgspec.Struct, frozen=True):
    """How a run ended: its folder, its verdict, and the exit code that says both (rule 3)."""

    folder: Path
    verdict: Verdict
    exit_code: int


def run(trial: Trial, store: Path, listening: Callable[[], None] = lambda: None) -> Outcome:
    """Run a trial and judge it. Raises EnvironmentTrouble where there is nothing to judge.

    Belongs on the main thread: it handles SIGINT and SIGTERM while it lasts, `listening` is called
    when it begins to.
    """
    seed = secrets.randbelow(2**31) if trial.seed is None else trial.seed
    trial = msgspec.structs.replace(trial, seed=seed)
    kind = real.CLUSTERS.get(trial.cluster)
    if kind is not None and kind.worldly and not world.inside():
        return _in_a_world(trial, store)
    faults, scenario = plan(trial), scenario_of(trial)
    if trial.cluster == "local":
        _allow_open_files(trial)
    with Interruptions() as interruptions:
        listening()
        left = [] if world.inside() else heal(stored_runs(store))
        folder = RunFolder.create(store, trial, folder_time(utc_now()))
        folder.write_trial(trial, environment(trial))
        folder.write(folder.plan, schedule.encode(faults))
        if scenario is not None:
            folder.write(folder.scenario, scenarios.encode(of_trial(scenario, trial)))
        with _logged(folder), contextlib.closing(Progress(trial.time_limit_s)) as progress:
            for sentence in left:
                progress.say(sentence)
            where = place(trial, folder, faults)
            live = Live(trial, faults, folder, where, progress, scenario)
            if breaks_something(trial) and not faults.steps:
                live.notices.append(
                    f"No fault of {trial.faults!r} fits into {trial.time_limit_s:g} s. Give more "
                    "with --time-limit, or ask for none with --faults none."
                )
            trouble = _driven(live, where, interruptions)
            progress.close()
            if not live.recorded_anything:
                raise EnvironmentTrouble(f"{trouble}\nThe log is {shown(folder.log)}.")
            return _judged(folder, live.notices, trouble)


def _in_a_world(trial: Trial, store: Path) -> Outcome:
    tell(heal(stored_runs(store)))
    folder, exit_code = inside.enter(trial, store)
    verdict = msgspec.json.decode(folder.verdict.read_bytes(), type=Verdict)
    return Outcome(folder.path, verdict, exit_code)


def _allow_open_files(trial: Trial) -> None:
    """Raise our limit as far as we may; a run that starts without would starve in the middle."""
    # A directed link holds a listener and two ends, a client and its link three; as measured.
    needed = 100 + 3 * trial.nodes * trial.nodes + 5 * trial.clients
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, needed) if hard == resource.RLIM_INFINITY else min(max(soft, needed), hard)
    if soft != resource.RLIM_INFINITY and wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise EnvironmentTrouble(
            f"{hard} files may be open at once, and {trial.nodes} nodes with {trial.clients} "
            f"clients take up to {needed}. Raise the limit (ulimit -n {needed}), or run with fewer."
        )


@contextlib.contextmanager
def _logged(folder: RunFolder) -> Iterator[None]:
    """The log of the harness goes to run.log."""
    try:
        handler = _RunLog(folder.log)
    except OSError as wrong:
        raise EnvironmentTrouble(
            f"the log {folder.log} cannot be written: {wrong.strerror}. Free the disk, or choose "
            "another place with --store."
        ) from wrong
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        with contextlib.suppress(OSError):  # the same full disk once more
            handler.close()


class _RunLog(logging.FileHandler):
    """A disk that is full is told by what cannot do without it: the log goes without a word."""

    def handleError(self, record: logging.LogRecord) -> None: ...  # noqa: N802 - logging's name


def _driven(live: Live, where: Place, interruptions: Interruptions) -> str:
    """Drive the live part to its end, whichever; what went wrong, empty if nothing did."""
    try:
        where.run(_interruptible(live, interruptions))
    except (EnvironmentTrouble, ClientBug, GeneratorError, Stalled) as wrong:
        log.warning("the run ended early: %s", wrong)
        return str(wrong)
    except OSError as wrong:
        log.exception("the machine refused")
        return f"The machine refused: {wrong}. 'antipaxos doctor' says what a run needs."
    except Exception as wrong:
        # Rule 2: even a bug of ours must not lose what was recorded before it.
        log.exception("the run ended by a bug")
        return (
            f"The run ended by a bug of antipaxos, {wrong!r}. Please report it with the traceback "
            "in run.log."
        )
    finally:
        for sentence in live.notices:
            log.warning(sentence)
    return ""


async def _interruptible(live: Live, interruptions: Interruptions) -> None:
    loop = asyncio.get_running_loop()

    def act(name: str) -> None:
        loop.call_soon_threadsafe(live.interrupt, name)

    interruptions.act = act
    try:
        await live.drive()
    finally:
        # From here on the loop may be closed, and no longer takes calls.
        interruptions.act = _judging_goes_on


def _judging_goes_on(name: str) -> None:
    write_at_once(
        f"{name}: the run is over and on disk, its judging goes on. Once more leaves at once; "
        "'antipaxos check' judges it later.\n"
    )


def _judged(folder: RunFolder, notices: Sequence[str], trouble: str) -> Outcome:
    try:
        folder.write_notices([*([trouble] if trouble else []), *notices])
    except EnvironmentTrouble as wrong:
        trouble = trouble or str(wrong)
    log.info("judging")
    try:
        judged = recheck.check(folder.path)
    except (FormatError, HistoryError, TraceError, TrialError) as wrong:
        # These are mistakes of whoever gave a file. This one is our own.
        raise EnvironmentTrouble("\n".join(filter(None, (trouble, str(wrong))))) from wrong
    tell(verdict_lines(judged.verdict, judged.recording, judged.notices))
    try:
        folder.write_verdict(judged.verdict)
    except EnvironmentTrouble as wrong:
        trouble = trouble or str(wrong)
    log.info("%s; drawing the report", judged.verdict.kind.name)
    _draw(folder, judged)
    log.info("done")
    assert judged.trial is not None, "the folder of a run has its trial"
    tell([f"again       {drawing.rerun_command(judged.trial, _program())}"])
    tell([f"antipaxos: {line}" for line in trouble.splitlines()], aside=True)
    if trouble and judged.verdict.kind is not Kind.INVALID:
        return Outcome(folder.path, judged.verdict, TROUBLE)
    return Outcome(folder.path, judged.verdict, judged.verdict.kind.exit_code)


def _draw(folder: RunFolder, judged: recheck.Judged) -> None:
    try:
        drawing.draw(folder, judged)
    except Exception as wrong:
        # Rule 1: the verdict stands and is on disk; a report that fails to draw is told, in full
        # in the log, and 'antipaxos report' tries again.
        log.exception("the report could not be drawn")
        tell([f"antipaxos: the report could not be drawn: {wrong}"], aside=True)
        return
    tell([f"report      {shown(folder.report)}"])


def shown(path: Path) -> str:
    """A path as a person would type it: relative where it is below the working directory."""
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def _program() -> str:
    """How this command is called from here: its name where that is enough."""
    if shutil.which("antipaxos"):
        return "antipaxos"
    return shown(Path(sys.argv[0]).absolute())


def environment(trial: Trial) -> dict[str, str]:
    """What a reader of an old run wants to know: where it ran, and what nobody had to say."""
    settled = {**system(trial.system).defaults, **trial.options}
    libraries = ("msgspec", "numpy", "psutil")
    return {
        "antipaxos": version("antipaxos"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": str(os.cpu_count()),
        "libraries": ", ".join(f"{name} {version(name)}" for name in libraries),
        **{f"option {name}": value for name, value in settled.items()},
        "command": shlex.join(["antipaxos", *sys.argv[1:]]),
        "started": utc_now().isoformat(timespec="seconds"),
    }
