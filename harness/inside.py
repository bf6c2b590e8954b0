"""Runs in a world of their own: entered from outside, carried out inside.

Rules
1. The run inside is the run: it records, judges, tells and draws as always. Outside only waits, and
   passes signals on.
2. What an earlier run left behind is healed outside: inside nobody else's processes can be seen.
3. A mistake of the user found inside is raised outside as the same mistake.

The inner command is `python -m harness.inside ERRAND FILE`: what to do as JSON, and the number of a
file for messages to the outside.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import msgspec
import psutil

from harness.clusters.namespaces import world
from harness.contracts import EnvironmentTrouble
from harness.heal import stored_runs
from harness.store.folder import RunFolder
from harness.trial import Trial, TrialError
from nemesis.schedule import ScheduleError

BUG = 1  # the status of a Python that ends with an exception


class Errand(msgspec.Struct, frozen=True):
    """`trial`: resolved. `command`: how the run was called, for its report."""

    trial: Trial
    store: str
    command: list[str]


class Ended(msgspec.Struct, frozen=True):
    """How the run inside ended: with a verdict in `folder`, or `trouble` or `mistake` alone."""

    folder: str = ""
    exit_code: int = 255
    trouble: str = ""
    mistake: str = ""  # of the user


def enter(trial: Trial, store: Path) -> tuple[RunFolder, int]:
    """Run a resolved trial in a world; its folder, judged, and its exit code.

    Raises EnvironmentTrouble where there can be no world, or nothing to judge came of it, and
    TrialError where the trial is at fault.
    """
    reason = world.obstacle()
    if reason is not None:
        raise EnvironmentTrouble(f"--cluster {trial.cluster} cannot run here: {reason}")
    heard: list[dict[str, Any]] = []
    errand = msgspec.json.encode(Errand(trial, str(store.absolute()), sys.argv)).decode()
    words = [sys.executable, "-P", "-m", "harness.inside", errand]  # -P: not what lies around here
    before = stored_runs(store)
    status = world.enter(words, psutil.Process().create_time(), heard.append)
    if not heard:
        raise EnvironmentTrouble(_ended_early(status, _begun(trial, store, before)))
    ended = msgspec.convert(heard[-1], Ended)
    if ended.mistake:
        raise TrialError(ended.mistake.splitlines())
    if ended.trouble:
        raise EnvironmentTrouble(ended.trouble)
    return RunFolder(Path(ended.folder)), ended.exit_code


def _begun(trial: Trial, store: Path, before: list[Path]) -> Path | None:
    """The folder of the run, found by its seed; None if it did not come so far."""
    new = [folder for folder in stored_runs(store) if folder not in before]
    return next((folder for folder in new if folder.name.endswith(f"-{trial.seed}")), None)


def _ended_early(status: int, folder: Path | None) -> str:
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    recorded = (
        "Nothing was recorded."
        if folder is None
        else f"What was recorded is in {folder}: 'antipaxos check {folder}' judges it."
    )
    why = (
        "by a bug of antipaxos: please report it with the lines above"
        if status == BUG
        else "left by a second Ctrl-C, killed by hand, or by the out-of-memory killer"
    )
    return f"the world of the run ended ({how}) before it said how the run ended: {why}. {recorded}"


def main() -> None:
    """The first process of the world."""
    # Between our start and the handlers of the run, and from them to our end, a Ctrl-C would lose
    # how the run ended. Nothing is started meanwhile that would inherit this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTSTP, signal.SIG_DFL)  # ignored for `unshare` alone; we are deaf to it
    errand, file = msgspec.json.decode(sys.argv[1], type=Errand), int(sys.argv[2])
    os.set_inheritable(file, False)
    sys.argv = errand.command
    from harness.run import run  # which imports this module: the outer half of it

    with os.fdopen(file, "wb") as outside:

        def tell(message: Any) -> None:
            outside.write(msgspec.json.encode(message) + b"\n")
            outside.flush()

        try:
            world.prepare()
            outcome = run(errand.trial, Path(errand.store), listening=lambda: tell(world.LISTENS))
            ended = Ended(folder=str(outcome.folder), exit_code=outcome.exit_code)
        except EnvironmentTrouble as wrong:
            ended = Ended(trouble=str(wrong))
        except (TrialError, ScheduleError) as wrong:
            ended = Ended(mistake=str(wrong))
        except OSError as wrong:
            ended = Ended(trouble=f"the machine refused: {wrong}. See 'antipaxos doctor'.")
        tell(ended)


if __name__ == "__main__":
    main()
