"""Runs of pytest inside pytest.

What the plugin and the reference import when they are used is imported here: a run inside forgets
what it imported, would pay for it each time, and the reference would be there twice, by halves.
"""

from __future__ import annotations

from importlib import import_module

import pytest

for _name in (
    "harness.drawing",
    "harness.keeping",
    "harness.pytest_trials.files",
    "harness.pytest_trials.reporting",
    "harness.report.terminal",
    "harness.shrink",
    "harness.strategies",
    "reference_impl.build",
    "reference_impl.mutants",
):
    import_module(_name)

INI = """[pytest]
addopts = -p no:asyncio -p no:cacheprovider
filterwarnings = default
"""


@pytest.fixture(autouse=True)
def _an_own_ini(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one, a run inside could find this project's."""
    pytester.makeini(INI)
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.delenv("CI", raising=False)  # a skip inside is a skip
