"""Settings of all tests: the same examples every time, no verdict by the clock, no silent skips."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]  # the plugin is tested by running pytest

# Fuzzing with new seeds is for nights; a suite that fails by chance teaches people to run it again.
settings.register_profile("suite", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("suite")

# What no package could mend: data that is not part of the project, other platforms and users.
_EXCUSED = (
    "no recorded histories",
    "the parent-death signal",
    "root reads everything",
    "names no other interpreters",
    "nobody looks at pictures",
)


# With pytest -n 2: what needs no port and no host of its own runs beside the rest, file by file.
# The rest goes one after the other: two clusters at once would take each other's ports and time.
_BESIDE = (
    "tests/checkers/",
    "tests/harness/exploration/",
    "tests/harness/nightly/",
    "tests/harness/pytest_plugin/",
    "tests/harness/serve/",
    "tests/harness/simulation/",
    "tests/harness/strategies/",
    "tests/harness/test_generators",
    "tests/harness/test_guided",
    "tests/harness/test_index",
    "tests/harness/test_mutants",
    "tests/harness/test_report",
    "tests/harness/test_shrink",
    "tests/harness/test_spacetime",
    "tests/harness/test_swarm",
    "tests/harness/test_timeline",
    "tests/nemesis/",
    "tests/reference_impl/",
    "tests/test_docs_site",
    "tests/test_mutants_found",
    "tests/test_tidy",
    "tests/test_tutorial",
)


def pytest_configure() -> None:
    """A shell without job control starts what it puts into the background deaf to Ctrl-C, and
    children inherit that; the tests send it to theirs."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadScopeScheduling

    class Beside(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", 1)[0]
            return file if file.startswith(_BESIDE) else "the machine"

    return Beside(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a test that skips for want of a package fails: there it could have been installed."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(excuse in reason for excuse in _EXCUSED):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} skipped in CI: {reason}"
    return report
