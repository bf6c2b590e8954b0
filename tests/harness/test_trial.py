"""Trials: every mistake of a file at once, with its line and its remedy."""

from __future__ import annotations

import pytest

from harness.trial import Trial, TrialError, nearest, read_trial, trial_from_settings

FILE = "a.yaml"


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(TrialError) as caught:
        read_trial(text, FILE, {"faults": lambda v, _: [] if v == "none" else [f"no fault {v!r}."]})
    return caught.value.problems


def test_all_mistakes_are_reported_at_once_in_the_order_of_their_lines() -> None:
    """A user corrects a file once, not once a mistake."""
    text = "nodez: 4\nfaults: nonne\nnodes: many\nrate: -1\nrate: 3\ntime_limit_s: .nan\n"
    assert (
        "a.yaml:1: 'nodez' is not a setting of a trial. Did you mean 'nodes'?",
        "a.yaml:2: no fault 'nonne'.",
        "a.yaml:3: nodes is 'many': expected `int`, got `str`. "
        "Give a number of nodes from 1 to 99.",
        "a.yaml:4: rate is -1. Give operations a second, 0 for no limit from 0 to 1e+06.",
        "a.yaml:5: 'rate' is set in line 4 too. Keep one.",
        "a.yaml:6: time_limit_s is nan. Give seconds from 0.1 to 1e+06.",
    ) == problems(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1,\nb: 2", "a.yaml:2: not YAML: expected ',' or ']'"),
        ("- 1\n- 2\n", "a.yaml:1: a trial is a mapping"),
        ("seed: !!python/object:os.system x\n", "a.yaml:1: seed: could not determine"),
        ("seed: -1\n", "a.yaml:1: seed is -1. Give a seed from 0"),
        ("nodes: 0\n", "a.yaml:1: nodes is 0. Give a number of nodes from 1 to 99."),
        ("name: [1]\n", "a.yaml:1: name is [1]: expected `str`"),
    ],
)
def test_a_mistake_names_line_and_remedy(text: str, expected: str) -> None:
    """Whatever is wrong with the YAML, the message leads to it."""
    assert problems(text)[0].startswith(expected)


def test_options_are_words_as_written() -> None:
    """YAML reads a bare `off` as False; a system would not know the option's value any more."""
    settings = read_trial("options: {refusals: off, learning: all, size: 010}\n", FILE, {})
    assert {"options": {"refusals": "off", "learning": "all", "size": "010"}} == settings


def test_an_empty_file_is_the_default_trial() -> None:
    """Every setting has a default."""
    assert Trial() == trial_from_settings(read_trial("# nothing\n", FILE, {}), {})


def test_flags_are_judged_as_files_are() -> None:
    """The same sentence whichever way a setting came."""
    with pytest.raises(TrialError, match="clients is 0") as caught:
        trial_from_settings({"clients": 0, "fault": "none"}, {})
    assert "Did you mean 'faults'?" in str(caught.value)


def test_checks_see_what_overrides_a_setting() -> None:
    """Options in a file are judged for the system that a flag names."""
    seen = []

    def check(_value: object, settings: object) -> list[str]:
        seen.append(settings)
        return []

    read_trial("system: a\noptions: {x: y}\n", FILE, {"options": check}, {"system": "b"})
    assert [{"system": "b", "options": {"x": "y"}}] == seen


def test_nearest_names_all_where_none_is_close() -> None:
    """A wild guess gets the whole list."""
    assert "Valid are: consensus, log, register." == nearest(
        "qqq", ["register", "log", "consensus"]
    )
    assert "Did you mean 'register'?" == nearest("registre", ["register", "log"])
