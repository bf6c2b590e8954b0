"""When what was broken: the intervals of faults, read from the nemesis operations of a history.

Rules
1. A fault is named by its `id`. The first operation with an id announces it and names its kind;
   one with the same id and another `f` (heal, restart, ...) undoes it. Each comes as two lines,
   before and after; the second says what was applied and whether a probe saw it.
2. An interval begins when the fault was announced and ends when its undoing was done: it may be
   wider than the true one, never narrower. An undoing that its probe did not confirm ends at the
   final heal that found everything well, or not at all.
3. The final heal is a nemesis operation without an id whose `intended` is `{"final": true}`. Other
   operations without an id (foreign histories) tell nothing and are passed over.
4. Some faults act on traffic and show in what was counted of it. Where nothing flowed at first (a
   majority was dead just then), the count over the whole life of the fault, which its undoing
   tells, says that it acted.
"""

from __future__ import annotations

from typing import Any

import msgspec

from checkers.history import History, Operation

# What is counted of the frames that a fault acted on.
COUNTED = {
    "lose": "dropped",
    "duplicate": "duplicated",
    "reorder": "reordered",
    "corrupt": "corrupted",
    "throttle": "delayed",
}


class FaultInterval(msgspec.Struct, frozen=True, kw_only=True):
    """One fault of a run. Times in nanoseconds since the run began; `end_ns` is None where the
    fault was never undone. `effect_ns` is when it was known to be applied, None where it was not.

    `applied` is the concrete fault, `observed` the evidence of its probe; both None where the
    fault did not get so far. `in_effect`: a probe saw it act. `started_at` and `ended_at` are
    indices of operations: of the line that announced the fault, of the line that ended it.
    """

    id: int | str
    kind: str
    start_ns: int
    effect_ns: int | None = None
    end_ns: int | None = None
    intended: Any = None
    applied: Any = None
    observed: Any = None
    in_effect: bool = False
    started_at: int
    ended_at: int | None = None

    def covers(self, time_ns: int) -> bool:
        return self.start_ns <= time_ns and (self.end_ns is None or time_ns <= self.end_ns)


def fault_intervals(history: History) -> list[FaultInterval]:
    """Every fault of the history in the order of their starts."""
    lines: dict[int | str, list[Operation]] = {}
    for operation in history.of_nemesis():
        value = operation.value
        if isinstance(value, dict) and isinstance(value.get("id"), int | str):
            lines.setdefault(value["id"], []).append(operation)
    final = _final_heal(history)
    whole = final if final is not None and final.value.get("in_effect") is True else None
    return [_interval(name, operations, whole) for name, operations in lines.items()]


def healed_at(history: History) -> Operation | None:
    """The nemesis operation after which nothing was broken any more.

    None where there was neither a fault nor a final heal, and where something was left broken.
    """
    final = _final_heal(history)
    if final is not None:
        return final if final.value.get("in_effect") is True else None
    intervals = fault_intervals(history)
    if any(fault.applied is not None and fault.ended_at is None for fault in intervals):
        return None
    ends = {fault.ended_at for fault in intervals}
    return next((o for o in reversed(history.of_nemesis()) if o.index in ends), None)


def _final_heal(history: History) -> Operation | None:
    """The line that completes the final heal, or the one that announces it if none does."""
    for operation in reversed(history.of_nemesis()):
        value = operation.value
        if isinstance(value, dict) and "id" not in value:
            intended = value.get("intended")
            if isinstance(intended, dict) and intended.get("final") is True:
                return operation
    return None


def _interval(
    name: int | str, operations: list[Operation], final: Operation | None
) -> FaultInterval:
    announced = operations[0]
    applying = [o for o in operations[1:] if o.f == announced.f]
    undoing = [o for o in operations if o.f != announced.f]
    # The first line of an undoing announces it; only its completion, the second, ends the fault.
    end = undoing[1] if len(undoing) > 1 else None
    if end is None or end.value.get("in_effect") is False:
        end = final
    result = applying[0].value if applying else {}
    return FaultInterval(
        id=name,
        kind=announced.f,
        start_ns=announced.time,
        effect_ns=applying[0].time if applying else None,
        end_ns=None if end is None else end.time,
        intended=announced.value.get("intended"),
        applied=result.get("applied"),
        observed=result.get("observed"),
        in_effect=result.get("in_effect") is True or _acted(announced.f, undoing[1:]),
        started_at=announced.index,
        ended_at=None if end is None else end.index,
    )


def _acted(kind: str, undone: list[Operation]) -> bool:
    """Rule 4."""
    observed = undone[0].value.get("observed") if undone else None
    frames = observed.get("frames") if isinstance(observed, dict) else None
    count = frames.get(COUNTED.get(kind)) if isinstance(frames, dict) else None
    return isinstance(count, int) and count > 0
