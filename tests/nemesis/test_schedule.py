"""Schedules are values: written, read, refused with reasons."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemesis import packages
from nemesis.faults import Kill, Partition
from nemesis.schedule import (
    Schedule,
    ScheduleError,
    Step,
    decode,
    encode,
    mistakes_of,
    read,
    write,
)

KILL = Kill(target="leaders")


@given(st.sampled_from(sorted(packages.PACKAGES)), st.integers(0, 1000), st.floats(0, 90))
def test_what_is_written_is_read_again(name: str, seed: int, duration_s: float) -> None:
    """Encoding and decoding give the same schedule, and it is JSON with a step a line."""
    schedule = packages.schedule(name, seed, duration_s)
    text = encode(schedule)
    assert schedule == decode(text)
    assert len(schedule.steps) == len(json.loads(text)["steps"])


def test_a_schedule_has_a_file(tmp_path: Path) -> None:
    """Through a file nothing is lost; concrete links stay as they are."""
    concrete = Partition(topology="bridge", links=(("n1", "n2"),))
    schedule = Schedule(5.0, 3, (Step(1.0, 1, "start", concrete), Step(2.0, 1, "stop")))
    write(tmp_path / "schedule.json", schedule)
    assert schedule == read(tmp_path / "schedule.json")


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ([Step(1.0, 1, "start")], "a start needs a fault"),
        ([Step(-1.0, 1, "start", KILL)], "expected seconds from 0 on"),
        ([Step(float("nan"), 1, "start", KILL)], "expected seconds from 0 on"),
        ([Step(11.0, 1, "start", KILL)], "after the end at duration_s 10"),
        ([Step(1.0, 0, "start", KILL)], "ids count from 1"),
        ([Step(1.0, 1, "stop")], "nothing has started under id 1"),
        ([Step(1.0, 1, "start", Kill(target=""))], "an empty target"),
        ([Step(2.0, 1, "start", KILL), Step(1.0, 1, "stop")], "before 2 of an earlier step"),
        ([Step(1.0, 1, "start", KILL), Step(2.0, 1, "start", KILL)], "has started before"),
        ([Step(1.0, 1, "start", KILL), Step(2.0, 1, "stop", KILL)], "a stop names no fault"),
        (
            [Step(1.0, 1, "start", KILL), Step(2.0, 1, "stop"), Step(3.0, 1, "stop")],
            "id 1 has stopped before",
        ),
    ],
)
def test_a_wrong_schedule_is_explained(steps: list[Step], sentence: str) -> None:
    """Each mistake names the step and what was expected."""
    (found,) = mistakes_of(Schedule(10.0, 0, tuple(steps)))
    assert found.startswith(f"step {len(steps) - 1} (id")
    assert sentence in found


def test_a_duration_is_a_number_of_seconds() -> None:
    """An endless run has no final heal."""
    assert mistakes_of(Schedule(float("inf"))) == ["duration_s is inf, expected seconds from 0 on"]


def test_all_mistakes_are_told_at_once() -> None:
    """A reader corrects a file once, not once for every mistake."""
    steps = [
        {"at_s": 1, "id": 1, "action": "start", "fault": {"fault": "partitoin"}},
        {"at_s": 2, "id": 2, "action": "start", "fault": {"fault": "lose", "probabilty": 1}},
    ]
    with pytest.raises(ScheduleError) as caught:
        decode(json.dumps({"duration_s": 9, "steps": steps}).encode(), "f.json")
    assert caught.value.mistakes == (
        "step 0: unknown fault 'partitoin': did you mean 'partition'?",
        "step 1: unknown field of lose 'probabilty': did you mean 'probability'?",
    )
    assert str(caught.value).startswith("f.json: ")


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[]",
        b'{"steps": []}',
        b'{"duration_s": 1, "step": []}',
        b'{"duration_s": 1, "steps": [1]}',
        b'{"duration_s": 1, "steps": 7}',
        b'{"duration_s": 1, "steps": [{"at_s": 0, "id": 1, "action": "go"}]}',
        b'{"duration_s": 1, "steps": [{"at_s": 0, "id": 1, "action": "start", "fault": 3}]}',
        b'{"duration_s": 1, "steps": [{"at_s": 0, "id": 1, "action": "start", "fault": {}}]}',
        b'{"duration_s": 1, "steps": [{"at_s": 0, "id": 1, "action": "start", '
        b'"fault": {"fault": "kill", "nodes": "n1"}}]}',
        b"\xff",
    ],
)
def test_what_is_no_schedule_is_refused(text: bytes) -> None:
    """Whatever stands in the file, the answer is a ScheduleError with a sentence."""
    with pytest.raises(ScheduleError):
        decode(text)
