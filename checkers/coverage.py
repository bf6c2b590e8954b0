"""Coverage: did the run exercise what it claims to have exercised?

Rules
1. Coverage never finds a system wrong. It is VALID, or UNKNOWN with cause coverage: a green run
   that tested nothing would be worse than a red one.
2. Every gap is one sentence in `evidence["gaps"]`; the summary is the first of them.
3. A kind of fault counts as exercised if at least one fault of the kind was seen in effect by its
   probe, and at least one operation was under way while one was: it was invoked then, or before
   and had no answer yet. Short faults strike what is open, or nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import msgspec

from checkers.faults import FaultInterval, fault_intervals, healed_at
from checkers.finding import counted
from checkers.history import Call, History
from checkers.verdict import Kind, Recording, Verdict


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """`operations`: the workload's operation names, each of which must have succeeded.
    `planned`: the kinds of faults that the run was to inject ("partition", "kill", ...).
    `final`: the operations of which one must have succeeded after the last fault was undone,
    empty where the workload has no final reads."""

    operations: tuple[str, ...]
    planned: tuple[str, ...] = ()
    final: tuple[str, ...] = ("read",)

    @property
    def name(self) -> str:
        return "coverage"

    def check(self, recording: Recording) -> Verdict:
        history = recording.history
        intervals = fault_intervals(history)
        gaps = [
            *_without_success(history.calls(), self.operations),
            *_fault_gaps(history, intervals, self.planned),
            *_final_gaps(history, intervals, self.final),
        ]
        exercised = {
            "operations": sum(call.outcome == "ok" for call in history.calls()),
            "faults": sum(interval.in_effect for interval in intervals),
        }
        if gaps:
            rest = f" (and {counted(len(gaps) - 1, 'more gap')})" if gaps[1:] else ""
            return Verdict(
                checker=self.name,
                kind=Kind.UNKNOWN,
                cause="coverage",
                summary=gaps[0] + rest,
                evidence={"gaps": gaps, **exercised},
            )
        return Verdict(
            checker=self.name,
            kind=Kind.VALID,
            summary=f"{exercised['operations']} operations succeeded and {exercised['faults']} "
            f"faults took effect.",
            evidence={"gaps": [], **exercised},
        )


def _without_success(calls: Sequence[Call], wanted: Sequence[str]) -> Iterator[str]:
    invoked: dict[str, int] = dict.fromkeys(wanted, 0)
    succeeded: set[str] = set()
    for call in calls:
        if call.f in invoked:
            invoked[call.f] += 1
            if call.outcome == "ok":
                succeeded.add(call.f)
    for f, count in invoked.items():
        if count == 0:
            yield f"No {f} was ever invoked."
        elif f not in succeeded:
            yield f"None of {count} invoked {f} operations succeeded."


def _fault_gaps(
    history: History, intervals: Sequence[FaultInterval], planned: Sequence[str]
) -> Iterator[str]:
    kinds: dict[str, list[FaultInterval]] = {kind: [] for kind in planned}
    for interval in intervals:
        kinds.setdefault(interval.kind, []).append(interval)
    calls = history.calls()
    invoked_ns = [call.invoke.time for call in calls]
    for kind, faults in kinds.items():
        acting = [fault for fault in faults if fault.in_effect]
        if not faults:
            yield f"A {kind} was planned and never took place."
        elif not acting:
            yield f"No {kind} took effect, of {len(faults)} that were applied or attempted."
        elif not any(_met(fault, calls, invoked_ns) for fault in acting):
            yield f"No operation was under way while {kind} was in effect."


def _met(fault: FaultInterval, calls: Sequence[Call], invoked_ns: Sequence[int]) -> bool:
    # From when it was known to act, not from when it was announced: coverage wants the narrow
    # reading of an interval where explanations want the wide one.
    start_ns = fault.start_ns if fault.effect_ns is None else fault.effect_ns
    at = bisect_left(invoked_ns, start_ns)
    if at < len(invoked_ns) and (fault.end_ns is None or invoked_ns[at] <= fault.end_ns):
        return True
    answers = (call.completion for call in calls[:at])
    return any(answer is None or answer.time >= start_ns for answer in answers)


def _final_gaps(
    history: History, intervals: Sequence[FaultInterval], final: Sequence[str]
) -> Iterator[str]:
    names = " or ".join(final)
    healed = healed_at(history)
    if not final or (healed is None and not intervals):
        return  # nothing was broken, so there is no heal that reads could follow
    if healed is None:
        left = [fault for fault in intervals if fault.applied is not None and fault.end_ns is None]
        who = f"Fault {left[0].id} ({left[0].kind})" if left else "What went wrong"
        yield f"{who} was never shown to be undone: there is no final {names} on a healed system."
        return
    after = [call for call in history.calls() if call.index > healed.index and call.f in final]
    if not after:
        yield f"No final {names} was invoked after the last fault was undone."
    elif not any(call.outcome == "ok" for call in after):
        yield f"None of {len(after)} final {names} operations succeeded after the last fault."
