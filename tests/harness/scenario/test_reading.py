"""A scenario's file says what it means, and every mistake in it is told at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.scenario import (
    Await,
    Break,
    Do,
    Elapsed,
    Expect,
    Heal,
    Hit,
    Leader,
    Let,
    Logged,
    Passed,
    Ready,
    Repeat,
    Scenario,
    State,
    Together,
    Wait,
    encode,
    read,
)
from harness.scenario.reading import About
from harness.settle import settle
from harness.trial import TrialError
from nemesis.faults import Hold, Kill, Partition, Slow

WHOLE = """\
name: whole
trial: {system: paxos, nodes: 3, options: {mutant: local-reads, learning: all}}
load: none
steps:
  - wait: {leader: known, as: old}
  - wait: 0.5
  - wait: {for_s: [0.1, 0.2]}
  - let: {other_one: other, rest: "not old"}
  - write: {at: old, key: x, value: [1, {a: null}], async: true, as: late}
  - partition: old
  - slow: {target: rest, mean_ms: 20, as: mud}
  - hold: {links: [[old, rest]]}
  - wait: {leader: changed, from: old, within_s: 5, as: new}
  - wait: {operations: 10, f: read, at: new, outcome: any}
  - wait: {acknowledged: write, at: new, key: x}
  - wait: {log: "became [a-z]+", at: rest, as: who}
  - wait: {ready: all}
  - wait: {state: dead, at: who}
  - heal: mud
  - together:
      - kill: {nodes: [old, who]}
      - [heal: partition, await: late]
  - read: {at: old, key: x, expect: {value: 1}, as: stale, again_s: 2}
  - heal: all
hit: {invalid: linearizable, stale: 1}
repeat: {tries: 3, budget_s: 10}
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "scenario.yaml"
    file.write_text(text)
    return file


def test_a_file_reads_as_it_says(tmp_path: Path) -> None:
    """Every word of the grammar, once."""
    text = WHOLE.replace("[heal: partition, await: late]", "[{heal: partition}, {await: late}]")

    assert Scenario(
        name="whole",
        trial={
            "system": "paxos",
            "nodes": 3,
            "options": {"mutant": "local-reads", "learning": "all"},
        },
        load=False,
        steps=(
            Wait(condition=Leader(into="old")),
            Wait(condition=Elapsed(least_s=0.5, most_s=0.5)),
            Wait(condition=Elapsed(least_s=0.1, most_s=0.2)),
            Let(names={"other_one": "other", "rest": "not old"}),
            Do(f="write", at="old", key="x", value=[1, {"a": None}], later=True, into="late"),
            Break(fault=Partition(topology="isolate", target="old")),
            Break(fault=Slow(target="rest", mean_ms=20), into="mud"),
            Break(fault=Hold(links=(("old", "rest"),))),
            Wait(condition=Leader(becomes="changed", than="old", into="new"), within_s=5),
            Wait(condition=Passed(operations=10, f="read", at="new", outcome=None)),
            Wait(condition=Passed(f="write", at="new", key="x")),
            Wait(condition=Logged(pattern="became [a-z]+", at="rest", into="who")),
            Wait(condition=Ready(at="all")),
            Wait(condition=State(state="dead", at="who")),
            Heal(faults=("mud",)),
            Together(
                branches=(
                    (Break(fault=Kill(nodes=("old", "who"))),),
                    (Heal(faults=("partition",)), Await(operations=("late",))),
                )
            ),
            Do(f="read", at="old", key="x", expect=Expect(value=1), into="stale", again_s=2),
            Heal(),
        ),
        hit=Hit(law="linearizable", results={"stale": 1}),
        repeat=Repeat(tries=3, budget_s=10),
    ) == read(written(tmp_path, text))


def test_what_is_written_reads_as_the_same(tmp_path: Path) -> None:
    """So the file beside a run is the scenario that was played."""
    scenario = read(written(tmp_path, WHOLE))

    file = tmp_path / "again.yaml"
    file.write_bytes(encode(scenario))

    assert scenario == read(file)


texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, max_examples=60)
@given(values, values, st.sampled_from(["ok", "fail", "info"]))
def test_any_value_of_an_operation_is_kept(
    tmp_path_factory: pytest.TempPathFactory, key: Any, value: Any, outcome: Any
) -> None:
    """Texts that look like numbers or words of YAML stay texts."""
    expect = Expect(outcome=outcome, value=value)
    step = Do(f="write", key=key, value=value, expect=expect)
    scenario = Scenario(name="values", steps=(step, Wait(condition=Passed(key=key, value=value))))

    file = tmp_path_factory.mktemp("scenario") / "scenario.yaml"
    file.write_bytes(encode(scenario))

    assert scenario == read(file)


