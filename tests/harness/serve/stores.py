"""Stores for tests: real simulated runs, nights, one that was killed; and a server over them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import msgspec

from harness.cases import Case
from harness.keeping import keep
from harness.nightly.records import Cell, Group, Night, RunRecord
from harness.trial import Trial

HOSTILE = "<script>alert(1)</script>\"'&"


def trial(**settings: object) -> Trial:
    usual = {"cluster": "simulated", "nodes": 3, "time_limit_s": 2.0, "faults": "partitions"}
    return Trial(**{**usual, **settings})  # type: ignore[arg-type]


def fill(store: Path) -> None:
    """Valid runs of two labels, an invalid one, one that was killed, nights."""
    for seed in (1, 2):
        keep(Case(trial=trial(seed=seed)), store)
    keep(Case(trial=trial(seed=3, workload="consensus")), store)
    broken = trial(seed=4, name="broken", time_limit_s=8.0, options={"mutant": "local-reads"})
    folder, judged = keep(Case(trial=broken), store)
    assert judged.verdict.kind.name == "INVALID", "the mutant is found at this seed"
    killed = store / "broken" / "20260101T000000Z-9"
    killed.mkdir()
    for part in ("trial.yaml", "history.jsonl"):
        (killed / part).write_bytes((folder.path / part).read_bytes())
    nights(store, f"broken/{folder.path.name}")


def nights(store: Path, kept: str) -> None:
    for number in range(3):
        name = f"2026112{number}T220000Z"
        cell = Cell(
            name="paxos register chaos simulated 5",
            runs=100 + number,
            invalid=number,
            next_seed=101,
            operations=40_000 * (number + 1),
            seconds=90.0,
            in_effect={"partition": 30, "kill": 12},
        )
        night = Night(
            name=name,
            spec="nightly.yaml",
            started=f"2026-11-2{number}T22:00:00Z",
            ended=f"2026-11-2{number}T22:10:00Z",
            stopped="The budget was used up.",
            ends={"valid": 100, "invalid": number},
            cells=[cell],
            new=["reads-old-abc123"] if number == 1 else [],
            known=["reads-old-abc123"] if number == 2 else [],
            seconds=600.0,
            workers=2,
        )
        folder = store / "nights" / name
        folder.mkdir(parents=True)
        (folder / "night.json").write_bytes(msgspec.json.encode(night))
        record = RunRecord(
            id=1, cell=cell.name, system="paxos", workload="register", faults="chaos",
            cluster="simulated", nodes=5, seed=7, end="invalid" if number else "valid",
            sentence=HOSTILE, folder=kept, fingerprint="reads-old-abc123" if number else "",
            failed_after_s=0.04 * number if number else None, operations=300 * number,
            ok=150 * number, started=f"2026-11-2{number}T22:0{number}:00Z",
            in_effect={"partition": 30, "kill": 12},
        )  # fmt: skip
        (folder / "runs.jsonl").write_bytes(msgspec.json.encode(record) + b"\n")
        (folder / "summary.md").write_text(f"# Night\n{HOSTILE}\n")
    group = Group(
        fingerprint="reads-old-abc123", system="paxos", law="reads-old", shape="shape",
        sentence=f"A read is old. {HOSTILE}", folder=kept,
        nights={"20261121T220000Z": 1, "20261122T220000Z": 2},
    )  # fmt: skip
    (store / "nights" / "groups.json").write_bytes(msgspec.json.encode([group]))


def command(*flags: str) -> list[str]:
    return [sys.executable, "-m", "harness.cli", "serve", *flags]


@contextlib.contextmanager
def process(flags: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server of its own, and the address that it printed."""
    environment = {k: v for k, v in os.environ.items() if k != "ANTIPAXOS_TOKEN"}
    with subprocess.Popen(
        command("--port", "0", *flags), stdout=subprocess.PIPE, text=True, env=environment
    ) as server:
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found is not None, "it prints its address first"
            yield server, found[0]
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()


@contextlib.contextmanager
def client(flags: Sequence[str]) -> Iterator[httpx.Client]:
    with process(flags) as (_, url), httpx.Client(base_url=url, timeout=20.0) as asking:
        yield asking
