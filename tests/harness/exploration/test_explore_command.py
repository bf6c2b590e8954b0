"""`antipaxos explore`: what it prints, how it ends, and what it says to a mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.commands.explore import command
from harness.exploration.protocols import GALLERY
from harness.exploration.survey import explore_spaces, survey
from harness.exploration.survey_text import as_json, as_text
from harness.exploration.targets import target_of
from harness.trial import TrialError

ANTIPAXOS = Path(sys.executable).with_name("antipaxos")
EXAMPLE = Path(__file__).parents[3] / "examples" / "flp" / "impatient.py"


def explore(*words: str) -> Result:
    return CliRunner().invoke(command, ["--runs", "20", "--stages", "6", *words])


def test_agreement_that_holds_everywhere_exits_0() -> None:
    """The whole space was seen, and nobody disagrees."""
    result = explore("wait-for-all")
    assert 0 == result.exit_code
    assert "Agreement      holds" in result.output
    assert "1,624 configurations" in result.output


def test_a_violation_of_agreement_exits_1_with_the_shortest_schedule() -> None:
    """Three steps are enough: one tells its bit, two believe different ones."""
    result = explore("first-majority")
    assert 1 == result.exit_code
    lines = result.output.splitlines()
    at = next(i for i, line in enumerate(lines) if "VIOLATED, from inputs 011" in line)
    assert [
        "n1 starts; sends vote 0 to n2 n3",
        "n2 receives vote 0 from n1; sends vote 1 to n1 n3; DECIDES 0",
        "n3 receives vote 1 from n2; sends vote 1 to n1 n2; DECIDES 1",
    ] == [line.strip() for line in lines[at + 1 : at + 4]]


def test_a_limit_that_is_reached_exits_2_and_labels_nothing() -> None:
    """What was not seen is not judged."""
    result = explore("paxos", "--limit", "3000")
    assert 2 == result.exit_code
    assert "INCOMPLETE" in result.output
    assert "no violation in what was explored" in result.output
    assert [None] * 8 == [s.labels for s in explore_spaces(GALLERY["paxos"], 3000)]


def test_json_carries_what_the_text_says() -> None:
    """A program reads the same findings."""
    found = json.loads(explore("first-message", "--json").output)
    assert found["agreement"] is False
    assert 2992 == found["configurations"]
    assert [200, 200] == found["lemma1"]
    assert 20 == found["odds"]["runs"]
    assert "n1" in {event["process"] for event in found["spaces"][1]["disagreement"]}


def test_a_protocol_of_ones_own_by_the_path_of_its_file() -> None:
    """A function in a file is enough; a time-out that is trusted breaks agreement."""
    result = explore(f"{EXAMPLE}:machine")
    assert 1 == result.exit_code
    assert "n2 receives nothing, its timer patience runs out; DECIDES 0" in result.output
    assert 0 == explore(f"{EXAMPLE}:patient").exit_code


def test_processes_can_be_more() -> None:
    """Of four the space is larger; the names go on."""
    result = explore(f"{EXAMPLE}:patient", "--processes", "4")
    assert 0 == result.exit_code
    assert "from 16 inputs" in result.output
    assert "\n  1111   " in result.output


SYSTEM = """
from harness.exploration.configuration import System
from harness.machine import Recover, SetTimer, Trace

class Guess:
    def __init__(self, name):
        self.name = name
    def handle(self, event, now):
        if isinstance(event, Recover):
            return [SetTimer("guess", 1.0)]
        return [Trace("decide", {"value": VALUE})]

def system():
    return System(processes=("a", "b"), build=lambda name, rng: Guess(name))
"""


@pytest.mark.parametrize(("value", "code"), [("self.name", 1), ("'x'", 0)])
def test_a_system_without_inputs_is_searched(tmp_path: Path, value: str, code: int) -> None:
    """A function that gives a System: size, agreement and termination, and the same exit codes."""
    file = tmp_path / "guess.py"
    file.write_text(SYSTEM.replace("VALUE", value))
    result = explore(f"{file}:system")
    assert code == result.exit_code
    assert "4 configurations, 4 transitions; complete" in result.output
    assert ("a sees its timer 'guess' run out" in result.output) is (code == 1)
    assert 4 == json.loads(explore(f"{file}:system", "--json").output)["configurations"]


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("paxoz", "Did you mean 'paxos'?"),
        ("nowhere.py:machine", "no file nowhere.py"),
        (f"{EXAMPLE}:machin", "Did you mean 'machine'"),
        (f"{EXAMPLE}:LEADER", "is a str"),
        ("no_such_module_at_all:f", "cannot be loaded: ModuleNotFoundError"),
        ("json:loads", "Give a name of the gallery"),
    ],
)
def test_a_wrong_target_is_told_with_its_remedy(target: str, sentence: str) -> None:
    """Whoever mistyped reads what there is, and what can be given."""
    with pytest.raises(TrialError) as raised:
        target_of(target)
    assert sentence in str(raised.value)


WRONG = """
class Wrong:
    def __init__(self, name):
        self.name = name
        self.odd = ODD
    def handle(self, event, now):
        from harness.machine import Trace
        return [Trace("decide", {"value": VALUE})]

def machine(name, peers, bit):
    return Wrong(name)
"""


@pytest.mark.parametrize(
    ("odd", "value", "sentence"),
    [
        ("0", "1 // 0", "the machine raised ZeroDivisionError"),
        ("0", "'yes'", "n1 decided 'yes'"),
        ("iter([1])", "1", "odd is a list_iterator"),
    ],
)
def test_a_machine_that_cannot_be_explored_is_told(
    tmp_path: Path, odd: str, value: str, sentence: str
) -> None:
    """The author of a machine that raises, decides no bit or hides its state reads which."""
    file = tmp_path / "wrong.py"
    file.write_text(WRONG.replace("ODD", odd).replace("VALUE", value))
    result = explore(f"{file}:machine")
    assert isinstance(result.exception, TrialError)
    assert sentence in str(result.exception)


def test_the_command_works_from_any_directory(tmp_path: Path) -> None:
    """Installed, the gallery is at hand; a wrong name ends with 254 and one sentence."""
    listed = subprocess.run(
        [ANTIPAXOS, "explore", "--list"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert 6 == len(listed.stdout.splitlines())
    wrong = subprocess.run(
        [ANTIPAXOS, "explore", "benor"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert 254 == wrong.returncode
    assert "Did you mean 'ben-or'?" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_a_survey_is_a_value() -> None:
    """The same survey twice is the same; the text and the JSON are made from it alone."""
    subject = GALLERY["first-majority"]
    one, two = (survey(subject, stages=5, runs=10, seed=3, limit=None) for _ in range(2))
    assert one == two
    assert as_text(subject, one) == as_text(subject, two)
    assert json.loads(as_json(subject, one))["complete"] is True
