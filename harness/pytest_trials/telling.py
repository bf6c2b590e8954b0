"""A verdict inside pytest's own output.

Rule: what a person needs next stands there, each in a line that can be copied: why, what was broken
at that moment, the seed, the report, the command.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from checkers.faults import fault_intervals
from checkers.verdict import Kind
from harness.pytest_trials.found import TrialVerdict, shown
from harness.report import words
from harness.report.explanations import explanations

FAULTS_MAX = 3
_OF_FAULTS = re.compile(r"^ *(In force then:|No fault was in force then)")


def lines(verdict: TrialVerdict) -> list[str]:
    """For the output of a test that failed. A run that is not kept is told without a report."""
    if verdict.kind is Kind.VALID:
        told = [f"VALID {verdict.summary}"]
    else:
        told = list(verdict.explanation)
        if not any(_OF_FAULTS.search(line) for line in told):  # where room was left for it
            broken = in_force(verdict)
            told += [f"in force    {broken}"] if broken else []
    trial = verdict.trial
    told.append(
        f"trial       {trial.system} {trial.workload}, faults {trial.faults}, {trial.nodes} nodes "
        f"({trial.cluster})"
    )
    of = f", the last of {verdict.runs} runs" if verdict.runs > 1 else ""
    told.append(f"seed        {verdict.seed}{of}")
    if verdict.is_kept:
        told.append(f"report      {shown(verdict.report)}")
    told += [f"notice      {remark}" for remark in verdict.remarks]
    told.append(f"again       {verdict.replay}")
    if verdict.replay != verdict.again_here:
        told.append(f"or          {verdict.again_here}")
    return told


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
