"""Why a verdict is what it is: every INVALID and UNKNOWN leaf in words, with what to look at.

Rules
1. Words first: which operation, which values were possible and why, which fault was in force then;
   of an UNKNOWN, the cause and what to do about it.
2. Evidence is read by its shape, not by its checker's name, so that a checker of the user's is
   explained too. A shape that nobody knows is shown as it was recorded.
3. Nothing here judges: a sentence repeats the evidence or the recording, and adds no conclusion.

The shapes are documented by the checkers that make them: checkers.linearizability.explain
(`contradiction`), checkers.laws and checkers.consensus (`event`, `against`, `events`: protocol
events), checkers.consensus and checkers.elements (`operations`), checkers.coverage (`gaps`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from checkers.faults import FaultInterval, fault_intervals
from checkers.history import Call, freeze
from checkers.trace import as_json
from checkers.verdict import Kind, Recording, Verdict
from harness.report import remedies, words
from harness.report.contradiction import CORE_MAX, Contradiction, contradiction

AROUND_MAX = 12  # calls drawn beside those that the evidence names
DETAILS_MAX = 20_000  # characters
LISTED_MAX = 10  # gaps, events and values in sentences

_WORST_FIRST = {Kind.INVALID: 0, Kind.UNKNOWN: 1, Kind.VALID: 2}


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One leaf explained. `calls` are worth drawing, empty if none are; of them the `culprits`
    (indices) contradict the rest, the `essential` ones tell the story alone, and what completed
    after `end_at` plays no part. `details` is the evidence as JSON text."""

    verdict: Verdict
    heading: str
    sentences: Sequence[str]
    calls: Sequence[Call] = ()
    culprits: frozenset[int] = frozenset()
    essential: frozenset[int] = frozenset()
    end_at: int | None = None
    details: str = ""


def leaves(verdict: Verdict) -> list[Verdict]:
    """The verdicts that others were merged from, the worst first, otherwise in their order."""
    return sorted(_leaves(verdict), key=lambda leaf: _WORST_FIRST[leaf.kind])


def explanations(verdict: Verdict, recording: Recording) -> list[Explanation]:
    """One for each leaf that is not VALID, in the order of `leaves`."""
    scene = _Scene(recording)
    return [scene.explain(leaf) for leaf in leaves(verdict) if leaf.kind is not Kind.VALID]


def _leaves(verdict: Verdict) -> Iterable[Verdict]:
    # A merged verdict that is worse than all its parts has something of its own to say.
    if all(part.kind is not verdict.kind for part in verdict.parts):
        yield verdict
    for part in verdict.parts:
        yield from _leaves(part)


