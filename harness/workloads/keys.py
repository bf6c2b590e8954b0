"""Keys of a workload: quick ones and slow ones, and reading them all again at the end.

Rules
1. Quick keys are few and busy, so that operations of all workers meet on them; each lives for a
   fraction of a second. They show what goes wrong in an instant: two leaders, a stale read.
2. Slow keys get an operation now and then, whatever the rate of the run, so that the life of one
   spans a fault and its healing. They show what is forgotten: an acceptor's promise after a
   restart, a write that only a lost minority had.
3. After healing every worker reads the keys used last, and every older key is visited by one worker
   (so each node vouches for a share of them). What a retired key has lost shows only here.
4. A key is checked on its own: its bounded number of operations, and of unknown outcomes, is what
   keeps the check of a long run cheap.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from checkers.history import Operation
from harness.generators import (
    Generator,
    constant,
    deferred,
    delay,
    for_each_worker,
    limit,
    mix,
    rotate_keys,
    sequence,
    stagger,
    time_limit,
    until_ok,
    watch,
)
from harness.workloads.options import Count, Seconds

QUICK_PREFIX, SLOW_PREFIX = "q", "s"

FINAL_TIME_LIMIT_S = 10.0
FINAL_TRIES = 20
FINAL_RETRY_S = 0.1
FINAL_VISIT_S = 6.0  # of one key, so that others are still visited: who waits in vain is not all


class KeyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How keys rotate; the options that all workloads share, each with defaults of its own.

    `keys_quick`, `keys_slow`: how many live at once. `slow_gap_s`: mean time between two operations
    on one slow key. `operations_per_key`: after how many a key retires; `unknown_per_key`: after
    how many without a known outcome. `final_by_all`, `final_by_one`: how many of the keys used last
    are visited by every worker after healing, and how many of the older ones by one.
    """

    keys_quick: Count = 3
    keys_slow: Count = 4
    slow_gap_s: Seconds = 0.1
    operations_per_key: Count = 100
    unknown_per_key: Count = 10
    final_by_all: Count = 8
    final_by_one: Count = 500


class UsedKeys:
    """The keys a run has used, by last use. Told by the generator of the main phase, asked by that
    of the final one: the one thing a workload remembers."""

    def __init__(self) -> None:
        self._keys: dict[str, None] = {}

    def see(self, event: Operation) -> None:
        if event.type == "invoke":
            self._keys.pop(event.key, None)
            self._keys[event.key] = None

    def last_first(self) -> list[str]:
        return list(reversed(self._keys))


def rotating(make: Callable[[str], Generator], options: KeyOptions, used: UsedKeys) -> Generator:
    """`make(key)` for quick and slow keys."""
    quick = rotate_keys(
        make,
        live=options.keys_quick,
        operations_per_key=options.operations_per_key,
        unknown_per_key=options.unknown_per_key,
        prefix=QUICK_PREFIX,
    )
    slow = rotate_keys(
        lambda key: stagger(options.slow_gap_s, make(key)),
        live=options.keys_slow,
        operations_per_key=options.operations_per_key,
        unknown_per_key=options.unknown_per_key,
        prefix=SLOW_PREFIX,
    )
    return watch(used.see, mix(slow, quick))


def visits(
    used: UsedKeys,
    options: KeyOptions,
    visit: Callable[[str, int], Generator] | None = None,
) -> Generator:
    """After healing: `read` of the keys used last by every worker, until ok; then `visit(key, i)`
    of the older keys by worker i alone, until ok (None: a read)."""

    def read(key: str, _worker: int) -> Generator:
        return constant("read", key=key)

    return visits_by(used, options, read, visit or read)


def visits_by(
    used: UsedKeys,
    options: KeyOptions,
    by_all: Callable[[str, int], Generator],
    by_one: Callable[[str, int], Generator],
) -> Generator:
    """After healing: `by_all(key, i)` of the keys used last by every worker i, until ok; then
    `by_one(key, i)` of the older keys by one worker each. Bounded in tries and time, since a system
    that did not heal answers nothing; the first of either ends it.
    """

    def of_worker(worker: int, workers: int) -> Generator:
        keys = used.last_first()
        recent, older = keys[: options.final_by_all], keys[options.final_by_all :]
        share = older[: options.final_by_one][worker::workers]
        return sequence(
            *(persistent(by_all(key, worker)) for key in recent),
            *(persistent(by_one(key, worker)) for key in share),
        )

    return deferred(lambda: time_limit(FINAL_TIME_LIMIT_S, for_each_worker(of_worker)))


def each_key_by_one(
    used: UsedKeys, options: KeyOptions, visit: Callable[[str], Generator]
) -> Generator:
    """After healing: `visit(key)` of every key by one worker, those used last first. Bounded in
    time; `visit` is bounded in tries."""

    def of_worker(worker: int, workers: int) -> Generator:
        keys = used.last_first()[: options.final_by_all + options.final_by_one]
        return sequence(*(visit(key) for key in keys[worker::workers]))

    return deferred(lambda: time_limit(FINAL_TIME_LIMIT_S, for_each_worker(of_worker)))


def persistent(inner: Generator) -> Generator:
    """`inner` until ok, with a pause between tries; bounded in tries and time."""
    return until_ok(time_limit(FINAL_VISIT_S, limit(FINAL_TRIES, delay(FINAL_RETRY_S, inner))))
