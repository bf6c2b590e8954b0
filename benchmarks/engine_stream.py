"""Judging operations as they happen: how many a second, and does memory stay flat?

    python -m benchmarks.engine_stream [operations] [--batch 1000] [--plain]

Operations are fed in batches, as a run's journal hands them over, one key and a thousand keys in
turn; making them is not timed. Claims: 300,000 operations (an invocation and its completion) a
second, and no more memory at the end than after the first tenth. `--plain` measures plain Python.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator

from benchmarks.histories import Kind, register
from benchmarks.measure import held_mb, insist
from checkers.history import Operation
from checkers.linearizability.incremental import PlainFrontiers
from checkers.models import model
from checkers.stream import LiveCheck
from checkers.verdict import Kind as VerdictKind
from harness.clock import NS_PER_S, monotonic_ns

RATE = 300_000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("operations", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--plain", action="store_true")
    given = parser.parse_args()
    print(
        f"{'model':<14}{'keys':>7}{'unknown':>9}{'seconds':>9}{'ops/s':>11}{'of claim':>10}"
        f"{'MB at 10 %':>12}{'at 50 %':>9}{'at 100 %':>9}  verdict"
    )
    for name, per_key, unknown in (
        ("register", None, 0.0),
        ("register", None, 0.01),
        ("cas-register", None, 0.01),
        ("cas-register", 1_000, 0.01),
    ):
        row(name, per_key, unknown, given)


def row(name: str, per_key: int | None, unknown: float, given: argparse.Namespace) -> None:
    by = model(name)
    check = LiveCheck(by, PlainFrontiers(by) if given.plain else None, recall=lambda: ())
    took_ns, fed = 0, 0
    marks = {given.operations * tenth // 10: tenth for tenth in (1, 5, 10)}
    held = []
    for batch in batches(name, per_key, unknown, given.operations, given.batch):
        began_ns = monotonic_ns()
        check.feed(batch)
        took_ns += monotonic_ns() - began_ns
        fed += len(batch)
        if any(fed - len(batch) < 2 * mark <= fed for mark in marks):
            held.append(held_mb())
    verdict = check.finish()
    found = {VerdictKind.VALID: True, VerdictKind.INVALID: False}.get(verdict.kind)
    insist(found, True)
    rate = given.operations / took_ns * NS_PER_S
    print(
        f"{name:<14}{'one' if per_key is None else given.operations // per_key:>7}{unknown:>9.0%}"
        f"{took_ns / NS_PER_S:>9.2f}{rate:>11,.0f}{rate / RATE:>9.2f}x"
        f"{held[0]:>12.1f}{held[1]:>9.1f}{held[2]:>9.1f}  {verdict.kind}",
        flush=True,
    )


def batches(
    name: str, per_key: int | None, unknown: float, operations: int, size: int
) -> Iterator[list[Operation]]:
    kind = Kind(name, unique=True, unknown=unknown, bad=False)
    history = register(kind, operations, keys=1 if per_key is None else operations // per_key)
    made = history.operations()
    while batch := list(itertools.islice(made, size)):
        yield batch


if __name__ == "__main__":
    main()
