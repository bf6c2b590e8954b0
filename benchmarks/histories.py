"""Histories of simulated correct objects, as columns, with at most one violation that is certain.

Rules
1. One seed, one history. The objects are correct by construction (benchmarks.schedules), so the
   verdict is known; every benchmark asserts it.
2. A violation is a read of a value that no order explains: one that was overwritten by a write that
   had returned before the read began, and that nothing can bring back; where outcomes are unknown
   and values few, none is certain, and it is a value that nobody writes.
3. `fail` without a code says that nothing happened; with the code compare-failed it is evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.schedules import Column, Schedule, schedule
from checkers.history import COMPARE_FAILED, Error, History, Operation, Outcome

CLIENTS = 10
NIL = np.iinfo(np.int64).min  # null in a column of integers
ALIEN = -1  # a value that nobody writes
FEW = 5
VIOLATED_AT = 0.995  # of the history
PIECE = 1 << 16  # operations that are made at a time

NEVER = -1  # the index of a return that does not come
OK, FAIL, INFO = 0, 1, 2
OUTCOMES: tuple[Outcome, ...] = ("ok", "fail", "info")
Names = tuple[str, ...]
REGISTER: Names = ("read", "write", "cas", COMPARE_FAILED)
READ, WRITE, CAS, REFUSED = range(4)


class Columns(NamedTuple):
    """One row a call, in the order of invocation; see `Table.columns` of the engine.

    `invoked` and `ended` are indices of operations. `input` of shape (calls, 2) holds the pair
    [a, b], or a alone where b is NIL. With `values` the numbers of `input` and `output` are places
    in it. `linearizable` is what is known of the history.
    """

    model: str
    linearizable: bool
    invoked: Column
    ended: Column
    process: Column
    f: NDArray[np.uint8]
    input: Column
    output: Column
    outcome: NDArray[np.uint8]
    code: NDArray[np.uint8]
    key: Column | None
    names: Names
    values: list[Any] | None = None

    @property
    def calls(self) -> int:
        return len(self.invoked)

    @property
    def returned(self) -> Column:
        return np.where(self.outcome == INFO, NEVER, self.ended)

    def table(self) -> Any:
        """The engine's table of it."""
        from checkers import _engine  # the extension is optional

        if self.values is not None or self.code.any():
            return _engine.Table.of(list(self.operations()))
        return _engine.Table.columns(
            self.invoked,
            self.returned,
            self.process,
            self.f.astype(np.int64),
            self.input,
            self.output,
            self.outcome.astype(np.int64),
            np.full(self.calls, NIL) if self.key is None else self.key,
            self.names,
        )

    def history(self) -> History:
        return History(list(self.operations()))

    def operations(self) -> Iterator[Operation]:
        """As the journal of a run has them."""
        events = np.concatenate((self.invoked, self.ended))
        places = np.argsort(events)
        for start in range(0, len(places), PIECE):
            for place in places[start : start + PIECE].tolist():
                row = place % self.calls
                yield self._operation(int(events[place]), row, begins=place < self.calls)

    def write(self, path: Path) -> None:
        """As history.jsonl."""
        encoder = msgspec.json.Encoder()
        with path.open("wb", buffering=1 << 20) as file:
            for operation in self.operations():
                file.write(encoder.encode(operation) + b"\n")

    def _operation(self, index: int, row: int, *, begins: bool) -> Operation:
        outcome, code = int(self.outcome[row]), int(self.code[row])
        value = self.value(self.input[row])
        if not begins and outcome == OK:
            answer = self.value(self.output[row])
            value = value if answer is None else answer  # a write answers what was written
        return Operation(
            index=index,
            time=1_000 * index,
            process=int(self.process[row]),
            type="invoke" if begins else OUTCOMES[outcome],
            f=self.names[self.f[row]],
            value=value,
            key=None if self.key is None else f"r{self.key[row]}",
            error=None if begins or code == 0 else Error(self.names[code - 1]),
        )

    def value(self, cell: Any) -> Any:
        numbers = cell.tolist()
        if isinstance(numbers, list):
            first, second = (None if n == NIL else n for n in numbers)
            return first if second is None else [first, second]
        if numbers == NIL:
            return None
        return numbers if self.values is None else self.values[numbers]


class Kind(NamedTuple):
    """A kind of register history. `unique`: every written value differs; else values are 0 to 4."""

    model: str
    unique: bool
    unknown: float
    bad: bool

    def __str__(self) -> str:
        values = "unique" if self.unique else "0-4"
        return f"{self.model} {values} u{self.unknown:.0%}{' bad' if self.bad else ''}"


KINDS = tuple(
    Kind(model, unique, unknown, bad)
    for model in ("register", "cas-register")
    for unique in (True, False)
    for unknown in (0.0, 0.01, 0.05)
    for bad in (False, True)
)


