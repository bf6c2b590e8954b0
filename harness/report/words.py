"""Operations, faults and protocol events in words, as the page and the terminal share them.

Rule: a text from a history is cut, never trusted to be short.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from checkers.faults import FaultInterval
from checkers.history import Call

_TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

VALUE_MAX = 60  # characters of one value in a sentence
FAULTS_NAMED = 3
MEASURED_S = 0.0005  # a history that took less has positions for times, or none
LONG_NS = 1_000_000_000  # a time so long is told with the faults that were in force in it
IN_FORCE = ("In force then:", "No fault ")  # how a sentence of in_force begins
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
    error = call.completion.error if call.completion is not None else None
    failed = f" ({clip(error.code, 40)})" if error else ""
    if call.f == "txn":
        listed = transaction(call.output if call.outcome == "ok" else call.input)
        if listed:
            return f"txn {clip(listed, 2 * most)}{failed}"
    # A write that answers nothing, or itself, has answered nothing worth reading.
    told = call.outcome == "ok" and (call.input is None or call.output not in (None, call.input))
    result = f" → {short(call.output, most)}" if told else ""
    return f"{clip(call.f, 30)}{given}{result}{failed}"


def transaction(value: Any) -> str:
    """'r x → [1], append y 2'; empty where it is no list of [name, key, value]."""
    steps = value if isinstance(value, list | tuple) else ()
    if not all(isinstance(step, list | tuple) and len(step) == 3 for step in steps):
        return ""
    return ", ".join(
        f"{named_key(f)} {named_key(key)}"
        + (f" → {short(given, 40)}" if f == "r" else f" {short(given, 40)}")
        for f, key, given in steps
        if isinstance(f, str)
    )


def whole(call: Call) -> str:
    """A sentence about one call: who, where, what, when, and how it ended."""
    done = call.completion
    at = f" at {clip(call.invoke.node, 30)}" if call.invoke.node else ""
    key = f" on {named_key(call.key)}" if call.key is not None else ""
    opening = f"Operation {call.index}, process {call.invoke.process}{at}: {what(call)}{key}"
    if done is None:
        began = "" if untimed(call) else f", from {seconds(call.invoke.time)}"
        return f"{opening}{began}, and it never returned."
    ended = {"ok": "ok", "fail": "definitely failed", "info": "outcome unknown"}[call.outcome]
    lasted = f"from {seconds(call.invoke.time)} to {seconds(done.time)} (operation {done.index})"
    if untimed(call):
        lasted = f"until operation {done.index}"
    return f"{opening}, {lasted}, {ended}."


def untimed(call: Call) -> bool:
    """Whether positions stand in for its times (checkers.formats): they say nothing of seconds."""
    done = call.completion
    began = call.invoke.time == call.invoke.index
    return began and (done is None or done.time == done.index)


def named_key(key: Any) -> str:
    return clip(key, 30) if isinstance(key, str) else short(key, 30)


def seconds(time_ns: int) -> str:
    return f"{time_ns / 1e9:.3f} s"


def lasting(duration_s: float) -> str:
    """' in 31.1 s'; empty where no time was measured."""
    if duration_s < MEASURED_S:
        return ""
    return f" in {duration_s:.1f} s" if duration_s >= 1 else f" in {duration_s:.2g} s"


def fault(interval: FaultInterval) -> str:
    """'kill of n1 from 2.0 s to 5.1 s (seen in effect)'."""
    until = "the end" if interval.end_ns is None else f"{interval.end_ns / 1e9:.1f} s"
    seen = "seen in effect" if interval.in_effect else "not seen in effect"
    start = f"{interval.start_ns / 1e9:.1f} s"
    opening = f"{named(interval)} from {start} to {until}"
    return f"{opening} ({seen})" if interval.probed else opening


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
        partly = _long_and_partly(during, start_ns, end_ns)
        return f"In force then: {partly}{shown}" + (f"; and {rest} more." if rest > 0 else ".")
    before = [f for f in faults if f.end_ns is not None and f.end_ns < start_ns]
    if not before:
        return "No fault had been in force until then."
    last = max(before, key=lambda f: f.end_ns or 0)
    passed_s = (start_ns - (last.end_ns or 0)) / 1e9
    return (
        f"No fault was in force then; the last, {named(last)}, was undone {passed_s:.1f} s before."
    )


def _long_and_partly(during: Sequence[FaultInterval], start_ns: int, end_ns: int) -> str:
    """Of what lies far apart not every fault between was in force when one of it happened."""
    whole_time = all(
        f.start_ns <= start_ns and (f.end_ns is None or f.end_ns >= end_ns) for f in during
    )
    if whole_time or end_ns - start_ns < LONG_NS:
        return ""
    return f"at some time from {seconds(start_ns)} to {seconds(end_ns)}, "


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


def printable(text: str) -> str:
    """Fit for a page: without control characters, without marks that turn the direction of what
    follows, without halves of characters. Line breaks and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join("�" if _unfit(c) else c for c in text)


def _unfit(character: str) -> bool:
    if character in "\n\t":
        return False
    return unicodedata.category(character) in ("Cc", "Cs") or character in _TURNING
