"""The front door of the package."""

from __future__ import annotations

import subprocess
import sys

import pytest

from checkers import History, Kind, Operation, check


def test_check_judges_by_the_name_of_a_model() -> None:
    """One import and one call."""
    stale = History(
        [
            Operation(0, 0, 0, "invoke", "write", 1),
            Operation(1, 0, 0, "ok", "write", 1),
            Operation(2, 0, 1, "invoke", "read"),
            Operation(3, 0, 1, "ok", "read", 2),
        ]
    )
    assert Kind.INVALID is check(stale, "register").kind
    with pytest.raises(ValueError, match="register"):
        check(stale, "registre")


def test_importing_the_package_loads_no_search() -> None:
    """Suites that collect us pay nothing for it."""
    code = "import checkers, sys; sys.exit('checkers.models' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode
