"""The example of a plugged-in machine: its bug is found, and its cure is not blamed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from checkers.verdict import Kind
from harness.cases import Case
from harness.settle import settle
from harness.simulate import simulate
from harness.trial import TrialError

EXAMPLE = Path(__file__).parents[3] / "examples" / "own-machine"


@pytest.mark.parametrize(("answers", "kind"), [("early", Kind.INVALID), ("durable", Kind.VALID)])
def test_an_answer_before_its_record_is_lost_with_the_power(answers: str, kind: Kind) -> None:
    """Both verdicts under the same faults, each seen in effect, and no machine ended by itself."""
    trial = settle(EXAMPLE / "trial.yaml", {"options": {"answers": answers}})
    simulated = simulate(Case(trial=trial))
    assert kind == simulated.verdict().kind
    assert () == tuple(simulated.notices)


def test_the_example_is_as_small_as_it_says() -> None:
    """A reader takes it in at a glance."""
    assert len((EXAMPLE / "keeper.py").read_text().splitlines()) < 50
    assert "less than fifty lines" in (EXAMPLE / "README.md").read_text()


def test_a_system_whose_file_has_changed_is_read_again(tmp_path: Path) -> None:
    """By a process that lives long: what was settled anew must not run as it was before."""
    trial = settle(EXAMPLE / "trial.yaml", {})
    file = tmp_path / "system.yaml"
    text = Path(trial.system).read_text().replace("{here}", str(EXAMPLE))
    file.write_text(text)
    again = msgspec.structs.replace(trial, system=str(file))
    simulate(Case(trial=again))
    file.write_text("name: nobody\n")
    with pytest.raises(TrialError):
        simulate(Case(trial=again))
