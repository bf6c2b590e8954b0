"""The pytest plugin: registered by the installation, idle until a test asks for it.

Rule: a suite that does not use it pays for this module and `names` alone, which import nothing but
pytest.
Whatever does the work is in harness.pytest_trials, and imported where the fixture, the marker with
its trials, an option or a `*.trial.yaml` is first used.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.pytest_trials.names import CARRIED, OPTIONS, RUNNING

if TYPE_CHECKING:
    from harness.pytest_trials.files import TrialFile
    from harness.pytest_trials.trials import Trials


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("antipaxos", "trials of consensus implementations (antipaxos)")
    for name, purpose in OPTIONS.items():
        ini = f"antipaxos_{name.replace('-', '_')}"
        group.addoption(f"--antipaxos-{name}", metavar="VALUE", dest=ini, help=purpose)
        parser.addini(ini, purpose, default=None)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "antipaxos(system, **settings): defaults of the trials of a test, a class or a module.",
    )
    if _told(config):
        from harness.pytest_trials.options import check

        check(config)


def _told(config: pytest.Config) -> list[str]:
    """The options and settings that are given, as they were."""
    names = [f"antipaxos_{name.replace('-', '_')}" for name in OPTIONS]
    flags = [name for name in names if config.getoption(name) is not None]
    inis = [name for name in names if name not in flags and config.getini(name) is not None]
    return [f"{name}={config.getoption(name)}" for name in flags] + [
        f"{name}={config.getini(name)}" for name in inis
    ]


def pytest_report_header(config: pytest.Config) -> str | None:
    told = [text.removeprefix("antipaxos_") for text in _told(config)]
    return f"antipaxos: {', '.join(told)}" if told else None


@pytest.fixture(scope="session")
def antipaxos(pytestconfig: pytest.Config) -> Trials:
    """Runs a trial and gives its verdict: `assert antipaxos(system, workload=..., faults=...)`.

    Of the session, though every test has settings and seeds of its own: fixtures of any scope may
    use it, and so may tests that Hypothesis calls more than once.
    """
    from harness.pytest_trials.trials import Trials

    return Trials(pytestconfig)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> TrialFile | None:
    if not file_path.name.endswith(".trial.yaml"):
        return None
    from harness.pytest_trials.files import TrialFile

    return TrialFile.from_parent(parent, path=file_path)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    item.config.stash[RUNNING] = item


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if CARRIED in item.stash:
        from harness.pytest_trials.reporting import complete

        complete(item, call, report)
    return report
