"""Everything that is known about why a history is not linearizable, as lines of text.

For each contradiction: the calls that suffice for it, then partial linearizations, each as far as
it could go, step by step with the state after every step.

Rules
1. At most ORDERS_MAX orders, STEPS_MAX last steps of each, CALLS_MAX calls; what is left out is
   counted.
2. Nothing is judged here. The steps are taken again by the model: what it does not take is not
   shown as if it did.
3. A history to paste has at most ALONE_MAX operations, a line for each beginning and each end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from checkers.history import Call
from checkers.models.model import Model
from checkers.verdict import Verdict
from harness.recheck import Judged
from harness.report import words
from harness.report.explanations import leaves
from harness.report.steps import states

ORDERS_MAX, STEPS_MAX, CALLS_MAX, ALONE_MAX = 10, 40, 40, 20
_TEXT_MAX = 100


def long_form(judged: Judged) -> list[str]:
    """The lines; none where nothing contradicts."""
    found: list[str] = []
    calls = {call.index: call for call in judged.recording.history.calls()}
    for leaf in leaves(judged.verdict):
        contradiction = leaf.evidence.get("contradiction")
        if isinstance(contradiction, dict):
            found += ["", *_of_contradiction(leaf, contradiction, calls, judged.model)]
    return ["".join(c if c.isprintable() else "�" for c in line) for line in found]


def _of_contradiction(
    leaf: Verdict, found: Mapping[str, Any], calls: Mapping[int, Call], model: Model | None
) -> Iterator[str]:
    yield f"why {leaf.checker} is {leaf.kind.name}"
    yield from _wrapped(leaf.summary)
    core = found.get("core")
    listed = core if isinstance(core, list) and core else found.get("window", [])
    what = "These calls alone contradict one another" if core else "The calls that matter"
    yield f"  {what}:"
    for index in listed[:CALLS_MAX]:
        yield f"    {_call(index, calls)}"
    if len(listed) > CALLS_MAX:
        yield f"    ... and {len(listed) - CALLS_MAX} more"
    orders = found.get("partial", [])
    for number, partial in enumerate(orders[:ORDERS_MAX], 1):
        yield f"  Order {number} of {len(orders)}, as far as it could go:"
        yield from _order(partial, found.get("start"), calls, model)
    if isinstance(found.get("alone"), dict):
        yield from _alone(found["alone"], found.get("known_with", 0), calls)
    yield f"  Certificate: {found.get('certificate', 'none')}."


def _alone(alone: Mapping[str, Any], until: int, calls: Mapping[int, Call]) -> Iterator[str]:
    """A history to paste; rule 3."""
    listed = alone.get("operations", [])
    if not listed:
        yield f"  {alone.get('why_not', '')}"
        return
    if len(listed) > ALONE_MAX or not all(index in calls for index in listed):
        yield f"  A history that stands alone has {len(listed)} operations (--json names them)."
        return
    told = [
        operation
        for call in map(calls.__getitem__, listed)
        for operation in (call.invoke, call.completion)
        if operation is not None and (operation.index <= until or operation.type == "info")
    ]
    yield "  These operations alone are INVALID, as a history.jsonl:"
    for operation in sorted(told, key=lambda o: o.index):
        # Escaped, so that nothing in it is unprintable, and whole: it is to be pasted.
        yield json.dumps(json.loads(msgspec.json.encode(operation)), separators=(",", ":"))


def _order(
    partial: Mapping[str, Any],
    start: Mapping[str, Any] | None,
    calls: Mapping[int, Call],
    model: Model | None,
) -> Iterator[str]:
    order: Sequence[int] = partial.get("order", [])
    anchor = None if start is None else start["operation"]
    told = None if model is None else states(model, order, calls, anchor)
    left_out = max(0, len(order) - STEPS_MAX)
    if left_out:
        yield f"    ({left_out} steps before)"
    if told is not None and model is not None:
        yield f"    {'':>9}  {_clip(model.describe_state(told[left_out]))}"
    for at, index in enumerate(order[left_out:], left_out):
        after = "" if told is None or model is None else model.describe_state(told[at + 1])
        same = told is not None and told[at] == told[at + 1]
        yield f"    {_call(index, calls)}" + ("" if same or not after else f"  => {_clip(after)}")
    yield f"    then {_clip(str(partial.get('reason', '')))}"
    pending = partial.get("pending", [])
    if pending:
        rest = f" and {len(pending) - CALLS_MAX} more" if len(pending) > CALLS_MAX else ""
        yield f"    not placed: {', '.join(map(str, pending[:CALLS_MAX]))}{rest}"


def _call(index: int, calls: Mapping[int, Call]) -> str:
    call = calls.get(index)
    return f"{index:>9}" if call is None else f"{index:>9}  {words.what(call, 60)}" + _by(call)


def _by(call: Call) -> str:
    ends = "" if call.outcome == "ok" else f" ({call.outcome})"
    return f" by process {call.invoke.process}{ends}"


def _clip(text: str) -> str:
    return words.clip(text, _TEXT_MAX)


def _wrapped(text: str) -> Iterator[str]:
    line = " "
    for word in text.split():
        if len(line) + len(word) > _TEXT_MAX and line.strip():
            yield line
            line = " "
        line += f" {words.clip(word, _TEXT_MAX)}"
    yield line