def register(
    kind: Kind,
    calls: int,
    *,
    seed: int = 7,
    clients: int = CLIENTS,
    keys: int = 1,
    interleaving: str = "steady",
    compare_failed: bool = False,
) -> Columns:
    """A history of that kind: half reads; with compare-and-set a quarter each of it and writes.

    Of the compare-and-sets on few values a fifth match, on unique values a half; the others fail
    with the code compare-failed or without one. With several keys the clients go from one key to
    the next.
    """
    rng = np.random.default_rng(seed)
    times = schedule(calls, rng, clients=clients, unknown=kind.unknown, interleaving=interleaving)
    shares = (0.5, 0.25, 0.25) if kind.model == "cas-register" else (0.5, 0.5)
    f = rng.choice(len(shares), calls, p=shares).astype(np.uint8)
    new = np.arange(1, calls + 1) if kind.unique else rng.integers(0, FEW, calls)
    matches = times.applied & (rng.random(calls) < (0.5 if kind.unique else 1 / FEW))
    key = np.arange(calls) * keys // calls if keys > 1 else None
    before = _states(times, (f == WRITE) & times.applied | (f == CAS) & matches, new, key)

    cas = f == CAS
    first, second = np.where(f == WRITE, new, NIL), np.where(cas, new, NIL)
    first[cas] = np.where(matches, before, _others(before, kind.unique, rng))[cas]
    failed = cas & ~matches
    outcome = np.where(times.unknown, INFO, np.where(failed, FAIL, OK)).astype(np.uint8)
    code = (1 + REFUSED) if compare_failed else 0
    columns = Columns(
        model=kind.model,
        linearizable=not kind.bad,
        invoked=times.invoked,
        ended=times.ended,
        process=times.process,
        f=f,
        input=np.stack((first, second), axis=1) if kind.model == "cas-register" else first,
        output=np.where((f == READ) & ~times.unknown, before, NIL),
        outcome=outcome,
        code=np.where(outcome == FAIL, code, 0).astype(np.uint8),
        key=key,
        names=REGISTER,
    )
    if kind.bad:
        violate(columns, new)
    return columns


def _states(times: Schedule, changes: NDArray[np.bool_], new: Column, key: Column | None) -> Column:
    """The value that each call finds: of the latest change of its key before it, or NIL."""
    order = times.order if key is None else times.order[np.argsort(key[times.order], kind="stable")]
    places = np.where(changes[order], np.arange(len(order)), -1)
    latest = np.empty_like(places)
    latest[0] = -1
    np.maximum.accumulate(places[:-1], out=latest[1:])
    found = np.where(latest < 0, NIL, new[order[latest]])
    if key is not None:
        found[key[order[latest]] != key[order]] = NIL
    before = np.empty_like(found)
    before[order] = found
    return before


def _others(before: Column, unique: bool, rng: np.random.Generator) -> Column:
    """For each value another one, which a compare-and-set may expect in vain."""
    if unique:
        return np.where(before == NIL, 0, before - 1)
    return (np.maximum(before, 0) + rng.integers(1, FEW, len(before))) % FEW


def violate(columns: Columns, new: Column) -> None:
    """Spoils one read near the end (rule 2). `new`: the value that each call would set."""
    reads = np.flatnonzero((columns.f == READ) & (columns.outcome == OK))
    place = min(int(np.searchsorted(reads, VIOLATED_AT * columns.calls)), len(reads) - 1)
    sets = (columns.f != READ) & (columns.outcome != FAIL)
    for row in reads[place : place + 20].tolist():
        since = max(0, row - 40 * CLIENTS)
        for value in dict.fromkeys(reversed(new[since:row][sets[since:row]].tolist())):
            if value != columns.output[row] and _gone(columns, new, row, value):
                columns.output[row] = value
                return
    columns.output[reads[place]] = ALIEN


def _gone(columns: Columns, new: Column, row: int, value: int) -> bool:
    """Is it certain that the register cannot have this value at this read?

    So it is if all that sets it had returned when another call that changed the value was invoked,
    and that one returned before the read was invoked.
    """
    begun, ended = columns.invoked[row], columns.ended[row]
    mine = np.full(columns.calls, True) if columns.key is None else columns.key == columns.key[row]
    sets = mine & (columns.f != READ) & (columns.outcome != FAIL) & (columns.invoked < ended)
    same = sets & (new == value)
    if bool(np.any(columns.outcome[same] == INFO)):
        return False
    last = columns.ended[same].max(initial=-1)
    other = sets & ~same & (columns.outcome == OK)
    return bool(np.any((columns.invoked[other] > last) & (columns.ended[other] < begun)))
