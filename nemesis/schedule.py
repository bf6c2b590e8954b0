"""Schedules: which fault starts and stops when, as a value that is recorded, replayed and shrunk.

Rules
1. Steps are in the order of time. A `start` names its fault; a `stop` undoes the start of its id.
2. An id starts once and stops at most once, later. What nobody stops lasts until `duration_s`,
   where the final heal undoes everything; a schedule always ends healed.
3. Faults in a schedule are intents or concrete. Concrete ones are applied as they stand, so the
   executed schedule of a run, which holds only those, does the same to the next run.
4. All mistakes of a file are reported at once, each with the step and the nearest valid name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from nemesis.faults import Fault
from nemesis.names import unknown
from nemesis.resolution import FAULTS, problems

FINAL_HEAL = 0  # the id of the final heal in a history; faults count from 1


class Step(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """At `at_s` seconds from the start of the main phase, `id` starts (with `fault`) or stops."""

    at_s: float
    id: int
    action: Literal["start", "stop"]
    fault: Fault | None = None


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Steps in the order of time. `seed` decides how intents are resolved; `duration_s` is when
    the final heal comes."""

    duration_s: float
    seed: int = 0
    steps: tuple[Step, ...] = ()

    def faults(self) -> tuple[Fault, ...]:
        """The faults it starts, in order."""
        return tuple(s.fault for s in self.steps if s.fault is not None)


class ScheduleError(ValueError):
    """A schedule that cannot be carried out; its author is at fault. `mistakes` are sentences."""

    def __init__(self, source: str, mistakes: Sequence[str]) -> None:
        super().__init__(f"{source}: " + "; ".join(mistakes))
        self.mistakes = tuple(mistakes)


def mistakes_of(schedule: Schedule, nodes: Sequence[str] = ()) -> list[str]:
    """Everything that is wrong with a schedule, as sentences; names are checked against `nodes`
    where these are given."""
    found = []
    if not (math.isfinite(schedule.duration_s) and schedule.duration_s >= 0):
        found.append(f"duration_s is {schedule.duration_s}, expected seconds from 0 on")
    started: set[int] = set()
    stopped: set[int] = set()
    before_s = 0.0
    for place, step in enumerate(schedule.steps):
        where = f"step {place} (id {step.id})"
        found += [f"{where}: {m}" for m in _out_of_time(step, before_s, schedule.duration_s)]
        found += [f"{where}: {m}" for m in _out_of_turn(step, started, stopped)]
        if step.fault is not None:
            found += [f"{where}: {m}" for m in problems(step.fault, nodes)]
        (started if step.action == "start" else stopped).add(step.id)
        before_s = max(before_s, step.at_s)
    return found


def _out_of_time(step: Step, before_s: float, duration_s: float) -> Iterator[str]:
    if not (math.isfinite(step.at_s) and step.at_s >= 0):
        yield f"at_s is {step.at_s}, expected seconds from 0 on"
    elif step.at_s < before_s:
        yield f"at_s is {step.at_s:g}, before {before_s:g} of an earlier step: sort the steps"
    elif step.at_s > duration_s:
        yield f"at_s is {step.at_s:g}, after the end at duration_s {duration_s:g}"


def _out_of_turn(step: Step, started: set[int], stopped: set[int]) -> Iterator[str]:
    if step.action == "start":
        if step.id <= FINAL_HEAL:
            yield f"ids count from {FINAL_HEAL + 1}"
        if step.id in started:
            yield f"id {step.id} has started before: give each start an id of its own"
        if step.fault is None:
            yield "a start needs a fault"
    else:
        if step.fault is not None:
            yield "a stop names no fault, only the id of the start it undoes"
        if step.id not in started:
            yield f"nothing has started under id {step.id}"
        elif step.id in stopped:
            yield f"id {step.id} has stopped before"


def encode(schedule: Schedule) -> bytes:
    """As JSON, one step a line, so that people read it and `diff` compares it."""
    head = f'{{"duration_s": {schedule.duration_s!r}, "seed": {schedule.seed}, "steps": ['
    lines = ",\n".join("  " + msgspec.json.encode(s).decode() for s in schedule.steps)
    return f"{head}\n{lines}\n]}}\n".encode()


def decode(data: bytes, source: str = "the schedule") -> Schedule:
    """Read what `encode` wrote, or a person. Raises ScheduleError with every mistake found."""
    try:
        raw = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise ScheduleError(source, [f"not JSON: {error}"]) from None
    misnamed = _misnamed(raw)
    if misnamed:
        raise ScheduleError(source, misnamed)
    try:
        schedule = msgspec.convert(raw, Schedule)
    except msgspec.ValidationError as error:
        raise ScheduleError(source, [str(error)]) from None
    mistakes = mistakes_of(schedule)
    if mistakes:
        raise ScheduleError(source, mistakes)
    return schedule


def write(path: Path, schedule: Schedule) -> None:
    path.write_bytes(encode(schedule))


def read(path: Path) -> Schedule:
    """Raises ScheduleError, and OSError if the file cannot be read."""
    return decode(path.read_bytes(), str(path))


def fault_mistakes(raw: Any) -> list[str]:
    """What is wrong with the names in a fault that was read from JSON or YAML, as sentences."""
    if not isinstance(raw, dict):
        return [f"a fault is an object with a field 'fault', got {raw!r}"]
    kind = raw.get("fault")
    if kind not in FAULTS:
        return [unknown("fault", str(kind), FAULTS)]
    fields = FAULTS[kind].__struct_fields__
    return [unknown(f"field of {kind}", str(f), fields) for f in raw if f not in {"fault", *fields}]


def _misnamed(raw: Any) -> list[str]:
    steps = raw.get("steps", []) if isinstance(raw, dict) else []
    return [
        f"step {place}: {mistake}"
        for place, step in enumerate(steps if isinstance(steps, list) else [])
        if isinstance(step, dict) and step.get("fault") is not None
        for mistake in fault_mistakes(step["fault"])
    ]
