"""The smallest failing window as data: its operations, the orders that were tried with the state
after every step, and a history to check again.

Rules
1. Only the order of events is told, since only the order is judged.
2. At most BARS_MAX operations, ORDERS_MAX orders, STEPS_MAX last steps of each; the rest is
   counted.
3. A small history is called INVALID by itself only where the checker has just said so of it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from checkers.budget import Budget
from checkers.history import Call, History, HistoryError, Operation, freeze
from checkers.linearizability import check_linearizability
from checkers.models.model import Model
from checkers.verdict import Kind, Recording
from harness.report import words
from harness.report.contradiction import Contradiction, Partial, contradiction
from harness.report.explanations import Explanation
from harness.report.steps import states

BARS_MAX = 40
ORDERS_MAX, STEPS_MAX, PENDING_MAX = 10, 40, 20
STEPS_DRAWN = 6  # last steps of each order that get a bar, though the evidence names them no more
STATE_MAX = 300  # characters
SMALL_BYTES_MAX = 200_000
KEY_MAX = 2_000  # calls of a key in which a smaller history is looked for
_CONFIGURATIONS, _AGAIN_S = 200_000, 1.0  # for that


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One operation. `completed`: the index of its completion, None where it had not returned when
    the contradiction was certain. `label` is short, `told` a sentence; times are of the run."""

    operation: int
    completed: int | None
    process: str
    node: str
    key: str
    label: str
    what: str
    start: str
    end: str
    outcome: str
    error: str
    culprit: bool
    told: str


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One call of an order. `after`: the state behind it, empty where no model was at hand;
    `changed`: that it is another than before."""

    operation: int
    what: str
    process: str
    after: str = ""
    changed: bool = False


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A partial linearization: its last steps, `left_out` before them. `begins`: where, for people.
    `before`: the state before the first of these steps, empty where no model was at hand. `state`
    is that at its end, `reason` why it ends there. `pending`: operations that it leaves out."""

    begins: str
    left_out: int
    before: str
    steps: Sequence[Step]
    state: str
    reason: str
    pending: Sequence[int] = ()
    pending_left_out: int = 0


class SmallHistory(msgspec.Struct, frozen=True, kw_only=True):
    """`text`: a history.jsonl of `operations` calls. `invalid`: it is INVALID by itself."""

    text: str
    operations: int
    invalid: bool
    told: str


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """`bars` in the order of invocation. `orders`: those that went furthest, none where the finding
    is not about orders."""

    bars: Sequence[Bar]
    bars_left_out: int
    orders: Sequence[Order] = ()
    orders_left_out: int = 0
    small: SmallHistory | None = None


def failing_window(
    one: Explanation, recording: Recording, models: Sequence[Model] = (), *, whole: bool = True
) -> Window | None:
    """None where no operation is worth looking at. `whole`: the recording holds every operation;
    of a part it cannot be said what is INVALID by itself."""
    if not one.calls:
        return None
    found = contradiction(one.verdict.evidence.get("contradiction"))
    known = {call.index: call for call in recording.history.calls()}
    stepped = [] if found is None else [p.order[-STEPS_DRAWN:] for p in found.partial[:ORDERS_MAX]]
    model = None if found is None else _model(one, models)
    alone = _alone(found, known, model if whole else None)
    wanted = _with_steps(one, [known[i] for order in stepped for i in order if i in known], alone)
    calls = nearest(wanted, one.culprits)
    return Window(
        bars=[_bar(call, one.culprits, one.end_at) for call in calls],
        bars_left_out=len(one.calls) - sum(call in calls for call in one.calls),
        orders=[] if found is None else _orders(found, known, model),
        orders_left_out=0 if found is None else max(len(found.partial) - ORDERS_MAX, 0),
        small=_file(alone or wanted, one.end_at, invalid=bool(alone)),
    )


def nearest(calls: Sequence[Call], culprits: Collection[int]) -> list[Call]:
    """At most BARS_MAX of the calls: the culprits, and those that ended nearest to the last."""
    if len(calls) <= BARS_MAX:
        return list(calls)
    at = max(culprits, default=calls[-1].index)

    def distance(call: Call) -> tuple[bool, int]:
        return call.index not in culprits, abs((call.completion or call.invoke).index - at)

    return sorted(sorted(calls, key=distance)[:BARS_MAX], key=lambda call: call.index)


def _with_steps(
    one: Explanation, stepped: Iterable[Call], alone: Sequence[Call] = ()
) -> list[Call]:
    """The calls of the explanation, those that are INVALID alone where they fit, and as many of
    those that the orders end with as fit."""
    wanted = {call.index: call for call in one.calls}
    if len(wanted) + len(alone) <= BARS_MAX:
        wanted |= {call.index: call for call in alone}
    for call in sorted(stepped, key=lambda call: -call.index):
        if len(wanted) < BARS_MAX:
            wanted.setdefault(call.index, call)
    return [wanted[index] for index in sorted(wanted)]


def _model(one: Explanation, models: Sequence[Model]) -> Model | None:
    name = one.verdict.evidence.get("model")
    return next((model for model in models if model.name == name), None)


def returned(call: Call, end_at: int | None) -> bool:
    """Had the call an answer when the event `end_at` took place? None: ever."""
    done = call.completion
    if done is None or done.type == "info":
        return False
    return end_at is None or done.index <= end_at


