"""What a user's model in Python costs, and what it costs to have no engine at all.

    python -m benchmarks.engine_models [operations of the engine [of plain Python]]

The same history three times: by the native model; by the same model as a user would write it, of
which the engine asks each (state, operation) once; by the plain-Python search. Claims: at most 10
times, and at most 60 times the native model's time. Keys have a hundred operations each, or there
is one key; plain Python is given fewer operations, and times are compared for one operation.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from benchmarks.histories import Columns, Kind, register
from benchmarks.measure import Measured, insist, need_engine, repeated, search
from benchmarks.objects import ACCOUNTS, BALANCE, simulate
from checkers.linearizability.search import Search, compile_calls
from checkers.models import Model, model
from harness.clock import NS_PER_S, monotonic_ns

FOREIGN, PLAIN = 10.0, 60.0
PER_KEY = 100
BANK: dict[str, Any] = {"accounts": ACCOUNTS, "balance": BALANCE}


class Theirs:
    """A user's model: it says all that a built-in one says, and the engine does not know it."""

    def __init__(self, inner: Model) -> None:
        self._inner = inner
        for promise in ("leads_to", "requires"):
            if hasattr(inner, promise):
                setattr(self, promise, getattr(inner, promise))

    name = "theirs"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def main() -> None:
    need_engine()
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    few = int(sys.argv[2]) if len(sys.argv) > 2 else 5_000
    print(f"{many:,} operations, {few:,} for plain Python; microseconds for one operation\n")
    print(
        f"{'model':<15}{'keys':>8}{'unknown':>9}{'native':>9}{'theirs':>9}{'ratio':>7}"
        f"{'of claim':>10}{'plain':>9}{'ratio':>7}{'of claim':>10}"
    )
    for name in ("register", "cas-register", "kv", "log", "set", "counter", "bank"):
        for per_key in (PER_KEY, None):
            if per_key is None and name in ("kv", "log", "set"):
                continue  # an answer is as long as the history
            for unknown in (0.0, 0.01):
                row(name, per_key, unknown, many, few)


def row(name: str, per_key: int | None, unknown: float, many: int, few: int) -> None:
    native = model(name, BANK if name == "bank" else None)
    table = made(name, many, per_key, unknown).table()
    small = made(name, few, per_key, unknown)
    small_table = small.table()
    ours = repeated(lambda _: search(table, native), True).took_s / many
    theirs = repeated(lambda _: search(table, Theirs(native)), True).took_s / many
    ours_small = repeated(lambda _: search(small_table, native), True).took_s / few
    plain = repeated(lambda _: plainly(small, native), True).took_s / few
    print(
        f"{name:<15}{'one' if per_key is None else many // per_key:>8}{unknown:>9.0%}"
        f"{1e6 * ours:>9.2f}{1e6 * theirs:>9.2f}{theirs / ours:>7.1f}"
        f"{theirs / ours / FOREIGN:>9.2f}x{1e6 * plain:>9.1f}{plain / ours_small:>7.0f}"
        f"{plain / ours_small / PLAIN:>9.2f}x",
        flush=True,
    )


def made(name: str, calls: int, per_key: int | None, unknown: float) -> Columns:
    keys = 1 if per_key is None else calls // per_key
    if name.endswith("register"):
        return register(Kind(name, unique=False, unknown=unknown, bad=False), calls, keys=keys)
    return simulate(name, calls, unknown=unknown, keys=keys)


def plainly(columns: Columns, by: Model) -> Measured:
    """The search in plain Python, key by key."""
    keyed = list(columns.history().by_key().values())
    began_ns = monotonic_ns()
    linearizable = all(found(by, calls) for calls in keyed)
    took_s = (monotonic_ns() - began_ns) / NS_PER_S
    return Measured(linearizable, took_s, 0.0, None)


def found(by: Model, calls: Iterable[Any]) -> bool:
    one = Search(compile_calls(by, calls))
    for _ in one.run():
        pass
    insist(one.linearizable, True)
    return bool(one.linearizable)


if __name__ == "__main__":
    main()
