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
from checkers.models.model import Model, Requires, State, Step
from checkers.verdict import Verdict
from harness.recheck import Judged
from harness.report import words
from harness.report.explanations import leaves

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
    states = None if model is None else _states(order, _begin(start, calls, model), calls, model)
    left_out = max(0, len(order) - STEPS_MAX)
    if left_out:
        yield f"    ({left_out} steps before)"
    if states is not None and model is not None:
        yield f"    {'':>9}  {_clip(model.describe_state(states[left_out]))}"
    for at, index in enumerate(order[left_out:], left_out):
        after = "" if states is None or model is None else model.describe_state(states[at + 1])
        same = states is not None and states[at] == states[at + 1]
        yield f"    {_call(index, calls)}" + ("" if same or not after else f"  => {_clip(after)}")
    yield f"    then {_clip(str(partial.get('reason', '')))}"
    pending = partial.get("pending", [])
    if pending:
        rest = f" and {len(pending) - CALLS_MAX} more" if len(pending) > CALLS_MAX else ""
        yield f"    not placed: {', '.join(map(str, pending[:CALLS_MAX]))}{rest}"


def _begin(
    start: Mapping[str, Any] | None, calls: Mapping[int, Call], model: Model
) -> Sequence[State]:
    """The state in which an order begins: the first, or that behind its anchor."""
    if start is None:
        return (model.init(),)
    anchor = calls.get(start["operation"])
    step = None if anchor is None else model.read(anchor)
    if step is None or not isinstance(model, Requires):
        return ()
    return [after for before in model.requires(step) for after in model.step(before, step)]


def _states(
    order: Sequence[int], begin: Sequence[State], calls: Mapping[int, Call], model: Model
) -> list[State] | None:
    """Before the first step and after each; None where a call is not at hand."""
    if not begin:
        return None
    levels: list[dict[State, State]] = [dict.fromkeys(begin)]  # each state with a predecessor
    for index in order:
        call = calls.get(index)
        step: Step | None = None if call is None else model.read(call)
        if step is None:
            return None
        levels.append({after: s for s in levels[-1] for after in model.step(s, step)})
        if not levels[-1]:
            return None
    state = next(iter(levels[-1]))
    states = [state]
    for level in reversed(levels[1:]):
        state = level[state]
        states.append(state)
    return states[::-1]


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
