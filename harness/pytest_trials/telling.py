"""A verdict inside pytest's own output.

Rule: what a person needs next stands there, each in a line that can be copied: why, what was broken
at that moment, the seed, the report, the command.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from checkers.faults import fault_intervals
from checkers.finding import counted
from checkers.history import Call
from checkers.verdict import Kind
from harness.pytest_trials.found import TrialVerdict, shown
from harness.report import words
from harness.report.explanations import explanations

FAULTS_MAX = 3
TRACEBACK_LINES = 4  # its end: where it raised, and what
# What a sentence of any run calls by its flag, a test sets by name.
_SETTINGS = {
    "--faults none": 'faults="none"',
    "--check-time-limit": "check_time_limit_s",
    "--time-limit": "time_limit_s",
    "--clients": "clients",
    "--rate": "rate",
}
_OF_FAULTS = re.compile(r"^ *(In force then:|No fault was in force then)")


def lines(verdict: TrialVerdict) -> list[str]:
    """For the output of a test that failed. A run that is not kept is told without a report."""
    if verdict.kind is Kind.VALID:
        told = [f"VALID {verdict.summary}"]
    else:
        told = [_in_a_test(x) for x in verdict.explanation if not x.startswith("notice")]
        told += _unsupported(verdict)
        if not any(_OF_FAULTS.search(line) for line in told):  # where room was left for it
            broken = in_force(verdict)
            told += [f"in force    {broken}"] if broken else []
        told += _noticed(verdict.notices)
    trial = verdict.trial
    told.append(
        f"trial       {trial.system} {trial.workload}, faults {trial.faults}, {trial.nodes} nodes "
        f"({trial.cluster})"
    )
    told.append(f"seed        {verdict.seed}{_of_runs(verdict)}")
    if verdict.is_kept:
        told.append(f"report      {shown(verdict.report)}")
    told += [f"notice      {remark}" for remark in verdict.remarks]
    told.append(f"again       {verdict.replay}")
    if verdict.replay != verdict.again_here:
        told.append(f"or          {verdict.again_here}")
    return told


def _of_runs(verdict: TrialVerdict) -> str:
    if verdict.runs == 1:
        return ""
    if verdict.kind is Kind.INVALID:  # which ended them
        return f", the last of {verdict.runs} runs"
    return f", one of {verdict.runs} runs, of which {verdict.runs_valid} VALID"


def _in_a_test(line: str) -> str:
    for flag, setting in _SETTINGS.items():
        line = line.replace(flag, setting)
    return line


def _unsupported(verdict: TrialVerdict) -> list[str]:
    """A system that does not know an operation says so, whenever it can be reached."""
    asked: dict[str, list[Call]] = {}
    for call in verdict.history.calls():
        asked.setdefault(call.f, []).append(call)
    unknown = [
        f
        for f, calls in asked.items()
        if any(map(_is_unsupported, calls)) and all(call.outcome != "ok" for call in calls)
    ]
    if not unknown:
        return []
    if unknown == ["cas"]:
        remedy = 'Leave it out: workload_options={"cas_share": 0}.'
    else:
        remedy = f"Is {verdict.trial.workload} a workload that it serves? workload= names another."
    return [f"hint        The system calls every {', '.join(unknown)} unsupported. {remedy}"]


def _is_unsupported(call: Call) -> bool:
    error = None if call.completion is None else call.completion.error
    return error is not None and error.code == "unsupported"


def _noticed(notices: Sequence[str]) -> list[str]:
    """The first in full, but for the middle of a traceback: what a machine raised is its own."""
    if not notices:
        return []
    first, *traceback = notices[0].rstrip().splitlines()
    rest = f" (and {counted(len(notices) - 1, 'more notice')})" if len(notices) > 1 else ""
    told = [line for line in traceback if line.strip(" ^~")][-TRACEBACK_LINES:]
    return [f"notice      {first}{rest}", *(f"            {line}" for line in told)]


def in_force(verdict: TrialVerdict) -> str:
    """The faults under which what is wrong became so; empty where there were none, or nothing says
    when that was."""
    recording = verdict.recording
    moment = _moment_ns(verdict)
    if moment is None:
        return ""
    found = [fault for fault in fault_intervals(recording.history) if fault.covers(moment)]
    told = [words.fault(fault) for fault in found[:FAULTS_MAX]]
    rest = len(found) - len(told)
    return "; ".join(told) + (f" and {rest} more" if rest else "") or "none at that moment"


def _moment_ns(verdict: TrialVerdict) -> int | None:
    """When the last of the calls that contradict the others ended, or began."""
    for explained in explanations(verdict.verdict, verdict.recording):
        ends: Sequence[int] = [
            (call.completion or call.invoke).time
            for call in explained.calls
            if call.index in explained.culprits
        ]
        if ends:
            return max(ends)
    return None
