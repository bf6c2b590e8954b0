"""What came of playing a scenario once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from checkers.finding import counted, untold, valid
from checkers.history import freeze
from checkers.verdict import Recording, Verdict
from harness.scenario.values import Hit, Outcome

FILE = "played.json"  # in the folder of the run


class Taken(msgspec.Struct, frozen=True):
    """A step that was taken; times in seconds since the run began. `found`: what it came to."""

    number: str
    step: str
    began_s: float
    ended_s: float
    found: str


class Result(msgspec.Struct, frozen=True):
    """How an operation of the script ended, last. `index`: of its completion in the history."""

    outcome: Outcome
    value: Any
    node: str
    index: int
    error: str = ""

    def told(self) -> str:
        what = f" {self.value!r}" if self.value is not None else ""
        why = f" ({self.error})" if self.error else ""
        return f"{self.outcome}{what} at {self.node}{why}"


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """`reached`: were all steps taken? `why`: not, and what was seen instead; a sentence. `names`:
    what the names of the script stood for in the end."""

    reached: bool
    why: str = ""
    steps: tuple[Taken, ...] = ()
    results: Mapping[str, Result] = {}
    names: Mapping[str, tuple[str, ...]] = {}


def not_reached(played: Played) -> str:
    """A sentence for the report."""
    return f"The scenario was not reached: {played.why}"


class Reached(msgspec.Struct, frozen=True):
    """A checker: what a script did not come to was not exercised, so it is no VALID."""

    played: Played

    @property
    def name(self) -> str:
        return "scenario"

    def check(self, recording: Recording) -> Verdict:  # noqa: ARG002
        if not self.played.reached:
            return untold(self.name, not_reached(self.played))
        steps = counted(len(self.played.steps), "step")
        return valid(self.name, f"The script came to its end, {steps}.")


def as_asked(hit: Hit, results: Mapping[str, Result]) -> bool:
    """Did the operations that the hit names end in ok with these values? False if it names none."""
    return bool(hit.results) and all(
        name in results
        and results[name].outcome == "ok"
        and freeze(results[name].value) == freeze(value)
        for name, value in hit.results.items()
    )


def encode(played: Played) -> bytes:
    return msgspec.json.format(msgspec.json.encode(played), indent=1) + b"\n"


def read(folder: Path) -> Played:
    """What a run left. One that left nothing ended before it could say what it had reached."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Played)
    except (OSError, msgspec.MsgspecError):
        return Played(reached=False, why="the run ended before its script did")
