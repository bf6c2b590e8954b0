"""What docs/exploration.md shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "exploration.md"


def test_the_example_prints_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    """The first block of Python, and the block after it."""
    shown = re.search(r"```python\n(.*?)```\n\n```\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert shown is not None
    exec(compile(shown[1], str(PAGE), "exec"), {"__name__": "page"})
    assert shown[2] == capsys.readouterr().out