def _bar(call: Call, culprits: Collection[int], end_at: int | None) -> Bar:
    done = call.completion
    return Bar(
        operation=call.index,
        completed=done.index if done is not None and returned(call, end_at) else None,
        process=str(call.invoke.process),
        node=words.clip(call.invoke.node or "", 40),
        key="" if call.key is None else words.named_key(call.key),
        label=words.what(call, 24),
        what=words.clip(words.what(call), STATE_MAX),
        start=words.seconds(call.invoke.time),
        end="never" if done is None else words.seconds(done.time),
        outcome=call.outcome,
        error="" if done is None or done.error is None else words.clip(done.error.text, 120),
        culprit=call.index in culprits,
        told=words.whole(call),
    )


def _orders(found: Contradiction, calls: Mapping[int, Call], model: Model | None) -> list[Order]:
    anchor = None if found.start is None else found.start.operation
    return [_order(p, calls, model, anchor) for p in found.partial[:ORDERS_MAX]]


def _order(
    partial: Partial, calls: Mapping[int, Call], model: Model | None, anchor: int | None
) -> Order:
    told = None if model is None else _told_states(model, partial, calls, anchor)
    left_out = max(len(partial.order) - STEPS_MAX, 0)
    steps = []
    for at, index in enumerate(partial.order[left_out:], left_out):
        call = calls.get(index)
        steps.append(
            Step(
                operation=index,
                what=f"operation {index}" if call is None else words.what(call),
                process="" if call is None else str(call.invoke.process),
                after="" if told is None else told[at + 1],
                changed=told is not None and told[at] != told[at + 1],
            )
        )
    return Order(
        begins="at the start" if anchor is None else f"behind operation {anchor}",
        left_out=left_out,
        before="" if told is None else told[left_out],
        steps=steps,
        state=words.clip(partial.state, STATE_MAX),
        reason=words.clip(partial.reason, STATE_MAX) + _early(partial),
        pending=partial.pending[:PENDING_MAX],
        pending_left_out=max(len(partial.pending) - PENDING_MAX, 0),
    )


def _early(partial: Partial) -> str:
    if partial.fits is None:
        return ""
    after = partial.fits.after
    begin = "at the start" if after is None else f"after operation {after}"
    return f"; legal {begin}, until operation {partial.fits.until}: too early"


def _told_states(
    model: Model, partial: Partial, calls: Mapping[int, Call], anchor: int | None
) -> list[str] | None:
    """None where the model does not come where the evidence says that the order ends."""
    try:
        found = states(model, partial.order, calls, anchor)
    except HistoryError:
        return None
    if found is None or model.describe_state(found[-1]) != partial.state:
        return None
    return [words.clip(model.describe_state(state), STATE_MAX) for state in found]


def _alone(
    found: Contradiction | None, known: Mapping[int, Call], model: Model | None
) -> Sequence[Call]:
    """A few calls that are INVALID by themselves: those that the evidence names, or those that the
    checker finds when it is asked once more, about the one key; empty where there are none."""
    if found is None:
        return ()
    listed: Sequence[int] = () if found.alone is None else found.alone.operations
    if not listed and model is not None:
        listed = _found_again(found, known, model)
    return [known[i] for i in listed] if all(i in known for i in listed) else ()


def _found_again(found: Contradiction, known: Mapping[int, Call], model: Model) -> Sequence[int]:
    blamed = known.get(found.operation)
    if blamed is None:
        return ()
    key = freeze(blamed.key)
    calls = [c for c in known.values() if c.index <= found.end_at and freeze(c.key) == key]
    if len(calls) > KEY_MAX:
        return ()
    history = History(_operations(calls, found.end_at))
    budget = Budget(_AGAIN_S, _CONFIGURATIONS)
    again = check_linearizability(history, model, budget, alone=True, threads=1)
    shown = contradiction(again.evidence.get("contradiction"))
    if again.kind is not Kind.INVALID or shown is None or shown.alone is None:
        return ()
    return shown.alone.operations


def _operations(calls: Sequence[Call], end_at: int | None) -> list[Operation]:
    """The lines of a file: what completed later than `end_at` has not."""
    lines = [call.invoke for call in calls]
    for call in calls:
        done = call.completion
        if done is not None and (end_at is None or done.index <= end_at or done.type == "info"):
            lines.append(done)
    return sorted(lines, key=lambda operation: operation.index)


def _file(calls: Sequence[Call], end_at: int | None, *, invalid: bool) -> SmallHistory | None:
    """None where it is too large for a page."""
    # Escaped, so that nothing in it is unprintable, and whole: it is to be pasted.
    lines = [
        json.dumps(msgspec.to_builtins(line), separators=(",", ":"))
        for line in _operations(calls, end_at)
    ]
    if sum(map(len, lines)) > SMALL_BYTES_MAX:
        return None
    count = f"{len(calls)} operation{'s' * (len(calls) != 1)}"
    told = f"{count} of the window, as recorded."
    if invalid:
        told = f"{count} that {'are' if len(calls) != 1 else 'is'} INVALID alone, as recorded."
    return SmallHistory(
        text="\n".join(lines) + "\n", operations=len(calls), invalid=invalid, told=told
    )
