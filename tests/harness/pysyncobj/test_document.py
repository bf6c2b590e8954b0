"""What docs/pysyncobj.md says of the library is so."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.harness.real import needs_module

DOCUMENT = Path(__file__).parents[3] / "docs" / "pysyncobj.md"
EXPLAINED = "0.3.17"
LIMIT_S = 20.0


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, r"told to the client: 0\n"), (1, r"left of 21 [a-z ]+: (\d|1\d|20)\n")],
)
def test_the_library_alone_shows_what_the_page_explains(number: int, shown: str) -> None:
    """The programs on the page end with a success that was never agreed on, and with fewer entries
    than were acknowledged, in the version that the page speaks of; a later one may be mended."""
    needs_module("pysyncobj")
    programs = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    ended = subprocess.run(
        [sys.executable, "-c", programs[number]],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    if version("pysyncobj") == EXPLAINED:
        assert re.fullmatch(shown, ended.stdout)
