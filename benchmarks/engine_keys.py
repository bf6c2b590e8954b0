"""From a history.jsonl on disk to the verdict: 10^6 operations over 10,000 keys, on two cores.

    python -m benchmarks.engine_keys [operations [keys]] [--threads 2]

Claims: 1,500,000 operations a second for the search; 6 s from the file to the verdict, by
`antipaxos check` as its users run it (interpreter, imports and certificates included).
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

from benchmarks.command import ANTIPAXOS
from benchmarks.histories import Columns, Kind, register
from benchmarks.measure import insist, need_engine, search
from benchmarks.objects import simulate
from checkers.linearizability import engine
from checkers.models import model
from harness.clock import NS_PER_S, monotonic_ns

RATE, TOTAL_S = 1.5e6, 6.0
VERDICTS = {0: True, 1: False}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("operations", nargs="?", type=int, default=1_000_000)
    parser.add_argument("keys", nargs="?", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    need_engine()
    print(f"{given.operations:,} operations over {given.keys:,} keys, {given.threads} threads\n")
    print(
        f"{'model':<16}{'unknown':>8}{'':>5}{'read s':>8}{'search s':>10}{'Mops/s':>8}"
        f"{'of claim':>10}{'command s':>11}{'of claim':>10}  verdict"
    )
    for name in ("register", "cas-register", "kv", "log"):
        for unknown, bad in ((0.0, False), (0.01, False), (0.01, True)):
            row(name, unknown, bad, given)


def row(name: str, unknown: float, bad: bool, given: argparse.Namespace) -> None:
    history: Columns
    if name.endswith("register"):
        kind = Kind(name, unique=False, unknown=unknown, bad=bad)
        history = register(kind, given.operations, keys=given.keys)
    else:
        history = simulate(name, given.operations, unknown=unknown, bad=bad, keys=given.keys)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.jsonl"
        history.write(path)
        del history
        began_ns = monotonic_ns()
        table = engine.table_of(path)
        read_s = (monotonic_ns() - began_ns) / NS_PER_S
        assert table is not None, "the engine does not take the file"
        found = search(table, model(name), threads=given.threads)
        insist(found.linearizable, not bad)
        began_ns = monotonic_ns()
        ran = subprocess.run(
            [ANTIPAXOS, "check", str(path), "--model", name], capture_output=True, check=False
        )
        command_s = (monotonic_ns() - began_ns) / NS_PER_S
        insist(VERDICTS.get(ran.returncode), not bad, "by the command, this history")
    rate = given.operations / found.took_s
    print(
        f"{name:<16}{unknown:>8.0%}{'bad' if bad else '':>5}{read_s:>8.2f}{found.took_s:>10.3f}"
        f"{rate / 1e6:>8.2f}{rate / RATE:>9.1f}x{command_s:>11.2f}{TOTAL_S / command_s:>9.1f}x"
        f"  {found}{'' if ran.returncode in VERDICTS else ', the command: undecided'}",
        flush=True,
    )


if __name__ == "__main__":
    main()
