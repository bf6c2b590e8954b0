"""Having a trial carried out in the middle of a test.

Rules
1. A simulated run is a function of its case and writes nothing: whether it is worth a folder is
   seen later. A run on real machines has its folder, as always.
2. Ctrl-C is pytest's. A run on real machines ends in order first, and then the interrupt goes on
   its way, whichever part of the run it met; its handlers are put back before that.
3. A test may itself run on an event loop: that stands still while a trial lasts, which has a loop
   of its own on the same thread, where signals come.
4. Whatever keeps a run from being judged is trouble of the environment, and no failure. So is a
   call into the system that does not return: it has as long as the trial has, in real seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

import msgspec

from checkers.verdict import Recording, Verdict
from harness.cases import Case
from harness.contracts import EnvironmentTrouble
from harness.settle import scenario_of
from harness.simulate import CANNOT_RUN, Simulated, simulate
from harness.systems.registry import is_given
from harness.trial import Trial, TrialError

_INTERRUPTED = re.compile(r"Interrupted by (SIGINT|SIGTERM)\b")


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a trial: `simulated`, or the `folder` of a run on real machines."""

    trial: Trial
    verdict: Verdict
    simulated: Simulated | None = None
    folder: Path | None = None

    def recording(self) -> Recording:
        if self.simulated is not None:
            return self.simulated.recording
        from harness import recheck

        assert self.folder is not None, "one of the two"
        return recheck.check(self.folder).recording

    def notices(self) -> Sequence[str]:
        if self.simulated is not None:
            return self.simulated.notices
        from harness.store.folder import RunFolder

        assert self.folder is not None, "one of the two"
        return RunFolder(self.folder).read_notices()


def carry_out(given: Trial | Case, store: Path) -> Carried:
    """Raises EnvironmentTrouble where there is nothing to judge, TrialError where the trial cannot
    be carried out at all."""
    trial = given.trial if isinstance(given, Case) else given
    with _aside():
        if trial.cluster == "simulated":
            return _simulated(given if isinstance(given, Case) else case_of(trial))
        if isinstance(given, Case):
            raise TrialError([f"a case is simulated, and this one names {trial.cluster!r}."])
        return _real(trial, store)


def case_of(trial: Trial) -> Case:
    return Case(trial=trial, scenario=scenario_of(trial))


def _simulated(case: Case) -> Carried:
    try:
        simulated = simulate(case)
        return Carried(trial=case.trial, verdict=simulated.verdict(), simulated=simulated)
    except EnvironmentTrouble:
        raise
    except CANNOT_RUN as wrong:
        raise EnvironmentTrouble(f"{type(wrong).__name__}: {wrong}") from wrong


def _real(trial: Trial, store: Path) -> Carried:
    from harness.run import TROUBLE, run
    from harness.store.folder import RunFolder

    if is_given(trial.system) and trial.cluster != "local":
        raise TrialError(
            [
                f"system {trial.system!r} is an object of this test, and a run on cluster "
                f"{trial.cluster!r} begins a process of its own. Give a name or the path of a "
                "YAML file."
            ]
        )
    came = _Interrupts()
    notices: Sequence[str] = ()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            outcome = run(trial, store, listening=came.listen)
        notices = RunFolder(outcome.folder).read_notices()
    except EnvironmentTrouble as wrong:
        notices = [str(wrong)]
        raise
    finally:
        came.pass_on(notices)
    if outcome.exit_code == TROUBLE:
        why = notices[0] if notices else "See its log."
        raise EnvironmentTrouble(f"{why}\nThe run is {outcome.folder}.")
    return Carried(trial=trial, verdict=outcome.verdict, folder=outcome.folder)


class _Interrupts:
    """Which signals came while a run lasted, which handles them itself."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def listen(self) -> None:
        """The run has put up its handlers: hear what they hear. It puts back what was before."""
        for number in (signal.SIGINT, signal.SIGTERM):
            inner = signal.getsignal(number)

            def handle(number: int, frame: FrameType | None, inner: object = inner) -> None:
                self.numbers.append(number)
                if callable(inner):
                    inner(number, frame)

            signal.signal(number, handle)

    def pass_on(self, notices: Sequence[str]) -> None:
        """Let pytest have them: the handlers of the run are gone. Of a run in a process of its own
        its notices say what came."""
        told = (found[1] for found in map(_INTERRUPTED.match, notices) if found is not None)
        came = {*self.numbers, *(signal.Signals[name].value for name in told)}
        if signal.SIGTERM in came:
            os.kill(os.getpid(), signal.SIGTERM)
        if came:
            raise KeyboardInterrupt


@contextlib.contextmanager
def _aside() -> Iterator[None]:
    """A running loop of this thread stands aside, with its task (rule 3)."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        yield
        return
    task = asyncio.current_task(loop)
    if task is not None:
        asyncio.tasks._leave_task(loop, task)
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)
        if task is not None:
            asyncio.tasks._enter_task(loop, task)
