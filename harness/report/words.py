"""Operations, faults and protocol events in words, as the page and the terminal share them.

Rule: a text from a history is cut, never trusted to be short.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from checkers.faults import FaultInterval
from checkers.history import Call

VALUE_MAX = 60  # characters of one value in a sentence
FAULTS_NAMED = 3
_DEADLY = ("kill", "lose-unsynced", "corrupt-disk", "truncate-disk", "remove-member")


def short(value: Any, most: int = VALUE_MAX) -> str:
    """A value as JSON, cut in the middle; its two ends tell most of a list."""
    if value is None:
        return "nil"
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return clip(text, most)


def clip(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    head = (most - 1) * 2 // 3
    return text[:head] + "…" + text[len(text) - (most - 1 - head) :]


def what(call: Call, most: int = VALUE_MAX) -> str:
    """What was asked and answered: 'cas [1, 2]', 'read → 4', 'write 3 (timeout)'."""
    given = "" if call.input is None else f" {short(call.input, most)}"
    # A write that answers nothing, or itself, has answered nothing worth reading.
    told = call.outcome == "ok" and (call.input is None or call.output not in (None, call.input))
    result = f" → {short(call.output, most)}" if told else ""
    error = call.completion.error if call.completion is not None else None
    return f"{clip(call.f, 30)}{given}{result}" + (f" ({clip(error.code, 40)})" if error else "")


def whole(call: Call) -> str:
    """A sentence about one call: who, where, what, when, and how it ended."""
    done = call.completion
    at = f" at {clip(call.invoke.node, 30)}" if call.invoke.node else ""
    key = f" on {named_key(call.key)}" if call.key is not None else ""
    opening = f"Operation {call.index}, process {call.invoke.process}{at}: {what(call)}{key}"
    if done is None:
        return f"{opening}, from {seconds(call.invoke.time)}, and it never returned."
    ended = {"ok": "ok", "fail": "definitely failed", "info": "outcome unknown"}[call.outcome]
    return (
        f"{opening}, from {seconds(call.invoke.time)} to {seconds(done.time)} "
        f"(operation {done.index}), {ended}."
    )


def named_key(key: Any) -> str:
    return clip(key, 30) if isinstance(key, str) else short(key, 30)


def seconds(time_ns: int) -> str:
    return f"{time_ns / 1e9:.3f} s"


def fault(interval: FaultInterval) -> str:
    """'kill of n1 from 2.0 s to 5.1 s (seen in effect)'."""
    until = "the end" if interval.end_ns is None else f"{interval.end_ns / 1e9:.1f} s"
    seen = "seen in effect" if interval.in_effect else "not seen in effect"
    start = f"{interval.start_ns / 1e9:.1f} s"
    return f"{named(interval)} from {start} to {until} ({seen})"


def named(interval: FaultInterval, most: int = 4) -> str:
    """'kill of n1', 'partition of n1<>n2 n3>n2 and 4 more'."""
    on = struck(interval)
    rest = f" and {len(on) - most} more" if len(on) > most else ""
    return clip(interval.kind, 30) + (f" of {' '.join(on[:most])}{rest}" if on else "")


def likened(kind: str) -> str:
    """The fault that this one looks like from outside: a node without power is a dead node."""
    return "partition" if kind == "hold" else "kill" if kind in _DEADLY else kind


def struck(interval: FaultInterval) -> list[str]:
    """The nodes or links of a fault, as names; empty where it does not say."""
    shown = interval.applied or interval.intended
    if not isinstance(shown, Mapping):
        return []
    nodes, links = _listed(shown.get("nodes")), _listed(shown.get("links"))
    if nodes:
        return [clip(str(node), 30) for node in nodes]
    links = [link for link in links if len(_listed(link)) == 2]
    pairs = [(str(a), str(b)) for a, b in links]
    # n1<>n2 for both directions: half as long, and what a reader would say.
    return [
        clip(f"{a}<>{b}" if (b, a) in pairs else f"{a}>{b}", 40)
        for a, b in pairs
        if a < b or (b, a) not in pairs
    ]


def _listed(value: Any) -> Sequence[Any]:
    """Foreign histories put anything anywhere."""
    return value if isinstance(value, list | tuple) else ()


def in_force(faults: Sequence[FaultInterval], start_ns: int, end_ns: int) -> str:
    """Which faults were in force in that time; of none, the one that was undone last before."""
    during = [
        f for f in faults if f.start_ns <= end_ns and (f.end_ns is None or f.end_ns >= start_ns)
    ]
    if during:
        shown = "; ".join(fault(f) for f in during[:FAULTS_NAMED])
        rest = len(during) - FAULTS_NAMED
        return f"In force then: {shown}" + (f"; and {rest} more." if rest > 0 else ".")
    before = [f for f in faults if f.end_ns is not None and f.end_ns < start_ns]
    if not before:
        return "No fault had been in force until then."
    last = max(before, key=lambda f: f.end_ns or 0)
    passed_s = (start_ns - (last.end_ns or 0)) / 1e9
    return (
        f"No fault was in force then; the last, {named(last)}, was undone {passed_s:.1f} s before."
    )


def event(shown: Mapping[str, Any]) -> str:
    """A protocol event, as trace.jsonl has it, in words."""
    rest = {k: v for k, v in shown.items() if k not in ("position", "time", "node", "event")}
    ballot = rest.get("ballot")
    if isinstance(ballot, list | tuple) and len(ballot) == 2:
        rest["ballot"] = f"{ballot[0]}.{ballot[1]}"  # round and proposer, as people write it
    fields = ", ".join(
        f"{name} {value if name == 'ballot' else short(value)}" for name, value in rest.items()
    )
    time_ns = shown.get("time")
    when = f" at {seconds(time_ns)}" if isinstance(time_ns, int) else ""
    place = f"Event {shown['position']}: " if "position" in shown else ""
    return f"{place}{shown.get('node')} {shown.get('event')}{when}: {clip(fields, 300)}."
