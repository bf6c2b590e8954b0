"""What pytest's reports say of the trials of a test.

Rules
1. Trouble of the environment is an error and no failure, whoever raised it: pytest calls so what
   goes wrong outside of the test's own call, so there it is put. Not even an xfail excuses it.
2. A test that failed has its runs kept, the latest of those that were not VALID first, and tells
   them as part of its failure, whichever way its assertion was written.
3. Every report for machines has the kind, the seed and, where there is one, the report of each
   trial that is remembered.
"""

from __future__ import annotations

from typing import Any

import pytest

from checkers.verdict import Kind
from harness.contracts import EnvironmentTrouble
from harness.pytest_trials import found
from harness.pytest_trials.found import TrialVerdict
from harness.pytest_trials.names import CARRIED
from harness.pytest_trials.telling import lines

KEPT_MAX = 3


def complete(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Add what there is to say to the report of a phase of a test."""
    excinfo = call.excinfo
    if excinfo is not None and isinstance(excinfo.value, EnvironmentTrouble):
        _as_error(item, excinfo, report)
    if report.when == "teardown":
        return
    carrying: Any = item.stash[CARRIED]
    verdicts: list[TrialVerdict] = carrying.verdicts
    if report.failed:
        _tell(report, verdicts, carrying.count)
        _name_the_kind(report, verdicts)
    if report.when == "call" or report.failed:
        _record(item, verdicts)


def _as_error(
    item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException], report: pytest.TestReport
) -> None:
    report.outcome = "failed"
    report.longrepr = item.repr_failure(excinfo)
    if hasattr(report, "wasxfail"):
        del report.wasxfail
    if report.when == "call":
        report.when = "setup"
    _section(
        report,
        "antipaxos: no verdict",
        [
            "The trial could not be carried out, so nothing was judged.",
            "The reason stands above: something of the environment, or the system's own code.",
        ],
    )


def _tell(report: pytest.TestReport, verdicts: list[TrialVerdict], count: int) -> None:
    worse = [verdict for verdict in verdicts if verdict.kind is not Kind.VALID]
    for number, verdict in enumerate(worse[-KEPT_MAX:] or verdicts[-1:], 1):
        if verdict.kind is not Kind.VALID:
            try:
                _ = verdict.folder
            except EnvironmentTrouble as wrong:
                verdict.remarks.append(f"The run could not be kept: {wrong}")
            except Exception as wrong:  # noqa: BLE001 - the verdict stands, and is what is told here
                verdict.remarks.append(f"The run could not be kept: {wrong!r}")
        of = f" {number} of {count} trials" if count > 1 else ""
        try:
            told = lines(verdict)
        except Exception as wrong:  # noqa: BLE001 - as above; the seed is enough to come back
            told = [f"{verdict}", f"It could not be told in full: {wrong!r}", verdict.again_here]
        _section(report, f"antipaxos{of}", told)


def _name_the_kind(report: pytest.TestReport, verdicts: list[TrialVerdict]) -> None:
    """Into the message that JUnit's file and other lists have, where it stands alone."""
    crash: Any = getattr(report.longrepr, "reprcrash", None)
    worse = [verdict for verdict in verdicts if verdict.kind is not Kind.VALID]
    if crash is not None and worse and repr(worse[-1]) in crash.message:
        crash.message = f"{crash.message}\n{worse[-1]}"


def _section(report: pytest.TestReport, title: str, told: list[str]) -> None:
    """Into the failure itself where pytest has a place for it: a captured section may be hidden."""
    text = "\n".join(told)
    shown: Any = report.longrepr
    if hasattr(shown, "addsection"):
        shown.addsection(title, text)
    else:
        report.sections.append((title, text))


def _record(item: pytest.Item, verdicts: list[TrialVerdict]) -> None:
    told = {name for name, _ in item.user_properties}
    for number, verdict in enumerate(verdicts, 1):
        suffix = f"_{number}" if number > 1 else ""
        if f"antipaxos_verdict{suffix}" in told:
            continue
        item.user_properties.append((f"antipaxos_verdict{suffix}", verdict.kind.value))
        item.user_properties.append((f"antipaxos_seed{suffix}", verdict.seed))
        if verdict.is_kept:
            item.user_properties.append((f"antipaxos_report{suffix}", found.shown(verdict.report)))