# Each with the line that it is told at, and words of what is told.
MISTAKES: dict[str, tuple[int, str]] = {
    "- kil: n1": (
        3,
        "'kil' is no step, no fault and no operation of the workload. Did you mean",
    ),
    "- kill: lader": (3, "nobody is called 'lader'. Did you mean 'leader'"),
    "- kill: n9": (3, "nobody is called 'n9'"),
    "- kill: {target: n1, nods: [n2]}": (3, "unknown field of kill 'nods': did you mean 'nodes'?"),
    "- kill: {nodes: n1}": (3, "kill: expected `array`, got `str` - at `$.nodes`"),
    "- partition: {topology: halfs}": (3, "unknown topology 'halfs': did you mean 'halves'?"),
    "- slow: {mean_ms: -5}": (3, "mean_ms is -5.0, expected a number from 0 to 60000"),
    "- kill: n1\n  - kill: n2": (4, "a fault called 'kill' is in force already"),
    "- heal: kill": (3, "no fault called 'kill' is in force. Did you mean 'all'?"),
    "- kill": (3, "a step is a mapping of one word to what it takes"),
    "- {kill: n1, heal: all}": (3, "a step is a mapping of one word to what it takes"),
    "- write: {vale: 1}": (3, "write has no setting 'vale'. Did you mean 'value'"),
    "- write: {at: nobody}": (3, "at is 'nobody': nobody is called 'nobody'"),
    "- write: {expect: maybe}": (3, "expect is 'maybe'. Valid are: fail, info, ok"),
    "- write: {async: perhaps}": (3, "async is 'perhaps'. Valid are: false, true"),
    "- write: {again_s: 1}": (3, "again_s says until when, but not until what: give 'expect'"),
    "- write: {again_s: soon, expect: ok}": (3, "again_s is 'soon'. Give a number from 0"),
    "- write: {as: 7up}": (3, "the name of an operation is '7up'"),
    "- write: {value: 2001-01-01}": (3, "is no JSON value. Put it in quotes for a text"),
    "- write: {async: true}\n  - write: {async: true}": (4, "'write' goes on already. Await it"),
    "- await: w": (3, "no operation called 'w' goes on. Begin one before, with 'async: true'"),
    "- wait: {leader: knwon}": (3, "leader is 'knwon'. Did you mean 'known'"),
    "- wait: {leader: changed}": (3, "leader: changed lacks 'from': who led before?"),
    "- wait: {leader: known, as: n1}": (3, "'n1' means something already"),
    "- wait: {leader: known, as: leader}": (3, "'leader' means something already"),
    "- wait: {leader: known, ready: n1}": (3, "one condition, and this has two (leader, ready)"),
    "- wait: {within_s: 1}": (3, "a wait has one condition, and this has none. Conditions: leader"),
    "- wait: {ready: n1, within_s: -1}": (3, "within_s is '-1'. Give a number from 0"),
    "- wait: {ready: n1, at: n1}": (3, "wait ready has no setting 'at'"),
    "- wait: {operations: none}": (3, "operations is 'none'. Give a number from 1"),
    "- wait: {operations: 1, f: wirte}": (3, "the workload has no 'wirte'. Did you mean 'write'"),
    "- wait: {acknowledged: wirte}": (3, "the workload has no 'wirte'. Did you mean 'write'"),
    "- wait: {log: '(', at: n1}": (3, "log is no regular expression"),
    "- wait: {state: daed, at: n1}": (3, "state is 'daed'. Did you mean 'dead'"),
    "- wait: {state: dead}": (3, "wait state lacks 'at'"),
    "- wait: {for_s: [1]}": (3, "for_s is a number of seconds, or the least and the most"),
    "- wait: {for_s: [2, 1]}": (3, "for_s is from 2 to 1: exchange the two"),
    "- wait: long": (3, "the time of a wait is 'long'. Give a number"),
    "- let: {a: b}": (3, "let a is 'b': nobody is called 'b'"),
    "- together: n1": (3, "together must be a list"),
    "- together: [[let: {a: any}], [kill: a]]": (3, "nobody is called 'a'"),
    "- together: [[kill: n1], [kill: n2]]\n  - heal: kil": (4, "no fault called 'kil' is in force"),
    "- read: {at: n1}\nhit: {stale: 1}": (4, "no operation is called 'stale'. There are: read"),
    "- read: {at: n1}\nhit: maybe": (4, "hit is 'maybe'"),
    "- read: {at: n1}\nhit: {invalid: lin}": (4, "nothing is called 'lin' where it is broken"),
    "- read: {at: n1}\nrepeat: {tries: 0}": (4, "tries is '0'. Give a number from 1"),
    "- read: {at: n1}\nrepeat: {times: 2}": (4, "repeat has no setting 'times'"),
    "- read: {at: n1}\nload: some": (4, "load is 'some'. Did you mean 'none'"),
    "- read: {at: n1}\nlaod: none": (4, "a scenario has no setting 'laod'. Did you mean 'load'"),
    "- read: {at: n1}\ntrial: {nods: 3}": (4, "'nods' is not a setting of a trial. Did you mean"),
    "- read: {at: n1}\ntrial: {nodes: many}": (4, "nodes is 'many'"),
    "- read: {at: n1}\ntrial: {faults: chaos}": (4, "the faults of a scenario are its steps"),
    "[]": (2, "steps is empty"),
}


