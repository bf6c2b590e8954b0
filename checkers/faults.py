"""When what was broken: the intervals of faults, read from the nemesis operations of a history.

Rules
1. A fault is named by its `id`. The first operation with an id announces it and names its kind;
   one with the same id and another `f` (heal, restart, ...) undoes it. Each comes as two lines,
   before and after; the second says what was applied and whether a probe saw it.
2. An interval begins when the fault was announced and ends when its undoing was done: it may be
   wider than the true one, never narrower. An undoing that its probe did not confirm ends at the
   final heal that found everything well, or not at all.
3. The final heal is a nemesis operation without an id whose `intended` is `{"final": true}`.
4. Some faults act on traffic and show in what was counted of it. Where nothing flowed at first (a
   majority was dead just then), the count over the whole life of the fault, which its undoing
   tells, says that it acted.
5. A history whose nemesis gives no ids is somebody else's, and its faults are told by the names of
   operations: `start` and `stop`, `start-partition` and `stop-partition`, `kill` and `start`,
   `pause` and `resume` (the habits of jepsen.nemesis and jepsen.nemesis.combined). Nobody probed
   them, so nothing is judged by them: they are for drawings and sentences. What pairs with nothing
   is passed over, unless its name alone says that something was broken.
"""

from __future__ import annotations

from collections.abc import Iterable
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

# What undoes what, in foreign histories; a `stop` of any of them undoes it, too.
_UNDOES: dict[str, tuple[str, ...]] = {
    "start": ("kill", "crash"),
    "restart": ("kill", "crash"),
    "recover": ("kill", "crash"),
    "resume": ("pause",),
    "heal": ("partition", "isolate", "split", "cut"),
    "reset-clock": ("bump-clock", "strobe-clock"),
    "reset": ("bump", "strobe"),
    "stop": ("start",),
}
_BREAKING = frozenset({"kill", "crash", "pause", "partition"})  # even where nothing undoes it


class FaultInterval(msgspec.Struct, frozen=True, kw_only=True):
    """One fault of a run. Times in nanoseconds since the run began; `end_ns` is None where the
    fault was never undone. `effect_ns` is when it was known to be applied, None where it was not.

    `applied` is the concrete fault, `observed` the evidence of its probe; both None where the
    fault did not get so far. `in_effect`: a probe saw it act. `started_at` and `ended_at` are
    indices of operations: of the line that announced the fault, of the line that ended it.
    `probed`: False in foreign histories, where `in_effect` says nothing (rule 5); `observed` is
    what their nemesis reported.
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
    probed: bool = True

    def covers(self, time_ns: int) -> bool:
        return self.start_ns <= time_ns and (self.end_ns is None or time_ns <= self.end_ns)


def fault_intervals(history: History) -> list[FaultInterval]:
    """Every fault of the history in the order of their starts."""
    ours = _announced(history)
    if ours or _final_heal(history) is not None:
        return ours
    return _paired(history.of_nemesis())


def _announced(history: History) -> list[FaultInterval]:
    """The faults that have ids."""
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
    intervals = _announced(history)
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


class _Told(msgspec.Struct):
    """An operation of a foreign nemesis: the line before it was done, and the one after, if any."""

    begun: Operation
    done: Operation | None = None

    @property
    def last(self) -> Operation:
        return self.done or self.begun


def _paired(operations: Iterable[Operation]) -> list[FaultInterval]:
    """Rule 5."""
    open_faults: dict[str, list[_Told]] = {}
    found: list[FaultInterval] = []
    for told in _told(operations):
        undone = _undone(told.begun.f, open_faults)
        if undone:
            for kind in undone:
                found += [_foreign(kind, fault, told.last) for fault in open_faults.pop(kind)]
        else:
            open_faults.setdefault(_kind(told.begun.f), []).append(told)
    for kind, faults in open_faults.items():
        found += [_foreign(kind, f, None) for f in faults if _is_breaking(f.begun.f)]
    return sorted(found, key=lambda fault: fault.started_at)


def _told(operations: Iterable[Operation]) -> list[_Told]:
    """Two lines of one process and one `f` in a row are one operation."""
    found: list[_Told] = []
    waiting: dict[int | str, _Told] = {}
    for operation in operations:
        begun = waiting.pop(operation.process, None)
        if begun is not None and begun.begun.f == operation.f:
            begun.done = operation
        else:
            waiting[operation.process] = told = _Told(operation)
            found.append(told)
    return found


def _undone(f: str, open_faults: Iterable[str]) -> list[str]:
    """The kinds that an operation of this name ends."""
    if f.startswith("stop-"):
        kinds: tuple[str, ...] = (f.removeprefix("stop-"),)
    elif f.endswith("-stop"):
        kinds = (f.removesuffix("-stop"),)
    else:
        kinds = _UNDOES.get(f, ())
    return [kind for kind in open_faults if kind in kinds or kind.startswith(_stems(kinds))]


def _stems(kinds: tuple[str, ...]) -> tuple[str, ...]:
    """`partition-halves` is a partition."""
    return tuple(f"{kind}-" for kind in kinds)


def _kind(f: str) -> str:
    return f.removeprefix("start-").removesuffix("-start") or f


def _is_breaking(f: str) -> bool:
    return f in _BREAKING or f.startswith(_stems(tuple(_BREAKING))) or _kind(f) in _BREAKING


def _foreign(kind: str, fault: _Told, end: Operation | None) -> FaultInterval:
    return FaultInterval(
        id=fault.begun.index,
        kind=kind,
        start_ns=fault.begun.time,
        effect_ns=None if fault.done is None else fault.done.time,
        end_ns=None if end is None else end.time,
        intended=fault.begun.value,
        observed=None if fault.done is None else fault.done.value,
        started_at=fault.begun.index,
        ended_at=None if end is None else end.index,
        probed=False,
    )
