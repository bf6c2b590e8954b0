"""The fence around machines: inside it there is no clock and no chance but ours.

Rules
1. While a machine is built or handles an event, the standard library's clocks, sleeps and
   generators raise FenceError. A machine that used them would run differently each time, and a
   failure it showed could not be replayed.
2. Elsewhere they work as always: in the harness, and in other threads meanwhile. The originals are
   back when the last simulation of the process has ended, in whatever order simulations end.

What it cannot see: a name that was imported before (`from time import monotonic`), the clock inside
`datetime`, and the order of a set of strings, which differs from process to process. Those show
when a run is repeated in another process with another hash seed (see replay), and are told there.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from types import ModuleType, TracebackType
from typing import Any

FORBIDDEN: tuple[tuple[ModuleType, tuple[str, ...]], ...] = (
    (
        time,
        (
            "time",
            "time_ns",
            "monotonic",
            "monotonic_ns",
            "perf_counter",
            "perf_counter_ns",
            "process_time",
            "process_time_ns",
            "thread_time",
            "thread_time_ns",
            "clock_gettime",
            "clock_gettime_ns",
            "sleep",
        ),
    ),
    (
        random,
        (
            "random",
            "randint",
            "randrange",
            "choice",
            "choices",
            "shuffle",
            "sample",
            "uniform",
            "getrandbits",
            "gauss",
            "normalvariate",
            "lognormvariate",
            "expovariate",
            "triangular",
            "betavariate",
            "binomialvariate",
            "gammavariate",
            "paretovariate",
            "vonmisesvariate",
            "weibullvariate",
            "randbytes",
            "seed",
            "_urandom",  # what `secrets` and SystemRandom draw from
        ),
    ),
    (os, ("urandom", "getrandom")),
)


class FenceError(Exception):
    """A machine reached for what a replay could not repeat; its author is at fault."""


_lock = threading.Lock()
_entered: list[Fence] = []
_originals: list[tuple[ModuleType, str, Any]] = []


class Fence:
    """`up`: a machine runs, and must not look outside. Enter it while a simulation lasts, in the
    thread that runs it."""

    def __init__(self) -> None:
        self.up = False
        self.thread = 0

    def __enter__(self) -> Fence:
        self.thread = threading.get_ident()
        with _lock:
            if not _entered:
                _put_guards()
            _entered.append(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        wrong: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.up = False
        with _lock:
            _entered.remove(self)
            while _originals and not _entered:
                setattr(*_originals.pop())


def _put_guards() -> None:
    for module, names in FORBIDDEN:
        for name in names:
            original = getattr(module, name, None)
            if original is not None:
                _originals.append((module, name, original))
                setattr(module, name, _guarded(f"{module.__name__}.{name}", original))


def _guarded(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(*arguments: Any, **named: Any) -> Any:
        here = threading.get_ident()
        if any(fence.up and fence.thread == here for fence in _entered):
            raise FenceError(
                f"a machine called {name}(): its runs could not be repeated. Time comes in as "
                "`now` with each event, chance through the Random it was built with."
            )
        return original(*arguments, **named)

    return guarded
