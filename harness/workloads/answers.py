"""Workloads echo and unique-ids: one operation each, whose answers are judged by themselves.

Operations: `echo` (any value -> the same); `generate` (null -> an identifier that nobody else is
ever given, on whatever node).

Rules
1. What is sent to be echoed is new each time, so an answer to another question shows; it has text
   beyond ASCII in it, and lists and objects, so that a node that re-encodes it shows, too.
2. After healing every worker asks until it is answered.

Sources: the echo and unique-ids workloads of Maelstrom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from checkers.answers import Echoed, UniqueIds
from checkers.consensus import Termination
from checkers.coverage import Coverage
from checkers.laws import Laws
from checkers.verdict import Checker
from harness.generators import (
    Context,
    Generator,
    Request,
    constant,
    deferred,
    for_each_worker,
    generate,
    time_limit,
)
from harness.workloads.keys import FINAL_TIME_LIMIT_S, persistent


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """There is nothing to choose."""


def _echo(n: int, context: Context) -> Request:
    kinds: tuple[Any, ...] = (f"echo {n}", f"écho {n} ✓", [n, None, True], {"n": n, "x": [1.5]})
    return Request("echo", context.random.choice(kinds))


class _Asking:
    """A workload of one operation. One object serves one run."""

    def __init__(self, name: str, f: str, main: Generator, checker: Checker) -> None:
        self.name = name
        self.operations = (f,)
        self._main = main
        self._checker = checker

    def generator(self) -> Generator:
        return self._main

    def final_generator(self) -> Generator:
        (f,) = self.operations

        def of_worker(worker: int, _workers: int) -> Generator:
            return persistent(constant(f, f"last of {worker}" if f == "echo" else None))

        return deferred(lambda: time_limit(FINAL_TIME_LIMIT_S, for_each_worker(of_worker)))

    def checkers(self) -> Sequence[Checker]:
        coverage = Coverage(operations=self.operations, final=self.operations)
        return (self._checker, Laws(), Termination(), coverage)


def echo(_options: Mapping[str, Any], _check_time_limit_s: float) -> _Asking:
    """A new one, for one run."""
    return _Asking("echo", "echo", generate(_echo), Echoed())


def unique_ids(_options: Mapping[str, Any], _check_time_limit_s: float) -> _Asking:
    """A new one, for one run."""
    return _Asking("unique-ids", "generate", constant("generate"), UniqueIds())
