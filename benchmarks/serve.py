"""How fast `antipaxos serve` lists a large store: python -m benchmarks.serve [--runs 10000].

Makes so many small run folders, starts a server on them, and asks it over HTTP. Every answer
includes the look at all folders that tells whether something has changed.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import httpx
import msgspec
import yaml

from checkers.verdict import Kind, Verdict
from harness.clock import monotonic_ns
from harness.serve.reading import facts_of
from harness.store.folder import RunFolder
from harness.store.index import NAME, Index
from harness.trial import Trial
from tests.harness.serve.stores import client

LABELS = 20
WARM = 15


def make(root: Path, runs: int) -> None:
    """Folders as runs leave them, with little in them; reports and traces are never opened."""
    random = Random(1)
    line = b'{"index":%d,"time":%d,"process":1,"type":"%s","f":"read","key":"r1","node":"n1"}\n'
    history = b"".join(line % (i, i * 10**6, (b"invoke", b"ok")[i % 2]) for i in range(200))
    for number in range(runs):
        label = f"system-{number % LABELS}"
        day, second = number // 86_400, number % 86_400
        clock = f"{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}"
        path = root / label / f"202601{day + 1:02d}T{clock}Z-{number}"
        (path / "nodes").mkdir(parents=True)
        folder = RunFolder(path)
        trial = Trial(name=label, seed=number, cluster="simulated")
        folder.trial.write_text(yaml.safe_dump(msgspec.to_builtins(trial), sort_keys=False))
        folder.history.write_bytes(history)
        folder.report.touch()
        bad = random.random() < 0.05
        checker = "reads-old" if bad else "linearizable"
        kind = Kind.INVALID if bad else Kind.VALID
        folder.write_verdict(
            Verdict(checker=checker, kind=kind, summary=f"Key q{number} was read as {number}.")
        )


def milliseconds(act: Callable[[], object]) -> float:
    began_ns = monotonic_ns()
    act()
    return (monotonic_ns() - began_ns) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        make(root, runs)
        index = Index(root, partial(facts_of, root))
        print(f"first scan of {runs} runs     {milliseconds(index.refresh):8.0f} ms")
        print(f"look at an unchanged store   {milliseconds(index.refresh):8.0f} ms")
        index.close()
        with client(["--store", place]) as asking:
            measure(asking, root)
        (root / NAME).unlink()
        with client(["--store", place]) as asking:
            print(
                f"first page without an index  {milliseconds(lambda: asking.get('/runs')):8.0f} ms"
            )


def measure(asking: httpx.Client, root: Path) -> None:
    first = milliseconds(lambda: asking.get("/runs").raise_for_status())
    print(f"first page of a new server   {first:8.0f} ms")
    for name, query in (
        ("list", "/runs"),
        ("last page", "/runs?page=200"),
        ("search", "/runs?q=q77+read"),
        ("filter and sort", "/runs?verdict=invalid&sort=operations"),
        ("list as JSON", "/api/runs"),
    ):
        taken = [
            milliseconds(lambda q=query: asking.get(q).raise_for_status()) for _ in range(WARM)
        ]
        print(f"{name:28} {statistics.median(taken):8.0f} ms, longest {max(taken):.0f} ms")
    make_one = partial(make, root / "system-new", 1)
    make_one()
    changed = milliseconds(lambda: asking.get("/runs").raise_for_status())
    print(f"list after a new run         {changed:8.0f} ms")


if __name__ == "__main__":
    main()
