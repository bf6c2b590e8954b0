"""When simulated clients call, when their calls take effect, and when they return.

Rules
1. A call takes effect at one moment between its invocation and its return, and an object that
   takes the calls in the order of those moments is correct: the history is linearizable.
2. A call of unknown outcome takes effect in time, late, or never. Its client goes on as another
   process. The share of such calls is exact.
3. One seed, one schedule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int64]
Times = NDArray[np.float64]
Moments = tuple[Times, Times, Times]  # of invocation, effect and return

LATE = 50.0  # by how many mean latencies an effect is late, in the mean
SLOW = 100.0  # how much slower a straggler is
BURST = 100  # calls that are all open at once


class Schedule(NamedTuple):
    """One row a call, in the order of invocation.

    `invoked` and `ended` are indices of operations. `order` names the rows in the order in which
    they take effect, those that never do last; `applied` says which do.
    """

    invoked: Column
    ended: Column
    process: Column
    unknown: NDArray[np.bool_]
    order: Column
    applied: NDArray[np.bool_]

    @property
    def calls(self) -> int:
        return len(self.invoked)


def schedule(
    calls: int, rng: np.random.Generator, *, clients: int, unknown: float, interleaving: str
) -> Schedule:
    """A schedule of that many calls, of which the share `unknown` has an unknown outcome."""
    client, (invoke, effect, back) = INTERLEAVINGS[interleaving](calls, rng, clients)
    crashed = np.zeros(calls, dtype=bool)
    crashed[rng.permutation(calls)[: round(unknown * calls)]] = True
    fate = rng.random(calls)
    late = crashed & (fate < 0.25)
    effect[late] += rng.exponential(LATE, int(late.sum()))
    applied = ~(crashed & (fate >= 0.75))

    places = np.empty(2 * calls, dtype=np.int64)
    places[np.argsort(np.concatenate((invoke, back)), kind="stable")] = np.arange(2 * calls)
    invoked, ended = places[:calls], places[calls:]
    rows = np.argsort(invoked)
    crashed, applied = crashed[rows], applied[rows]
    effect = np.where(applied, effect[rows], np.inf)
    return Schedule(
        invoked=invoked[rows],
        ended=ended[rows],
        process=_processes(client[rows], crashed, clients),
        unknown=crashed,
        order=np.argsort(effect, kind="stable"),
        applied=applied,
    )


def _processes(client: Column, crashed: NDArray[np.bool_], clients: int) -> Column:
    """A client's process, which is another one after each call of unknown outcome."""
    process = np.empty_like(client)
    for one in range(clients):
        mine = np.flatnonzero(client == one)
        lives: Column = np.cumsum(crashed[mine]) - crashed[mine]
        process[mine] = one + clients * lives
    return process


def _steady(calls: int, rng: np.random.Generator, clients: int) -> tuple[Column, Moments]:
    """Clients that are as long idle as it takes a call to take effect, and then to return."""
    return _alternating(calls, rng, [1.0] * clients)


def _stragglers(calls: int, rng: np.random.Generator, clients: int) -> tuple[Column, Moments]:
    """The same, but one client is slow: hundreds of calls pass by each of its own."""
    return _alternating(calls, rng, [SLOW] + [1.0] * (clients - 1))


def _alternating(calls: int, rng: np.random.Generator, pace: list[float]) -> tuple[Column, Moments]:
    """Each client idle, open, open after the effect, in turn, for times of its own pace."""
    rate = np.array([1 / p for p in pace])
    counts = np.floor(calls * rate / rate.sum()).astype(np.int64)
    counts[-1] += calls - counts.sum()
    client = np.repeat(np.arange(len(pace)), counts)
    times = np.empty((calls, 3))
    start = 0
    for count, mean in zip(counts, pace, strict=True):
        lengths = rng.exponential(mean, 3 * count)
        times[start : start + count] = np.cumsum(lengths, out=lengths).reshape(count, 3)
        start += count
    return client, (times[:, 0].copy(), times[:, 1].copy(), times[:, 2].copy())


def _bursts(calls: int, rng: np.random.Generator, clients: int) -> tuple[Column, Moments]:
    """All clients call at once, then all are answered, in any order."""
    client = np.arange(calls) % clients
    start = 4.0 * (np.arange(calls) // clients)
    invoke = start + rng.random(calls)
    back = start + 2 + rng.random(calls)
    return client, (invoke, invoke + (back - invoke) * rng.random(calls), back)


INTERLEAVINGS: dict[str, Callable[[int, np.random.Generator, int], tuple[Column, Moments]]] = {
    "steady": _steady,
    "stragglers": _stragglers,
    "bursts": _bursts,
}
