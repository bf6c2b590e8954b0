"""What a run comes to: its record, from what was recorded and the verdict on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from checkers.faults import fault_intervals
from checkers.history import History
from checkers.verdict import Kind, Verdict
from harness.clock import NS_PER_S
from harness.fingerprint import fingerprint
from harness.nightly.records import End, RunRecord
from harness.nightly.tasks import Run


def judged(run: Run, history: History, verdict: Verdict) -> RunRecord:
    """The record of a run that was recorded and judged."""
    calls = history.calls()
    in_effect: dict[str, int] = {}
    for interval in fault_intervals(history):
        if interval.in_effect:
            in_effect[interval.kind] = in_effect.get(interval.kind, 0) + 1
    end: End = verdict.kind.value
    if verdict.kind is Kind.UNKNOWN and verdict.cause == "coverage":
        end = "idle"
    found = fingerprint(verdict)
    record = msgspec.structs.replace(
        run.record(end, verdict.summary if verdict.kind is Kind.UNKNOWN else ""),
        operations=len(calls),
        ok=sum(call.outcome == "ok" for call in calls),
        in_effect=in_effect,
    )
    if found is None:
        return record
    return msgspec.structs.replace(
        record,
        fingerprint=found.name,
        law=found.law,
        shape=found.shape,
        sentence=found.sentence,
        failed_after_s=_complete_s(history, verdict, found.law),
    )


def _complete_s(history: History, verdict: Verdict, law: str) -> float | None:
    """When the violation was there: the time of the event that breaks a law of the protocol, else
    when the last operation that the evidence names had its answer."""
    leaves = [leaf for leaf in _leaves(verdict) if leaf.kind is Kind.INVALID]
    evidence = next((leaf for leaf in leaves if leaf.checker == law), leaves[0]).evidence
    event = evidence.get("event")
    if isinstance(event, dict) and isinstance(time_ns := event.get("time"), int):
        return round(float(time_ns) / NS_PER_S, 3)
    named = _named(evidence)
    times = [
        (call.completion or call.invoke).time
        for call in history.calls()
        if call.invoke.index in named
    ]
    return round(max(times) / NS_PER_S, 3) if times else None


def _named(evidence: Mapping[str, Any]) -> set[int]:
    """The operations that it takes, by the index of their invocation: of a contradiction to
    linearizability what no smaller one does without, else the one that cannot be explained."""
    contradiction = evidence.get("contradiction")
    if isinstance(contradiction, dict):
        listed = contradiction.get("core") or [contradiction.get("operation")]
    else:
        listed = evidence.get("operations")
    return {i for i in listed if isinstance(i, int)} if isinstance(listed, list | tuple) else set()


def _leaves(verdict: Verdict) -> list[Verdict]:
    if not verdict.parts:
        return [verdict]
    return [leaf for part in verdict.parts for leaf in _leaves(part)]
