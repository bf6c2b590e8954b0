"""Histories of a simulated bank, string store, log, queues, stack, set and counter, as columns.

Rules
1. One seed, one history, and the verdict is known, as in benchmarks.histories. A violation, near
   the end, is an answer that holds what was never there: a balance, an element, a string.
2. Elements are unique. A key has few calls where an answer is as long as its history.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks.histories import CLIENTS, INFO, NIL, OK, VIOLATED_AT, Columns
from benchmarks.schedules import Column, schedule

ACCOUNTS, BALANCE = 5, 100
NOBODY = "never there"

Rng = np.random.Generator


class Simulated(NamedTuple):
    """A kind of object, its state in a list that `take` changes.

    `draw` makes the n-th call: f and input. `take` gives the output. `observes` are the names of
    what answers the state, `spoil` makes an answer one that cannot be.
    """

    init: Callable[[], Any]
    draw: Callable[[Rng, int], tuple[str, Any]]
    take: Callable[[Any, str, Any], Any]
    observes: tuple[str, ...]
    spoil: Callable[[Any], Any]


def simulate(
    model: str,
    calls: int,
    *,
    unknown: float = 0.0,
    bad: bool = False,
    keys: int = 1,
    seed: int = 7,
    clients: int = CLIENTS,
    interleaving: str = "steady",
) -> Columns:
    """A history of such an object; with several keys the clients go from one to the next."""
    rng = np.random.default_rng(seed)
    times = schedule(calls, rng, clients=clients, unknown=unknown, interleaving=interleaving)
    simulated = SIMULATED[model]
    drawn = [simulated.draw(rng, n) for n in range(1, calls + 1)]
    answers: list[Any] = [None] * calls
    states = [simulated.init() for _ in range(keys)]
    for row in times.order[: int(times.applied.sum())].tolist():
        answers[row] = simulated.take(states[row * keys // calls], *drawn[row])
    if bad:
        late = range(int(VIOLATED_AT * calls), calls)
        either = (*late, *reversed(range(late.start)))
        row = next(n for n in either if drawn[n][0] in simulated.observes and not times.unknown[n])
        answers[row] = simulated.spoil(answers[row])
    names = tuple(dict.fromkeys(f for f, _ in drawn))
    values: list[Any] = []
    return Columns(
        model=model,
        linearizable=not bad,
        invoked=times.invoked,
        ended=times.ended,
        process=times.process,
        f=np.array([names.index(f) for f, _ in drawn], dtype=np.uint8),
        input=_places([value for _, value in drawn], values),
        output=np.where(times.unknown, NIL, _places(answers, values)),
        outcome=np.where(times.unknown, INFO, OK).astype(np.uint8),
        code=np.zeros(calls, dtype=np.uint8),
        key=np.arange(calls) * keys // calls if keys > 1 else None,
        names=names,
        values=values,
    )


def _places(cells: list[Any], values: list[Any]) -> Column:
    """Where each cell stands in `values`, to which it is added; NIL for None."""
    places = np.full(len(cells), NIL, dtype=np.int64)
    for row, cell in enumerate(cells):
        if cell is not None:
            places[row] = len(values)
            values.append(cell)
    return places


def _transfer_or_read(rng: Rng, _n: int) -> tuple[str, Any]:
    if rng.random() < 0.5:
        return "read", None
    source, target = rng.choice(ACCOUNTS, 2, replace=False).tolist()
    return "transfer", {"from": source, "to": target, "amount": int(rng.integers(1, 6))}


def _bank(balances: dict[str, int], f: str, moved: Any) -> Any:
    if f == "read":
        return dict(balances)
    balances[str(moved["from"])] -= moved["amount"]
    balances[str(moved["to"])] += moved["amount"]
    return None


def _off_by_one(balances: dict[str, int]) -> dict[str, int]:
    return {**balances, "0": balances["0"] + 1}


def _get_put_append(rng: Rng, n: int) -> tuple[str, Any]:
    draw = rng.random()
    if draw < 0.5:
        return "get", None
    return ("put" if draw < 0.55 else "append"), f"[{n}]"


def _string(state: list[str], f: str, value: Any) -> Any:
    if f == "get":
        return state[0]
    state[0] = value if f == "put" else state[0] + value
    return None


def _grow_or_read(grow: str, share: float = 0.5) -> Callable[[Rng, int], tuple[str, Any]]:
    return lambda rng, n: ("read", None) if rng.random() < share else (grow, n)


def _log(state: list[int], f: str, element: Any) -> Any:
    if f == "read":
        return list(state)
    state.append(element)
    return None


def _in_or_out(put: str, take: str) -> Callable[[Rng, int], tuple[str, Any]]:
    return lambda rng, n: (put, n) if rng.random() < 0.5 else (take, None)


def _queue(place: int) -> Callable[[list[int], str, Any], Any]:
    def take(state: list[int], f: str, element: Any) -> Any:
        if f in ("enqueue", "push"):
            state.append(element)
            return None
        return state.pop(place) if state else None

    return take


def _count(state: list[int], f: str, by: Any) -> Any:
    if f == "add":
        state[0] += by
        return None
    return state[0]


def _strange(_answer: Any) -> Any:
    return NOBODY


SIMULATED: dict[str, Simulated] = {
    "bank": Simulated(
        lambda: {str(account): BALANCE for account in range(ACCOUNTS)},
        _transfer_or_read,
        _bank,
        ("read",),
        _off_by_one,
    ),
    "kv": Simulated(lambda: [""], _get_put_append, _string, ("get",), _strange),
    "log": Simulated(list, _grow_or_read("append"), _log, ("read",), lambda a: [*a, NOBODY]),
    "set": Simulated(list, _grow_or_read("add"), _log, ("read",), lambda a: [*a, NOBODY]),
    "counter": Simulated(lambda: [0], _grow_or_read("add"), _count, ("read",), lambda a: -1 - a),
    "fifo-queue": Simulated(
        list, _in_or_out("enqueue", "dequeue"), _queue(0), ("dequeue",), _strange
    ),
    "unordered-queue": Simulated(
        list, _in_or_out("enqueue", "dequeue"), _queue(-1), ("dequeue",), _strange
    ),
    "stack": Simulated(list, _in_or_out("push", "pop"), _queue(-1), ("pop",), _strange),
}