class _Scene:
    """A recording, looked things up in."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._faults: Sequence[FaultInterval] = fault_intervals(recording.history)
        self._calls = {call.index: call for call in recording.history.calls()}

    def explain(self, leaf: Verdict) -> Explanation:
        shown = contradiction(leaf.evidence.get("contradiction"))
        if shown is not None:
            return self._contradicted(leaf, shown)
        if leaf.cause == "coverage":
            return _explanation(leaf, remedies.of_coverage(leaf, self._calls.values()))
        if leaf.cause == "error":
            return _explanation(leaf, [leaf.summary, remedies.OUR_BUG])
        if leaf.cause == "budget":
            return _explanation(
                leaf, [leaf.summary, *remedies.of_budget(leaf, self._calls.values())]
            )
        named = [self._calls[i] for i in _integers(leaf.evidence, "operations") if i in self._calls]
        events = self._events(leaf.evidence)
        if named or events:
            return self._named(leaf, named, events)
        return _explanation(leaf, [leaf.summary, *self._ending(leaf)])

    def _contradicted(self, leaf: Verdict, shown: Contradiction) -> Explanation:
        """A call that fits nowhere."""
        sentences = [leaf.summary]
        blamed = self._calls.get(shown.operation)
        sentences += [] if blamed is None else [words.whole(blamed)]
        sentences += _beginning(shown)
        sentences += self._values(shown)
        sentences += [] if blamed is None else [self._in_force([blamed])]
        sentences += remedies.progress(leaf)
        if shown.certificate == "confirmed":
            sentences.append(
                "An independent verifier re-checked the contradiction and confirms it."
            )
        elif leaf.kind is Kind.UNKNOWN:
            sentences.append(remedies.of_unconfirmed(leaf))
        return _explanation(
            leaf,
            sentences,
            calls=self._of({*shown.window, *shown.essential}),
            culprits=frozenset({shown.operation}),
            essential=shown.essential,
            end_at=shown.end_at,
        )

    def _values(self, shown: Contradiction) -> list[str]:
        """What was possible when the call had to be placed, and which call made it so."""
        total = max(shown.values_total, len(shown.values))
        if not shown.values:
            return []
        listed = []
        for value in shown.values[:LISTED_MAX]:
            made = "from the start" if value.operation is None else self._made_by(value.operation)
            if shown.start is not None and value.operation == shown.start.operation:
                made = f"still as behind operation {value.operation}"
            listed.append(f"{words.clip(value.state, 80)}, {made}")
        rest = total - len(listed)
        text = "; ".join(listed) + (f"; and {rest} more" if rest > 0 else "")
        found = "possible" if shown.complete else "found possible"
        opening = f"Only one state was {found}" if total == 1 else f"{total} states were {found}"
        return [f"{opening} when it had to take effect: {text}."]

    def _made_by(self, index: int) -> str:
        call = self._calls.get(index)
        if call is None:
            return f"made by operation {index}"
        ends = "" if call.outcome == "ok" else f", outcome {call.outcome}"
        who = f"operation {index} ({words.what(call)} by process {call.invoke.process}{ends})"
        # What failed changed nothing: a refused compare-and-set only tells what was there.
        return f"observed by {who}" if call.outcome == "fail" else f"made by {who}"

    def _named(
        self, leaf: Verdict, named: Sequence[Call], events: Sequence[dict[str, Any]]
    ) -> Explanation:
        """Calls or protocol events that contradict one another."""
        sentences = [leaf.summary]
        law = leaf.evidence.get("law")
        sentences += [f"The law: {law}"] if isinstance(law, str) else []
        sentences += [words.whole(call) for call in named[:LISTED_MAX]]
        sentences += [words.event(event) for event in events[:LISTED_MAX]]
        if named:
            sentences.append(self._in_force(named))
        else:
            times = [e["time"] for e in events if isinstance(e.get("time"), int)]
            if times:
                sentences.append(words.in_force(self._faults, min(times), max(times)))
        culprits = frozenset(call.index for call in named)
        around = self._around(named)
        return _explanation(leaf, sentences, calls=around, culprits=culprits, essential=culprits)

    def _events(self, evidence: dict[str, Any]) -> list[dict[str, Any]]:
        """The protocol events that evidence names: as they stand there, or by their positions."""
        named: list[Any] = [evidence.get("event")]
        for several in (evidence.get("against"), evidence.get("events")):
            named += several if isinstance(several, list) else []
        trace = self._recording.trace
        found = []
        for event in named:
            if isinstance(event, dict):
                found.append(event)
            elif isinstance(event, int) and 0 <= event < len(trace):
                found.append({"position": event, **as_json(trace[event])})
        return found

    def _around(self, named: Sequence[Call]) -> list[Call]:
        """The named calls, with the latest on their keys begun before the last of them ended."""
        if not named:
            return []
        keys = {freeze(call.key) for call in named}
        end = max((call.completion or call.invoke).index for call in named)
        chosen = {call.index for call in named}
        for call in reversed(self._recording.history.calls()):
            if len(chosen) >= AROUND_MAX + len(named):
                break
            if call.index < end and freeze(call.key) in keys:
                chosen.add(call.index)
        return self._of(chosen)

    def _of(self, indices: Iterable[int]) -> list[Call]:
        return [self._calls[index] for index in sorted(indices) if index in self._calls]

    def _in_force(self, calls: Sequence[Call]) -> str:
        start = min(call.invoke.time for call in calls)
        end = max((call.completion or call.invoke).time for call in calls)
        return words.in_force(self._faults, start, end)

    def _ending(self, leaf: Verdict) -> list[str]:
        """Of a system that came to nothing after the faults: what clients were told then."""
        if "silent_nodes" not in leaf.evidence:
            return []
        end_ns = self._recording.history[-1].time if len(self._recording.history) else 0
        return [
            words.in_force(self._faults, end_ns, end_ns),
            *remedies.errors_told(self._calls.values()),
            "Look for a node that did not come back in its log, under nodes/ in the run's folder.",
        ]


def _integers(evidence: dict[str, Any], name: str) -> list[int]:
    listed = evidence.get(name)
    return [i for i in listed if type(i) is int] if isinstance(listed, list) else []


def _beginning(shown: Contradiction) -> list[str]:
    """Where the orders begin, and which operations suffice."""
    told = []
    if shown.start is not None:
        told.append(
            f"Every order begins behind operation {shown.start.operation} "
            f"({words.clip(shown.start.describe, 60)}), which tells the state whatever came before "
            f"it: {words.clip(shown.start.state, 80)}."
        )
    if 1 < len(shown.core) <= CORE_MAX:
        listed = f"{', '.join(map(str, shown.core[:-1]))} and {shown.core[-1]}"
        told.append(
            f"Operations {listed} suffice for the contradiction, whatever the others answered."
        )
    return told


def _explanation(leaf: Verdict, sentences: Sequence[str], **shown: Any) -> Explanation:
    checker = words.clip(leaf.checker, 60)
    heading = {
        Kind.INVALID: f"Why {checker} is INVALID",
        Kind.UNKNOWN: f"Why {checker} is UNKNOWN, and what to do",
    }[leaf.kind]
    return Explanation(
        verdict=leaf, heading=heading, sentences=sentences, details=_details(leaf), **shown
    )


def _details(leaf: Verdict) -> str:
    """The evidence as JSON, or the traceback as it is; cut where it is too long."""
    if not leaf.evidence:
        return ""
    traceback = leaf.evidence.get("traceback")
    if isinstance(traceback, str):
        text = traceback
    else:
        text = msgspec.json.format(
            msgspec.json.encode(leaf.evidence, enc_hook=repr), indent=2
        ).decode()
    left_out = len(text) - DETAILS_MAX
    return (
        text if left_out <= 0 else f"{text[:DETAILS_MAX]}\n({left_out:,} more characters left out)"
    )
