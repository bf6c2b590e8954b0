"""Every snippet of docs/strategies.md does what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "strategies.md"
SNIPPETS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_page_is_short_and_has_snippets() -> None:
    """One page, and something to run on it."""
    assert len(SNIPPETS) == 4
    assert len(PAGE.read_text().splitlines()) <= 120


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_a_snippet_runs(number: int) -> None:
    """Its tests pass."""
    names: dict[str, Any] = {"__name__": "snippet"}
    exec(compile(SNIPPETS[number], f"{PAGE.name}, snippet {number + 1}", "exec"), names)
    tests = [value for name, value in names.items() if name.startswith("test_")]

    assert tests
    for test in tests:
        test()