@pytest.mark.parametrize("steps", MISTAKES)
def test_a_mistake_is_told_with_its_line_and_a_remedy(tmp_path: Path, steps: str) -> None:
    """One mistake, one sentence."""
    line, words = MISTAKES[steps]
    text = "steps: []" if steps == "[]" else f"steps:\n  {steps}"
    file = written(tmp_path, f"name: wrong\n{text}\n")

    with pytest.raises(TrialError) as told:
        settle(None, {"scenario": str(file)})

    (sentence,) = told.value.problems
    assert sentence.startswith(f"{file}:{line}: ")
    assert words in sentence
    assert sentence.endswith((".", "?", "'"))


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """In the order of lines."""
    file = written(
        tmp_path,
        "name: wrong\ntrial: {nodes: 0}\nsteps:\n  - kil: n1\n  - heal: x\n  - write: {at: y}\n",
    )

    with pytest.raises(TrialError) as told:
        settle(None, {"scenario": str(file)})

    lines = [problem.removeprefix(f"{file}:").split(":")[0] for problem in told.value.problems]
    assert ["2", "4", "5", "6"] == lines


def test_what_lacks_is_told(tmp_path: Path) -> None:
    """A scenario has a name and steps."""
    with pytest.raises(
        TrialError, match=r"lacks the setting 'name'(.|\n)*lacks the setting 'steps'"
    ):
        read(written(tmp_path, "load: none\n"))


def test_a_file_that_is_not_there_or_no_yaml_is_told(tmp_path: Path) -> None:
    """As for every file of a user."""
    with pytest.raises(TrialError, match="cannot read"):
        read(tmp_path / "gone.yaml")
    with pytest.raises(TrialError, match="this is no YAML"):
        read(written(tmp_path, "name: [\n"))


def test_the_trial_is_that_of_the_file_under_the_flags(tmp_path: Path) -> None:
    """Flags win; options are settings of their own; faults are those of the steps."""
    file = written(
        tmp_path,
        "name: s\ntrial: {nodes: 3, rate: 7, options: {mutant: local-reads}}\n"
        "steps:\n  - kill: n3\n",
    )

    trial = settle(None, {"scenario": str(file), "rate": 9.0, "options": {"learning": "all"}})

    assert (3, 9.0, "none") == (trial.nodes, trial.rate, trial.faults)
    assert {"mutant": "local-reads", "learning": "all"} == trial.options
    with pytest.raises(TrialError, match="nobody is called 'n3'"):
        settle(None, {"scenario": str(file), "nodes": 2})
    with pytest.raises(TrialError, match="beside a scenario"):
        settle(None, {"scenario": str(file), "faults": "chaos"})


def test_a_system_beside_a_scenario_is_found_from_anywhere(tmp_path: Path) -> None:
    """Paths in a scenario's file are relative to it."""
    seen: list[Any] = []

    def about(settings: Any) -> About:
        seen.append(settings["system"])
        return About()

    file = written(tmp_path, "name: s\ntrial: {system: mine.yaml}\nsteps:\n  - kill: n1\n")
    read(file, about, lambda _, value: f"beside/{value}")

    assert ["beside/mine.yaml"] == seen
