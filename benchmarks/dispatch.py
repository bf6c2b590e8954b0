"""How many operations a second the harness itself can dispatch and journal, on one core.

    python benchmarks/dispatch.py [OPERATIONS]

The clients do nothing, so all the time is ours: generator, stamps, journal on a real file, workers.
The claim is 20,000 operations a second; the ratio to it is the last column. At the end, the same
with a live check beside it, in turns: the claim is 5 % of the throughput at most.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

from checkers.history import COMPARE_FAILED, Error, Operation
from checkers.models import model
from checkers.stream import LiveCheck
from harness.clock import NS_PER_S, MonotonicClock
from harness.contracts import Client, Completion
from harness.generators import Generator, constant, limit, mix, reserve, stagger, time_limit
from harness.loop import Loop
from harness.store.journal import Journal
from harness.watch import Watch
from harness.workloads import workload

CLAIM = 20_000
TURNS = 7


class NoOp:
    """Answers at once, without leaving the event loop."""

    def __init__(self, _node: str) -> None: ...

    async def open(self) -> None: ...

    async def invoke(self, operation: Operation) -> Completion:
        return Completion("ok", operation.value)

    async def close(self) -> None: ...


class BlockingNoOp:
    """Answers at once, on a thread."""

    def __init__(self, _node: str) -> None: ...

    def open(self) -> None: ...

    def invoke(self, operation: Operation) -> Completion:
        return Completion("ok", operation.value)

    def close(self) -> None: ...


def plain() -> Generator:
    return constant("read")


def composed() -> Generator:
    reads, writes = constant("read"), constant("write", 1)
    return time_limit(3600, stagger(1e-9, reserve((1, reads), rest=mix(reads, writes))))


def register() -> Generator:
    return time_limit(3600, stagger(1e-9, workload("register", {}).generator()))


class OneRegister:
    """Answers as registers do that all clients share."""

    values: ClassVar[dict[Any, Any]] = {}

    def __init__(self, _node: str) -> None: ...

    async def open(self) -> None: ...

    async def invoke(self, operation: Operation) -> Completion:
        value = self.values.get(operation.key)
        if operation.f == "read":
            return Completion("ok", value)
        if operation.f == "cas" and operation.value[0] != value:
            return Completion("fail", None, Error(COMPARE_FAILED))
        is_cas = operation.f == "cas"
        self.values[operation.key] = operation.value[1] if is_cas else operation.value
        return Completion("ok", operation.value)

    async def close(self) -> None: ...


async def measure(
    generator: Generator,
    client: Callable[[str], Client],
    workers: int,
    operations: int,
    live: bool = False,
) -> float:
    """Operations a second."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "history.jsonl")
        clock = MonotonicClock()
        loop = Loop(
            journal=journal,
            clock=clock,
            nodes=("n1", "n2", "n3", "n4", "n5"),
            workers=workers,
            client=client,
            seed=1,
            operation_limit_s=10,
        )
        check = LiveCheck(model("cas-register"), recall=lambda: tuple(journal.operations))
        watch = Watch(check, journal.operations, clock)
        watching = asyncio.create_task(watch.violation()) if live else None
        began_ns = clock.now_ns()
        await loop.run(limit(operations, generator))
        took_ns = clock.now_ns() - began_ns
        if watching is not None:
            assert not watching.done(), "a right register was called wrong"
            watching.cancel()
        await loop.close()
        journal.close()
        assert len(journal.operations) == 2 * operations
    return operations / took_ns * NS_PER_S


def main() -> None:
    operations = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    print(f"{'generator':<12} {'client':<10} {'workers':>7} {'ops/s':>10} {'of claim':>9}")
    clients: tuple[tuple[str, Callable[[str], Any]], ...] = (
        ("coroutine", NoOp),
        ("thread", BlockingNoOp),
    )
    for name, make in (("plain", plain), ("composed", composed), ("register", register)):
        for kind, client in clients:
            for workers in (2, 10, 30):
                rate = asyncio.run(measure(make(), client, workers, operations))
                print(f"{name:<12} {kind:<10} {workers:>7} {rate:>10,.0f} {rate / CLAIM:>8.1f}x")
    print(f"live check: {cost_of_a_live_check(operations):.1%} of the throughput")


def cost_of_a_live_check(operations: int) -> float:
    """The share of the throughput that it takes: the median of turns with and without."""

    def rate(live: bool) -> float:
        OneRegister.values.clear()
        return asyncio.run(measure(register(), OneRegister, 10, operations, live))

    return 1 - median(rate(True) / rate(False) for _ in range(TURNS))


if __name__ == "__main__":
    main()
