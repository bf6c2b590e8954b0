"""What a test gets: the verdict of a trial, with what a person wants to know of it.

Rules
1. True is VALID, false is INVALID. UNKNOWN is neither: whoever asks whether it is true or false has
   it dealt with as configured. `assert not verdict` in a test that expects a bug must not pass
   because nothing was found out.
2. A simulated run is written to its folder, with its report, when somebody asks for one of them, or
   when its test failed. What passes leaves nothing but its seed, from which all of it follows.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from checkers.history import History
from checkers.verdict import Kind, Recording, Verdict
from harness.cases import Case
from harness.contracts import EnvironmentTrouble
from harness.pytest_trials.carrying import Carried
from harness.pytest_trials.options import Unknown
from harness.trial import Trial


class UnknownVerdict(pytest.PytestWarning):
    """A trial said neither VALID nor INVALID."""


class Keeping(msgspec.Struct, frozen=True):
    """How runs of a session are kept: in `store`, made small for `shrink_s` seconds first."""

    store: Path
    shrink_s: float


class TrialVerdict:
    """`runs`: how many were carried out, of which this is the first of the worst; `runs_valid`: how
    many of them were VALID.
    `again_here`: the command that has its test again, with this seed. `replayable`: by name,
    outside pytest."""

    def __init__(
        self,
        carried: Carried,
        *,
        keeping: Keeping,
        unknown: Unknown,
        again_here: str,
        replayable: bool,
        runs: int = 1,
        runs_valid: int = 0,
    ) -> None:
        self.runs, self.runs_valid = runs, runs_valid
        self.again_here = again_here
        self.remarks: list[str] = []  # of keeping it
        self._carried, self._keeping, self._unknown = carried, keeping, unknown
        self._replayable = replayable
        self._folder = carried.folder

    @property
    def verdict(self) -> Verdict:
        """As the checkers gave it, with its evidence and its parts."""
        return self._carried.verdict

    @property
    def kind(self) -> Kind:
        return self.verdict.kind

    @property
    def summary(self) -> str:
        """One sentence."""
        return self.verdict.summary

    @property
    def trial(self) -> Trial:
        """With all its settings."""
        return self._carried.trial

    @property
    def seed(self) -> int:
        assert self.trial.seed is not None, "a trial is settled before it runs"
        return self.trial.seed

    @functools.cached_property
    def recording(self) -> Recording:
        return self._carried.recording()

    @property
    def history(self) -> History:
        return self.recording.history

    @property
    def notices(self) -> Sequence[str]:
        """What else there is to say of the run, as sentences."""
        return self._carried.notices()

    @property
    def explanation(self) -> list[str]:
        """Lines: the verdict, the failing window as a picture, and why."""
        from harness.report.terminal import verdict_lines

        return verdict_lines(self.verdict, self.recording, self.notices)

    @property
    def is_kept(self) -> bool:
        return self._folder is not None

    @property
    def folder(self) -> Path:
        """Of the run; it is written if it was not yet. Raises EnvironmentTrouble."""
        if self._folder is None:
            self._folder = self._kept()
        return self._folder

    @property
    def report(self) -> Path:
        """The page about the run."""
        return self.folder / "report.html"

    @property
    def replay(self) -> str:
        """The command that has this run again."""
        from harness import drawing
        from harness.store.folder import RunFolder

        if not self._replayable:
            return self.again_here
        if self._folder is None:
            return drawing.rerun_command(self.trial)
        return drawing.again(RunFolder(self._folder), self.trial).replace(
            str(self._folder), shown(self._folder)
        )

    def __bool__(self) -> bool:
        __tracebackhide__ = True
        if self.kind is not Kind.UNKNOWN:
            return self.kind is Kind.VALID
        told = f"UNKNOWN, which is neither VALID nor INVALID: {self.summary} (seed {self.seed})"
        if self._unknown == "fail":
            pytest.fail(told, pytrace=True)
        if self._unknown == "skip":
            pytest.skip(told)
        warnings.warn(UnknownVerdict(told), stacklevel=2)
        return True

    def __str__(self) -> str:
        return f"{self.kind.name} (seed {self.seed}): {self.summary}"

    def __repr__(self) -> str:  # short: pytest repeats it, and then tells all
        return f"<{self.kind.name}, seed {self.seed}>"

    def _kept(self) -> Path:
        from harness import keeping
        from harness.fingerprint import fingerprint

        simulated = self._carried.simulated
        assert simulated is not None, "a run on real machines has its folder"
        case = simulated.case
        found = fingerprint(self.verdict)
        if found is not None and self._keeping.shrink_s > 0:
            case = self._smaller(case, found.law)
        folder, judged = keeping.keep(case, self._keeping.store)
        if case is simulated.case and not _same(judged.recording, self.recording):
            self.remarks.append(
                f"Carried out again for its folder, the run is another one, and "
                f"{judged.verdict.kind.name}: the system is not a function of its events and its "
                "Random. Does it keep something outside of its machines?"
            )
        return folder.path

    def _smaller(self, case: Case, law: str) -> Case:
        from harness.shrink import NotFailing, shrink

        try:
            small = shrink(case, law, time_limit_s=self._keeping.shrink_s)
        except (NotFailing, EnvironmentTrouble) as wrong:
            self.remarks.append(f"It could not be made small: {wrong}.")
            return case
        more = "" if small.ended else ", and more may go"
        self.remarks.append(
            f"Its folder has it made small: {small.after:,} choices instead of {small.before:,} "
            f"break {law} too{more}."
        )
        return small.case


def _same(one: Recording, other: Recording) -> bool:
    """Byte for byte, as it would be written."""
    encode = msgspec.json.Encoder().encode_lines
    return encode(list(one.history)) == encode(list(other.history))


def shown(path: Path) -> str:
    """As a person would type it."""
    from harness.run import shown

    return shown(path)
