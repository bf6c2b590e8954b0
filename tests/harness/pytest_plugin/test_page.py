"""The page about the plugin, and the suite of the examples: what they show passes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def test_every_snippet_of_the_page_passes(pytester: pytest.Pytester) -> None:
    """Each as a file of its own, as a reader would copy it."""
    text = (ROOT / "docs/pytest.md").read_text(encoding="utf-8")
    for number, (kind, snippet) in enumerate(re.findall(r"```(python|yaml)\n(.*?)```", text, re.S)):
        name = f"test_{number}.py" if kind == "python" else f"raft{number}.trial.yaml"
        (pytester.path / name).write_text(snippet, encoding="utf-8")

    result = pytester.runpytest_inprocess("-p", "no:randomly")

    result.assert_outcomes(passed=10)


def test_every_option_is_on_the_page() -> None:
    """And no other."""
    from harness.pytest_trials.names import OPTIONS

    text = (ROOT / "docs/pytest.md").read_text(encoding="utf-8")

    assert set(OPTIONS) == set(re.findall(r"`--antipaxos-([a-z-]+)`", text))


def test_the_example(pytester: pytest.Pytester) -> None:
    """A suite of a reader's, as it lies there."""
    pytester.copy_example(str(ROOT / "examples/pytest"))

    result = pytester.runpytest_inprocess()

    result.assert_outcomes(passed=11)
