"""How long the linearizability check takes, by model and share of unknown outcomes.

    python benchmarks/check_keys.py [operations] [operations of a key]

By default 20,000 operations of ten clients on keys that rotate after a hundred. Every history is
made from an object that is correct; `bad` has one wrong read in its last key.
Printed, for each: the verdict, the seconds of the whole check (certificates included), and the
microseconds for each operation.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from random import Random
from time import perf_counter
from typing import Any

from checkers.budget import Budget
from checkers.history import Error, History, Operation
from checkers.linearizability import check_linearizability
from checkers.models import model

CLIENTS = 10


class Simulated:
    """One key of a correct object: an operation takes effect when `apply` is called."""

    def __init__(self, name: str, rng: Random) -> None:
        self._name, self._rng = name, rng
        self._value: Any = [] if name == "log" else "" if name == "kv" else None
        self._writes = 0
        self._past: list[Any] = []

    def operation(self) -> tuple[str, Any]:
        if self._rng.random() < 0.5:
            return ("get" if self._name == "kv" else "read"), None
        self._writes += 1
        if self._name == "log":
            return "append", self._writes
        if self._name == "kv":
            put = self._rng.random() < 0.1
            return ("put" if put else "append"), f"[{self._writes}]"
        if self._name == "cas-register" and self._rng.random() < 0.5:
            return "cas", [self._rng.randrange(5), self._rng.randrange(5)]
        few = self._name == "cas-register"
        return "write", self._rng.randrange(5) if few else self._writes

    def stale(self) -> Any:
        """What a read must not answer: a value of long ago, or one that was never there."""
        return 99 if self._name == "cas-register" else self._past[-20]

    def apply(self, f: str, value: Any) -> tuple[str, Any]:
        if f in ("read", "get"):
            return "ok", self._value
        if f == "cas" and self._value != value[0]:
            return "fail", value
        self._past.append(self._value)
        if f == "append":
            self._value = self._value + (value if self._name == "kv" else [value])
        else:
            self._value = value[1] if f == "cas" else value
        return "ok", value


def history(name: str, operations: int, per_key: int, unknown: float, bad: bool) -> History:
    rng = Random(7)
    lines: list[Operation] = []
    keys = max(1, operations // per_key)
    clients = list(range(CLIENTS))
    for key in range(keys):
        for line in _key(name, f"r{key}", per_key, unknown, bad and key == keys - 1, clients, rng):
            lines.append(Operation(index=len(lines), time=1_000 * len(lines), **line))
    return History(lines)


def _key(
    name: str, key: str, count: int, unknown: float, bad: bool, clients: list[int], rng: Random
) -> Iterator[dict[str, Any]]:
    simulated = Simulated(name, rng)
    open_calls: dict[int, tuple[str, Any, tuple[str, Any] | None]] = {}
    invoked = 0
    while invoked < count or open_calls:
        place = rng.randrange(CLIENTS)
        process = clients[place]
        if process not in open_calls:
            if invoked < count:
                f, value = simulated.operation()
                open_calls[process] = (f, value, None)
                invoked += 1
                yield {"process": process, "type": "invoke", "f": f, "value": value, "key": key}
            continue
        f, value, outcome = open_calls[process]
        if outcome is None:
            open_calls[process] = (f, value, simulated.apply(f, value))
            continue
        del open_calls[process]
        kind, result = outcome
        if rng.random() < unknown:
            kind, result = "info", None
            clients[place] = max(clients) + 1
        elif bad and f in ("read", "get") and invoked > 0.7 * count:
            result, bad = simulated.stale(), False
        error = Error("compare-failed") if kind == "fail" else None
        yield {
            "process": process, "type": kind, "f": f, "value": result, "key": key, "error": error
        }  # fmt: skip


def main() -> None:
    operations = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    per_key = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    print(f"{operations:,} operations, {per_key:,} of each key, {CLIENTS} clients")
    print(f"{'model':<14}{'unknown':>8}{'':>5}{'verdict':>9}{'seconds':>9}{'us/op':>8}")
    for name in ("register", "cas-register", "log", "kv"):
        for unknown, bad in ((0.0, False), (0.02, False), (0.1, False), (0.02, True)):
            given = history(name, operations, per_key, unknown, bad)
            start = perf_counter()
            verdict = check_linearizability(given, model(name), Budget(time_s=60))
            seconds = perf_counter() - start
            print(
                f"{name:<14}{unknown:>8.0%}{'bad' if bad else '':>5}{verdict.kind:>9}"
                f"{seconds:>9.2f}{1e6 * seconds / operations:>8.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
