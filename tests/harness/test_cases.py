"""Cases: what a simulated run follows from."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness import cases
from harness.cases import Case
from harness.generators.script import Line, Script
from harness.replay import left_by
from harness.simulate import simulate
from harness.trial import Trial, TrialError
from nemesis.faults import Kill
from nemesis.schedule import Schedule, Step

TRIAL = Trial(
    cluster="simulated",
    nodes=3,
    clients=2,
    time_limit_s=1.5,
    rate=40.0,
    recovery_s=0.2,
    faults="crashes",
    seed=4,
)
FULL = Case(
    trial=TRIAL,
    faults=Schedule(1.0, 4, (Step(0.5, 1, "start", Kill(nodes=("n2",))), Step(0.7, 1, "stop"))),
    choices={"n1 sync": [3, 0, 9], "n1>n2 delay": [0, 7]},
    script=Script((Line(5, 0, "write", 1, "r1"),), (Line(9, 1, "read", None, "r1"),)),
)


def test_a_case_is_read_as_it_was_written(tmp_path: Path) -> None:
    """write and read are inverse, for full cases and for those that leave all to the seed."""
    for case in (FULL, Case(trial=TRIAL)):
        cases.write(tmp_path / "case.json", case)
        assert case == cases.read(tmp_path / "case.json")


def test_the_size_counts_what_is_written_down() -> None:
    """Two operations, two steps of faults, three numbers that are not 0."""
    assert 7 == FULL.size()
    assert 0 == Case(trial=TRIAL).size()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is not a case"),
        (b"[1]", "is not a case"),
        (b'{"trial": {"nodes": "many"}}', "is not a case"),
        (b"\xff\xfe", "is not a case"),
        (b"[" * 100_000, "is not a case"),
        (b'{"trial": {}}', "has its seed"),
    ],
)
def test_what_is_no_case_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    """Whatever a file holds, the mistake is a sentence that names the file."""
    file = tmp_path / "case.json"
    file.write_bytes(content)
    with pytest.raises(TrialError, match=told) as wrong:
        cases.read(file)
    assert str(file) in str(wrong.value)


def test_faults_that_name_no_node_are_told(tmp_path: Path) -> None:
    """A schedule in a case is judged as one in a file of its own."""
    faults = Schedule(1.0, 4, (Step(0.5, 1, "start", Kill(nodes=("n9",))),))
    cases.write(tmp_path / "case.json", Case(trial=TRIAL, faults=faults))
    with pytest.raises(TrialError, match="n9"):
        cases.read(tmp_path / "case.json")


def test_an_explicit_case_is_the_same_run() -> None:
    """With all that chance decided written down, and the operations as a script, a run leaves the
    same history and trace, whatever seed it would draw from otherwise."""
    drawn = simulate(Case(trial=TRIAL, faults=FULL.faults))
    explicit = drawn.explicit
    again = simulate(explicit)
    assert left_by(drawn) == left_by(again)
    assert explicit == again.explicit
    assert drawn.executed.steps
    assert drawn.choices


def test_leaving_everything_out_is_a_run_too() -> None:
    """An explicit case without numbers is carried out, and plainer."""
    explicit = simulate(Case(trial=TRIAL)).explicit
    plain = simulate(msgspec.structs.replace(explicit, choices={}))
    assert {} == {
        name: numbers for name, numbers in plain.choices.items() if not name.startswith("machine")
    }
